"""The frame kernels' own source, compiled for the host by g++: what it computes here, it computes on a GPU."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np

import sdv2_live.gpu

SHIM = Path(__file__).with_name("host_kernels.cpp")
KERNELS = Path(sdv2_live.gpu.__file__).parent


class HostKernels:
    """A `Kernels` on the CPU."""

    name = "host"

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library

    def launch(self, kernel: str, threads: tuple[int, int, int], args: np.ndarray) -> None:
        assert args.nbytes == getattr(self.library, f"size_of_{kernel.split('_')[0]}")()
        run = getattr(self.library, f"run_{kernel.split('_')[0]}")
        run(getattr(self.library, kernel), ctypes.c_void_p(args.ctypes.data), *threads)


def build(folder: Path) -> HostKernels:
    """Compile into `folder`; contraction is off, as for the device."""
    target = folder / "kernels.so"
    command = ["g++", "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-shared", "-fPIC"]
    built = subprocess.run([*command, f"-I{KERNELS}", str(SHIM), "-o", str(target)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return HostKernels(ctypes.CDLL(str(target)))
