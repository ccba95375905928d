"""Compiles and loads guard.cpp, once for each version of torch."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

SOURCE = Path(__file__).with_name("guard.cpp")
TORCH = Path(torch.__file__).parent


def compiler() -> str | None:
    """The C++ compiler's path; None where there is none that builds for this torch."""
    names = (os.environ.get("CXX", ""), "c++", "g++", "clang++")
    return None if sys.platform == "win32" else next(filter(None, map(shutil.which, filter(None, names))), None)


def load() -> None:
    """Register the guard in this process. Raises CalledProcessError when it cannot be built."""
    made_of = f"{torch.__version__} {TORCH} {compiler()} {SOURCE.read_text(encoding='utf-8')}"
    folder = Path(tempfile.gettempdir()) / f"sdv2-fakecuda-{os.getuid()}"
    library = folder / f"{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.so"
    if not library.exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        _build(library)
    ctypes.CDLL(str(library))


def _build(library: Path) -> None:
    found = compiler()
    assert found is not None
    abi = int(torch._C._GLIBCXX_USE_CXX11_ABI)
    unfinished = library.with_suffix(f".{os.getpid()}")
    command = [found, "-std=c++20", "-O1", "-shared", "-fPIC", f"-D_GLIBCXX_USE_CXX11_ABI={abi}", f"-I{TORCH}/include"]
    command += [str(SOURCE), "-o", str(unfinished), f"-L{TORCH}/lib", f"-Wl,-rpath,{TORCH}/lib", "-lc10"]
    subprocess.run(command, check=True)
    unfinished.replace(library)  # other processes may be building it, too
