"""Fused kernels, used only where they can be built and compute what PyTorch's own operations do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

log = logging.getLogger("sdv2_live.model")

Kernels = TypeVar("Kernels")
Plain = TypeVar("Plain")

# What a build's failure says of itself, in small letters, and what helps against it.
REMEDIES = (
    (
        ("python.h", "gcc", "cc1", "clang", "c compiler"),
        "install a C compiler and Python's headers (gcc, python3-dev)",
    ),
    (("libcuda", "ldconfig"), "install the NVIDIA driver's libraries where the loader finds them"),
    (("ptxas", "no kernel image", "sm_"), "install a newer PyTorch and Triton, which know this card"),
    (("permission", "read-only", "no space"), "make Triton's cache writable, or set TRITON_CACHE_DIR to a folder that is"),
    (("no module named",), "install Triton (pip install triton; on Windows triton-windows)"),
)


def working(make: Callable[[], Kernels], check: Callable[[Kernels], None], plain: Plain, what: str) -> Kernels | Plain:
    """Kernels that `make` gives where `check` raises nothing, else `plain`; a warning says why, and what to do.

    Compilers, drivers and file systems fail in kinds of their own (Triton's errors have no common base), so whatever is raised
    counts as a failure.
    """
    try:
        check(kernels := make())
    except Exception as problem:  # noqa: BLE001 (a fallback: the show goes on by PyTorch's own operations)
        said = f"{type(problem).__name__}: {problem}"
        log.warning("%s do not work here, PyTorch's own operations run instead (%s): %s", what, said, remedy(said))
        return plain
    return kernels


def remedy(said: str) -> str:
    """Advice against a failure, chosen by its words."""
    lower = said.lower()
    return next((help for words, help in REMEDIES if any(word in lower for word in words)), "report this")
