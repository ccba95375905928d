"""Bytes across the bus: through page-locked memory, so that the copies run by DMA and nobody waits for the way up.

The page-locked memory is PyTorch's caching host allocator's. It gives a buffer out again only when its owner is gone and the
copies that used it are done (it keeps an event for each), so it is the ring of staging buffers that is needed here: it
grows during the first chunks to as many buffers as are in flight or held by a sink, and nothing is allocated after that.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch

# Frames are never written to, so a tensor over a read-only array is safe here.
warnings.filterwarnings("ignore", message="The given NumPy array is not writable")


def upload(rows: np.ndarray, device: torch.device) -> torch.Tensor:
    """Rows of numbers, such as a frame's bytes, on `device`; without gaps between them on a CUDA device.

    The copy is queued on the current stream and `rows` may change as soon as this returns (on the CPU the tensor may
    share its memory).
    """
    if min(rows.strides) < 0:  # a flipped view, which a tensor cannot be
        rows = np.ascontiguousarray(rows)
    source = torch.from_numpy(rows)
    if device.type != "cuda":
        return source.to(device)
    staging = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
    return staging.copy_(source).to(device, non_blocking=True)


def download(pictures: torch.Tensor) -> list[np.ndarray]:
    """uint8 pictures (T, height, bytes) as contiguous host arrays (height, bytes), when all that made them is done.

    From a CUDA device each has page-locked memory of its own, which goes back to the allocator with the last view of it: a
    sink may keep a picture for as long as it likes, and keeps no other with it.
    """
    return begin_download(pictures)()


def begin_download(pictures: torch.Tensor) -> Callable[[], list[np.ndarray]]:
    """Queue the copies of `download` on the current stream. Returns what waits for them and gives the arrays."""
    if not pictures.is_cuda:
        arrays = list(pictures.cpu().numpy())
        return lambda: arrays
    hosts = [torch.empty(picture.shape, dtype=torch.uint8, pin_memory=True) for picture in pictures]
    for host, picture in zip(hosts, pictures, strict=True):
        host.copy_(picture, non_blocking=True)
    with torch.cuda.device(pictures.device):
        done = torch.cuda.Event(blocking=True)  # sleep: a spinning wait for the GPU would take a core from the video threads
        done.record()

    def wait() -> list[np.ndarray]:
        done.synchronize()
        return [host.numpy() for host in hosts]

    return wait
