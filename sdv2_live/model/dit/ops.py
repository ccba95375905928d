"""The DiT's computations between its matrix products, as a few fused operations.

These PyTorch versions define the operations and run on a CPU. `triton_ops` has the same as kernels for NVIDIA GPUs, where
each reads and writes its tensors once. Legend: B levels, F latent frames, L tokens of a frame, S = F*L, D model width,
H heads, d head width.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.model.dit.eight import Rows, Rows8, rounded
from sdv2_live.model.dit.kv_cache import CachePlan, KVCache
from sdv2_live.model.dit.rope import rotate

EPS = 1e-6
GELU_LINEAR = 2 * math.sqrt(2 / math.pi)
GELU_CUBIC = GELU_LINEAR * 0.044715


class Ops(Protocol):
    """The fused operations on one kind of device."""

    name: str

    def add_norm(
        self,
        x_BFLD: Tensor,
        branch_BSD: Tensor | None,
        gate_BFD: Tensor | None,
        weight_BFD: Tensor,
        bias_BFD: Tensor,
        *,
        eight: bool = False,
    ) -> tuple[Tensor, Rows]:
        """x' = x + branch * gate, and layer norm of x' times weight plus bias. No branch: x' is x; no gate: it is 1.

        The sums and the norm are in float32; both results have x's dtype. x may be overwritten.
        eight: give the norm as rows in 8 bits, rounded from float32.
        """

    def rms_norm(self, x_BSD: Tensor, weight_D: Tensor) -> Tensor:
        """Root-mean-square norm over the full width in float32, times weight; in x's dtype."""

    def linear_gelu(self, layer: nn.Module, x: Rows, *, eight: bool = False) -> Rows:
        """GELU, in its tanh form, of a linear layer's output. eight: as rows in 8 bits."""

    def rows8(self, x: Tensor) -> Rows8:
        """Rows in 8 bits: see `eight.rounded`."""

    def remember(
        self, qkv_BSE: Tensor, norms: tuple[Tensor, Tensor], rotations_BSp: Tensor, kv: KVCache, layer: int, plan: CachePlan
    ) -> Tensor:
        """Split a call's queries, keys and values, normalise and rotate, and store keys and values in the cache of a layer.

        Args:
            qkv_BSE: E = 3*D; may be overwritten.
            norms: weights of the norms of queries and keys.
            rotations_BSp: rotations of queries and keys.
            kv: the cache.
            layer: index of the layer.
            plan: the call's plan.

        Returns:
            The queries (B, S, H, d).
        """


def added(x_BFLD: Tensor, branch_BSD: Tensor, gate_BFD: Tensor | None) -> Tensor:
    """x + branch * gate, summed in float32, in x's dtype; no gate: it is 1."""
    branch = branch_BSD.view_as(x_BFLD)
    if gate_BFD is None:
        return x_BFLD + branch
    return torch.addcmul(x_BFLD.float(), branch.float(), gate_BFD.unsqueeze(2)).type_as(x_BFLD)


class TorchOps:
    """The reference implementation, in PyTorch's own operations."""

    name = "torch"

    def add_norm(
        self,
        x_BFLD: Tensor,
        branch_BSD: Tensor | None,
        gate_BFD: Tensor | None,
        weight_BFD: Tensor,
        bias_BFD: Tensor,
        *,
        eight: bool = False,
    ) -> tuple[Tensor, Rows]:
        x = x_BFLD if branch_BSD is None else added(x_BFLD, branch_BSD, gate_BFD)
        width = x.shape[-1:]
        if weight_BFD.numel() == weight_BFD.shape[-1]:  # one frame: the norm takes its weight and bias with it
            h = F.layer_norm(x.float(), width, weight_BFD.flatten().float(), bias_BFD.flatten().float(), EPS)
        else:
            normed = F.layer_norm(x.float(), width, eps=EPS)
            h = torch.addcmul(bias_BFD.unsqueeze(2).float(), normed, weight_BFD.unsqueeze(2).float())
        return x, rounded(h) if eight else h.type_as(x)

    def rms_norm(self, x_BSD: Tensor, weight_D: Tensor) -> Tensor:
        x = x_BSD.float()
        length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)  # one pass; F.rms_norm makes four of it on a CPU
        root_mean_square = length.square_().div_(x.shape[-1]).add_(EPS).sqrt_()
        return (x / root_mean_square).mul_(weight_D).type_as(x_BSD)

    def linear_gelu(self, layer: nn.Module, x: Rows, *, eight: bool = False) -> Rows:
        y: Tensor = layer(x)
        return rounded(self._gelu(y.float())) if eight else self._gelu(y)

    def rows8(self, x: Tensor) -> Rows8:
        return rounded(x)

    @staticmethod
    def _gelu(x: Tensor) -> Tensor:
        if x.dtype is not torch.float32:
            return F.gelu(x, approximate="tanh")
        inner = (x * x).mul_(GELU_CUBIC).add_(GELU_LINEAR).mul_(x)
        return inner.sigmoid_().mul_(x)  # 1 + tanh(u) = 2 * sigmoid(2u), which a CPU computes several times faster

    def remember(
        self, qkv_BSE: Tensor, norms: tuple[Tensor, Tensor], rotations_BSp: Tensor, kv: KVCache, layer: int, plan: CachePlan
    ) -> Tensor:
        heads = kv.k.shape[-2]
        q, k, v = (part.unflatten(-1, (heads, -1)) for part in qkv_BSE.chunk(3, dim=-1))
        q, k = (
            rotate(self.rms_norm(part.flatten(2), weight).view_as(part), rotations_BSp)
            for part, weight in zip((q, k), norms, strict=True)
        )
        kv.write(layer, plan, k, v)
        return q
