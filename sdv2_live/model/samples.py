"""Samples of weights: enough to tell other weights apart, without reading gigabytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

SAMPLES = 64  # elements of each tensor that are read; training changes them all


@torch.no_grad()  # quantised tensors cannot be taken apart in inference mode
def samples(model: nn.Module) -> dict[str, bytes]:
    """Every tensor's name, shape and type and evenly spaced elements of it, by its name."""
    found: dict[str, bytes] = {}
    for name, value in model.state_dict().items():
        for part, tensor in _parts(value):
            flat = tensor.detach().flatten()
            sampled = flat[:: max(flat.numel() // SAMPLES, 1)]
            kind = f"{name}{part} {tuple(tensor.shape)} {tensor.dtype}\n".encode()
            found[f"{name}{part}"] = kind + sampled.contiguous().view(torch.uint8).cpu().numpy().tobytes()
    return found


def hashed(sampled: Iterable[bytes]) -> str:
    """A hash of samples, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for each in sampled:
        digest.update(each)
    return digest.hexdigest()[:16]


def _parts(tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The tensor itself, or those that a quantised one is made of (its codes and their scales)."""
    if type(tensor) in (Tensor, nn.Parameter):
        yield "", tensor
        return
    for name in tensor.__tensor_flatten__()[0]:  # type: ignore[attr-defined]
        yield f".{name}", getattr(tensor, name)
