"""Layers that keep their weights as their file has them, in 8 or 16 bits, and widen them at each use.

A text encoder runs for a moment at each new prompt: its memory matters more than its speed. fp8 files hold float8_e4m3fn
matrices, some with one scale each (weight = stored * scale).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Stored(nn.Module):
    """A matrix in its file's precision. dtype: the precision it is used in. scale: a factor, or None."""

    weight: None = None  # transformers adapts activations to the dtype of some layers' weights: here there is none to adapt to

    def __init__(self, stored: Tensor, scale: Tensor | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        # Buffers, as the model's dtype is asked of its parameters.
        self.register_buffer("stored", stored, persistent=False)
        self.register_buffer("scale", scale, persistent=False)

    stored: Tensor
    scale: Tensor | None

    def widened(self, part: Tensor) -> Tensor:
        """A part of the matrix in the precision it is used in."""
        wide = part.to(self.dtype)
        return wide if self.scale is None else wide * self.scale.to(self.dtype)


class StoredLinear(Stored):
    """nn.Linear without a bias."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.widened(self.stored))


class StoredEmbedding(Stored):
    """nn.Embedding: only the rows asked for are widened."""

    def forward(self, ids: Tensor) -> Tensor:
        return self.widened(self.stored[ids])


def stored_kind(layer: nn.Module) -> type[StoredLinear | StoredEmbedding] | None:
    """The class that can replace a layer; None for layers without such a form."""
    if isinstance(layer, nn.Linear) and layer.bias is None:
        return StoredLinear
    return StoredEmbedding if isinstance(layer, nn.Embedding) and layer.max_norm is None else None
