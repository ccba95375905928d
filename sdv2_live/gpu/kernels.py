"""The compiled kernels of frames.cu and effects.cu, as those who fill in their arguments see them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from sdv2_live.gpu.color import Affine

DTYPES = (torch.float32, torch.float16, torch.bfloat16)


class Kernels(Protocol):
    """The kernels on one device."""

    name: str

    def launch(self, kernel: str, threads: tuple[int, int, int], args: np.ndarray) -> None:
        """Queue `kernel` on the current stream, with at least that many threads along x, y and z.

        args: one record of the kernel's struct, whose pointers are good until the stream has done it.
        """


def named(kernel: str, dtype: torch.dtype) -> str:
    """The name of a kernel for pixels of this type."""
    return f"{kernel}_{str(dtype)[6:]}"


def rows_of(affine: Affine) -> np.ndarray:
    """(3, 4): the factors of each component, and its offset."""
    return np.column_stack([affine.matrix, affine.offset])
