"""The part of CuPy that the frame kernels need, over the simulated device."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from fakecuda.device import device


class _Stream:
    @staticmethod
    def from_external(stream: Any) -> Any:
        assert stream.__cuda_stream__() == (0, device.current.cuda_stream), "a kernel leaves PyTorch's stream"
        return nullcontext()


class _Module:
    """A kernel reads what the pointers of its record point to, and writes what `out` does."""

    def __init__(self, code: str, options: tuple[str, ...]) -> None:
        self._code = code

    def compile(self) -> None:
        pass

    def get_function(self, name: str) -> Callable[..., None]:
        def launch(grid: tuple[int, ...], block: tuple[int, ...], args: tuple[np.ndarray]) -> None:
            (record,) = args[0]
            fields = {name: record[name] for name in record.dtype.names}
            axes = [axis[table] for axis in fields.values() if axis.dtype.names for table in ("start", "weights")]
            pointers = [fields[name] for name in ("source", "pixels", "detail", "guide") if name in fields] + axes
            pointers = [pointer for pointer in pointers if pointer]  # what a picture without detail leaves out
            device.launch(name, [device.at(int(at)) for at in pointers], [device.at(int(record["out"]))])

        return launch


def install(*, there: bool) -> None:
    """Put it in the place of CuPy for the process, or have none there."""
    if not there:
        sys.modules["cupy"] = None  # type: ignore[assignment]
        return
    cupy = types.ModuleType("cupy")
    compiler = types.SimpleNamespace(CompileException=type("CompileException", (Exception,), {}))
    cuda = types.SimpleNamespace(Stream=_Stream, Device=lambda _: nullcontext(), compiler=compiler)
    cupy.__dict__.update(cuda=cuda, RawModule=_Module, __version__="14.0")
    sys.modules["cupy"] = cupy
