"""NVIDIA's run-time compiler takes the kernels for every kind of GPU it knows. It needs none; PyTorch for CUDA brings it."""

from __future__ import annotations

import ctypes
import site
import sys
from pathlib import Path

import pytest

from sdv2_live.gpu.cupy_kernels import OPTIONS, source


def nvrtc() -> ctypes.CDLL | None:
    """The library, as NVIDIA's wheels install it."""
    folders = [Path(folder) / "nvidia" for folder in (*site.getsitepackages(), *sys.path)]
    found = [
        path for folder in folders for path in (*folder.glob("*/lib/libnvrtc.so.*"), *folder.glob("*/bin/**/nvrtc64_*_0.dll"))
    ]
    return ctypes.CDLL(str(found[0])) if found else None


def test_the_kernels_compile_for_every_gpu() -> None:
    library = nvrtc()
    if library is None:
        pytest.skip("NVRTC is not installed: it comes with PyTorch for CUDA, or as nvidia-cuda-nvrtc")
    count = ctypes.c_int()
    assert library.nvrtcGetNumSupportedArchs(ctypes.byref(count)) == 0
    known = (ctypes.c_int * count.value)()
    assert library.nvrtcGetSupportedArchs(known) == 0
    kernels = source().encode()
    for arch in (arch for arch in known if arch >= 60):  # from Pascal on
        program, size = ctypes.c_void_p(), ctypes.c_size_t()
        assert library.nvrtcCreateProgram(ctypes.byref(program), kernels, b"frames.cu", 0, None, None) == 0
        options = [*(option.encode() for option in OPTIONS), f"-arch=sm_{arch}".encode(), b"-ftz=true"]
        outcome = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        library.nvrtcGetProgramLog(program, log)
        assert (outcome, log.value) == (0, b""), f"sm_{arch}: {log.value.decode()}"
        library.nvrtcDestroyProgram(ctypes.byref(program))
