"""Linear layers in 8 bits (float8_e4m3fn), each row of weights and of activations with a scale of its own.

A row's scale puts its largest number at the format's largest. Weights are rounded once; activations by what makes them, such as a
norm or GELU, else in a pass of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

E4M3 = torch.float8_e4m3fn
LARGEST = 448.0  # of float8_e4m3fn
TINIEST = 1e-12  # the least that counts as a row's largest number: zeros stay zeros


class Rows8(NamedTuple):
    """Rounded rows: codes (..., K) in float8_e4m3fn, and scales (..., 1) in float32 that they are multiplied with."""

    codes: Tensor
    scales: Tensor

    def flat(self) -> Rows8:
        """With one row below the other: (M, K) and (M, 1)."""
        return Rows8(self.codes.flatten(0, -2), self.scales.flatten(0, -2))

    def joined(self) -> Rows8:
        """Frames and tokens (B, F, L, D) as one axis: (B, S, D)."""
        return Rows8(self.codes.flatten(1, 2), self.scales.flatten(1, 2))

    def wide(self) -> Tensor:
        """The numbers that the codes stand for, float32."""
        return self.codes.float() * self.scales


Rows = Tensor | Rows8


def joined(x: Rows) -> Rows:
    """Frames and tokens (B, F, L, D) as one axis."""
    return x.joined() if isinstance(x, Rows8) else x.flatten(1, 2)


def rounded(x: Tensor) -> Rows8:
    """Round rows: what the kernels of `triton_ops` do, in PyTorch's own operations."""
    wide = x.float()
    scales = wide.abs().amax(-1, keepdim=True).clamp_min(TINIEST) / LARGEST
    return Rows8((wide * scales.reciprocal()).to(E4M3), scales)


def product(x: Rows8, weight: Rows8, bias: Tensor) -> Tensor:
    """x (..., K) times weight (N, K) plus bias (N,), in the bias's dtype. A CPU computes it in float32 of the same numbers."""
    if not x.codes.is_cuda:
        return nn.functional.linear(x.wide(), weight.wide(), bias.float()).to(bias.dtype)
    codes, scales = x.flat()
    y = torch._scaled_mm(codes, weight.codes.t(), scales, weight.scales.t(), bias, out_dtype=bias.dtype, use_fast_accum=True)
    return y.view(*x.codes.shape[:-1], -1)


class Linear8(nn.Module):
    """A linear layer whose weight is rounded. in_features, out_features, weight and bias are as nn.Linear has them."""

    def __init__(self, linear: nn.Linear, round_rows: Callable[[Tensor], Rows8] = rounded) -> None:
        """round_rows: rounds an input that comes in 16 bits."""
        super().__init__()
        assert linear.bias is not None
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.scale = (nn.Parameter(part, requires_grad=False) for part in rounded(linear.weight.detach()))
        self.bias = nn.Parameter(linear.bias.detach(), requires_grad=False)
        self._round = round_rows

    def forward(self, x: Rows) -> Tensor:
        return product(self.rows(x), Rows8(self.weight, self.scale), self.bias)

    def rows(self, x: Rows) -> Rows8:
        """The input, rounded if it is not yet."""
        return x if isinstance(x, Rows8) else self._round(x)


def takes_rows8(*layers: nn.Module) -> bool:
    """True when rounded rows are all that these layers need: none adds something of its own, computed in 16 bits."""
    return all(type(layer) is Linear8 for layer in layers)
