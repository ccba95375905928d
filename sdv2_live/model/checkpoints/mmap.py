"""Pages of memory-mapped tensors: read ahead of their use, or given back after it."""

from __future__ import annotations

import ctypes
import mmap
import sys

import torch
from torch import Tensor

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def touch(tensor: Tensor) -> None:
    """Read one byte of every page, so that the disk is waited for now and not at the tensor's first use."""
    if tensor.numel():
        tensor.flatten().view(torch.uint8)[:: mmap.PAGESIZE].max()


def release(tensor: Tensor) -> None:
    """Give the pages of a mapped tensor back; they are read from the file again when they are used again.

    Only for tensors that are views of a mapped file: the contents of other memory would be lost. Elsewhere than on Linux
    the system takes such pages back by itself, when it needs them.
    """
    begin = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE  # pages that it has for itself: inward from both ends
    length = (tensor.data_ptr() + tensor.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE - begin
    if sys.platform == "linux" and _libc is not None and tensor.is_contiguous() and length > 0:
        _libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(length), mmap.MADV_DONTNEED)
