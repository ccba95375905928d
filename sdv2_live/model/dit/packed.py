"""Several linear layers of one input as one matrix product.

The layers stay what they are, with their own names and parameters; only their memory is joined: each weight is a view of one
storage, so that a single product over all of it does for all of them. Copying into them, as loading does and LoRAs that are
merged, keeps this; where a weight was replaced (moved to another device), the layers run one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.model.dit.eight import Linear8, Rows, Rows8, product

Plain = nn.Linear | Linear8


@runtime_checkable
class Added(Protocol):
    """A layer that adds something of its own to the output of the layer `base`."""

    base: nn.Module

    def add_(self, y: Tensor, x: Tensor) -> None:
        """Add its share for the input x to y (..., out), which may be a part of a wider tensor."""


def base_of(layer: nn.Module) -> nn.Module:
    """The layer that holds the weight."""
    return layer.base if isinstance(layer, Added) else layer


@torch.no_grad()
def pack(layers: Sequence[nn.Module]) -> None:
    """Join the memory of linear layers with equal inputs; one copy of theirs at a time is made and the old one freed.

    Layers of different kinds, or without memory (meta), stay apart.
    """
    linears = _linears(layers)
    if not linears or joined(linears) is not None:
        return
    for name in _parts(linears[0]):
        whole = torch.cat([getattr(linear, name) for linear in linears])
        for linear, part in zip(linears, whole.split([linear.out_features for linear in linears]), strict=True):
            old = getattr(linear, name)
            setattr(linear, name, nn.Parameter(part, requires_grad=old.requires_grad))


def joined(linears: Sequence[Plain]) -> tuple[Tensor, ...] | None:
    """Weight, bias and, in 8 bits, scale of all layers as one, where their memory is joined."""
    first, names = linears[0], _parts(linears[0])
    rows = sum(linear.out_features for linear in linears)
    for one, other in pairwise(linears):
        for a, b in ((getattr(one, name), getattr(other, name)) for name in names):
            if a.data_ptr() + a.nbytes != b.data_ptr() or a.dtype != b.dtype or not (a.is_contiguous() and b.is_contiguous()):
                return None
    if first.weight.untyped_storage().data_ptr() != linears[-1].weight.untyped_storage().data_ptr():
        return None  # neighbours by chance
    wholes = (getattr(first, name) for name in names)
    return tuple(whole.as_strided((rows, *whole.shape[1:]), whole.stride()) for whole in wholes)


def packed_linear(layers: Sequence[nn.Module], x: Rows) -> Tensor:
    """The layers' outputs, side by side along the last axis."""
    linears = _linears(layers)
    whole = joined(linears) if linears else None
    if whole is None:
        return torch.cat([layer(x) for layer in layers], dim=-1)
    y = _product(linears[0], whole, x)
    for layer, part in zip(layers, y.split([linear.out_features for linear in linears], dim=-1), strict=True):
        if isinstance(layer, Added):
            assert isinstance(x, Tensor)  # see `eight.takes_rows8`
            layer.add_(part, x)
    return y


def _product(first: Plain, whole: tuple[Tensor, ...], x: Rows) -> Tensor:
    if isinstance(first, Linear8):
        weight, bias, scale = whole
        return product(first.rows(x), Rows8(weight, scale), bias)
    assert isinstance(x, Tensor)
    return F.linear(x, *whole)


def _parts(linear: Plain) -> tuple[str, ...]:
    return ("weight", "bias", "scale") if isinstance(linear, Linear8) else ("weight", "bias")


def _linears(layers: Sequence[nn.Module]) -> Sequence[Plain]:
    """The layers' bases, if all are linear layers of one kind, with a bias, and weights that are not on meta."""
    bases = [base_of(layer) for layer in layers]
    for kind in (nn.Linear, Linear8):
        linears: list[Any] = [base for base in bases if type(base) is kind and base.bias is not None]
        plain = all(type(linear.weight) is nn.Parameter and not linear.weight.is_meta for linear in linears)
        if plain and len(linears) == len(layers):
            return linears
    return []
