"""GPU work that the picture must not wait for, such as encoding a prompt: on a CUDA stream of its own, of the lowest priority.

On the common stream its copies and layers would queue up between those of a chunk. Whatever the frame path launches goes before
it, as that path's streams have higher priority (gpu/lanes.py), and its result comes back through RAM: the thread that asked for
it waits, asleep, and the frame path takes it up like any other input, by a copy that is only launched (engine/transfer.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

LOWEST = 0  # of a CUDA stream's priorities, whose higher ones are negative


class Aside:
    """Runs the work directly, for machines without a GPU. For one thread."""

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Run the work launched while entered aside, in turn."""
        yield

    def fetch(self, tensor: Tensor) -> Tensor:
        """A result of that work, copied to RAM; waits for it."""
        return tensor.cpu()


class CudaAside(Aside):
    """A CUDA stream. Tensors that are made in `stream` must be used in it alone; `fetch` is the way out."""

    def __init__(self, device: torch.device, cuda: Any = torch.cuda) -> None:
        """cuda: torch.cuda, or what stands in for it in tests."""
        self._cuda = cuda
        self._stream = cuda.Stream(device, priority=LOWEST)

    @contextmanager
    def stream(self) -> Iterator[None]:
        with self._cuda.stream(self._stream):
            yield

    def fetch(self, tensor: Tensor) -> Tensor:
        with self.stream():
            staged = self._page_locked(tensor)
            staged.copy_(tensor, non_blocking=True)
            done = self._cuda.Event(blocking=True)
            done.record(self._stream)
        done.synchronize()  # sleeps: a spinning wait, as in Tensor.cpu, would take a core from the video threads
        return staged.clone()  # page-locked memory is not for keeping

    def _page_locked(self, like: Tensor) -> Tensor:
        return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)


def new_aside(device: torch.device) -> Aside:
    """The place for low-priority work on a device."""
    return CudaAside(device) if device.type == "cuda" else Aside()
