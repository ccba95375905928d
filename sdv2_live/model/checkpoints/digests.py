"""Digests of a checkpoint's tensors, by which machines tell that their files differ, without reading them whole.

Of each tensor its shape, a few neighbouring elements out of every half million, and its last ones are looked at, as they are in
the model's precision, so that one model in files of other layouts and precisions is the same. So it is noticed when another
training step, another version or a LoRA has changed a tensor, and when a megabyte of it is damaged (two of a float32 file),
wherever that lies, such as the end of a copy that stopped. A damaged spot that is smaller may lie between those places: only a
checksum of the whole file, as `sdv2-live weights check` makes it, is sure to find that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

EVERY = 1 << 19  # elements from one place to the next
RUN = 16  # elements at each


def digests(tensors: Mapping[str, Tensor], scales: Mapping[int, Tensor], dtype: torch.dtype) -> dict[str, str]:
    """A digest of each tensor, 16 hexadecimal digits, by its name.

    Args:
        tensors: of the file; of mapped ones only the pages that are looked at are read.
        scales: of 8-bit ones, by their ids.
        dtype: the model's.
    """
    return {name: _digest(value, scales.get(id(value)), dtype) for name, value in tensors.items()}


def _digest(value: Tensor, scale: Tensor | None, dtype: torch.dtype) -> str:
    flat = value.detach().flatten()
    last = max(flat.numel() - RUN, 0)
    starts = torch.cat([torch.arange(0, last + 1, EVERY), torch.tensor([last])])
    places = (starts[:, None] + torch.arange(min(RUN, flat.numel()))).flatten()
    eight = flat.dtype.itemsize == 1  # codes, which mean what their scale makes of them
    taken = flat.view(torch.uint8)[places] if eight else flat[places].to(dtype)
    digest = hashlib.sha256(f"{tuple(value.shape)} {value.dtype if eight else dtype}".encode())
    for part in (taken, *(() if scale is None else (scale.float(),))):
        digest.update(part.contiguous().view(torch.uint8).numpy().tobytes() if part.ndim else part.numpy().tobytes())
    return digest.hexdigest()[:16]
