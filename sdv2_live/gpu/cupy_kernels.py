"""The kernels of frames.cu and effects.cu, compiled by NVRTC and launched by CuPy on PyTorch's stream. CuPy allocates nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import torch

from sdv2_live.errors import EngineError

BLOCK = (32, 8, 1)
# Sums are written as fmaf where they shall be one; with no other contraction the device computes what the tests have compared.
OPTIONS = ("--std=c++17", "--fmad=false")


def source() -> str:
    """All kernels, as one source."""
    return "".join(files("sdv2_live.gpu").joinpath(name).read_text("utf-8") for name in ("frames.cu", "effects.cu"))


class CupyKernels:
    """Compiled for one CUDA device. Raises EngineError when CuPy is not there or cannot compile or load them."""

    name = "cupy"

    def __init__(self, device: torch.device) -> None:
        try:
            import cupy
        except (ImportError, OSError) as error:
            raise EngineError(f"CuPy cannot be loaded ({error})") from error
        if not hasattr(cupy.cuda.Stream, "from_external"):
            raise EngineError(f"CuPy {cupy.__version__} is too old: install 14 or newer")
        self._cupy = cupy
        self._index = torch.cuda.current_device() if device.index is None else device.index
        try:
            with cupy.cuda.Device(self._index):
                module = cupy.RawModule(code=source(), options=OPTIONS)
                module.compile()
                self._kernel = cache(module.get_function)
        # What CuPy and NVRTC raise without a driver or a library is a RuntimeError; for a source a CompileException.
        except (ImportError, OSError, RuntimeError, cupy.cuda.compiler.CompileException) as error:
            raise EngineError(f"CuPy {cupy.__version__} cannot compile the frame kernels ({error})") from error

    def launch(self, kernel: str, threads: tuple[int, int, int], args: np.ndarray) -> None:
        """See `Kernels`. CuPy passes an array of one record by value, as the kernels take it."""
        grid = tuple(-(-count // block) for count, block in zip(threads, BLOCK, strict=True))
        stream = _Stream(torch.cuda.current_stream(self._index).cuda_stream)
        with self._cupy.cuda.Device(self._index), self._cupy.cuda.Stream.from_external(stream):
            self._kernel(kernel)(grid, BLOCK, (args,))


@dataclass(frozen=True, slots=True)
class _Stream:
    """A CUDA stream by its handle, as CuPy takes it over; older PyTorch lacks this protocol."""

    handle: int

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.handle
