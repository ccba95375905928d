"""The layers of the causal diffusion transformer, and the values they share in one call.

Parameter names are those of the public checkpoints. Legend: B levels or samples, F latent frames of the call, L tokens of a
latent frame, S = F*L, D model width, H heads, d head width. Modules hold weights only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.model.dit.attention import Attend
from sdv2_live.model.dit.eight import Rows, joined, takes_rows8
from sdv2_live.model.dit.kv_cache import CachePlan, KVCache
from sdv2_live.model.dit.ops import EPS, Ops, added
from sdv2_live.model.dit.packed import packed_linear
from sdv2_live.model.dit.past import attend_cache
from sdv2_live.model.sizes import DitConfig

PATCH = 2  # tokens are 1x2x2 patches of the latent


@dataclass(frozen=True, slots=True, weakref_slot=True)
class CrossKV:
    """Cross-attention keys and values of every layer, (layers, 1, N, H, d). They depend on the prompt alone.

    bias: (1, 1, 1, N), added to the scores, or None. With it the last key stands for all the zero rows of the text, which are
    512 less the prompt's and have one key and value: the logarithm of their number, added to its score, weighs it as often.
    """

    k: Tensor
    v: Tensor
    bias: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """The values that a call derives from its timesteps, float32.

    Attributes:
        e: (B, F, D), the embedding.
        vectors: (layers, B, F, 6, D), each block's modulation: shift, 1 + scale, gate, shift, 1 + scale, gate.
    """

    e: Tensor
    vectors: Tensor

    def of(self, i: int, frames: int) -> Times:
        """The part of the i-th of B timesteps, for a call of one level."""
        return self.rows(i, i + 1, frames)

    def rows(self, begin: int, end: int, frames: int) -> Times:
        """The part of some of B timesteps, for a call of as many levels."""
        e, vectors = self.e[begin:end], self.vectors[:, begin:end]
        return Times(e.expand(-1, frames, -1), vectors.expand(-1, -1, frames, -1, -1))


@dataclass(frozen=True, slots=True)
class Call:
    """The values that every block of one call shares.

    Attributes:
        rotations: (B, S, d/2), as RopeTable gives them.
        unread: the keys and values that it leaves in the cache are all that is wanted of it.
        memory: weight of the past in (0, 1), one number on the device (see `past`); None: 1, as trained.
    """

    rotations: Tensor
    cache: KVCache
    plan: CachePlan
    cross: CrossKV
    ops: Ops
    attend: Attend
    unread: bool = False
    memory: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Residual:
    """The residual stream x (B, F, L, D) and a branch (B, S, D) that is not added yet, times its gate (B, F, D; None: 1).

    The next norm adds it: one pass over the stream does for both.
    """

    x: Tensor
    branch: Tensor | None = None
    gate: Tensor | None = None

    def norm(self, ops: Ops, weight_BFD: Tensor, bias_BFD: Tensor, *, eight: bool = False) -> tuple[Tensor, Rows]:
        """The sum, and its layer norm times weight plus bias; eight: as rows in 8 bits."""
        return ops.add_norm(self.x, self.branch, self.gate, weight_BFD, bias_BFD, eight=eight)

    def sum(self) -> Tensor:
        """The stream with its branch added, as the next norm would."""
        return self.x if self.branch is None else added(self.x, self.branch, self.gate)


class RMSNorm(nn.Module):
    """Root-mean-square norm over the full width, computed in float32."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), self.weight.shape, None, EPS).type_as(x) * self.weight


def layer_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    """Layer norm over the last axis in float32, eps 1e-6."""
    weight = None if weight is None else weight.float()
    bias = None if bias is None else bias.float()
    return F.layer_norm(x.float(), x.shape[-1:], weight, bias, EPS).type_as(x)


class Attention(nn.Module):
    """Projections and q/k norms of one attention; self- and cross-attention differ only in the source of their keys."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.q = nn.Linear(config.dim, config.dim)
        self.k = nn.Linear(config.dim, config.dim)
        self.v = nn.Linear(config.dim, config.dim)
        self.o = nn.Linear(config.dim, config.dim)
        self.norm_q = RMSNorm(config.dim)
        self.norm_k = RMSNorm(config.dim)

    def split(self, x_BSD: Tensor) -> Tensor:
        """(B, S, D) -> (B, S, H, d)."""
        x_BSHd: Tensor = x_BSD.unflatten(-1, (self.heads, -1))
        return x_BSHd

    def key_value(self, x_BSD: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised keys, and values, (B, S, H, d) each."""
        return self.split(self.norm_k(self.k(x_BSD))), self.split(self.v(x_BSD))

    def remember(self, x_BSD: Rows, layer: int, call: Call) -> Tensor:
        """Rotated queries (B, S, H, d) of the frames of a call, whose keys and values go into the cache."""
        qkv = packed_linear((self.q, self.k, self.v), x_BSD)
        norms = (self.norm_q.weight, self.norm_k.weight)
        q = call.ops.remember(qkv, norms, call.rotations, call.cache, layer, call.plan)
        return call.cache.queries(q, call.plan.frames)


def self_attention(attn: Attention, x_BSD: Rows, layer: int, call: Call) -> Tensor:
    """Write the call's keys and values into the cache, then attend to every filled slot (no causal mask)."""
    q = attn.remember(x_BSD, layer, call)
    filled = call.plan.filled
    if len(set(filled)) == 1:
        out = attend_cache(q, layer, call, slice(None), filled[0])
    else:  # only while stream_batch's caches are filling: levels differ in length
        levels = [(slice(b, b + 1), n) for b, n in enumerate(filled)]
        out = torch.cat([attend_cache(q[b], layer, call, b, n) for b, n in levels])
    mixed_BSD: Tensor = attn.o(out.flatten(2))
    return mixed_BSD


def cross_attention(attn: Attention, x_BSD: Rows, layer: int, call: Call) -> Tensor:
    """Attend to all 512 text rows, the zero rows included."""
    q = attn.split(call.ops.rms_norm(attn.q(x_BSD), attn.norm_q.weight))
    k, v = (of_layers[layer].expand(q.shape[0], -1, -1, -1) for of_layers in (call.cross.k, call.cross.v))
    mixed_BSD: Tensor = attn.o(call.attend(q, k, v, call.cross.bias).flatten(2))
    return mixed_BSD


class AffineNorm(nn.Module):
    """Layer norm with weight and bias."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.weight, self.bias)

    def vectors(self, like_BFD: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and bias as views of that shape."""
        return self.weight.expand_as(like_BFD), self.bias.expand_as(like_BFD)


class Block(nn.Module):
    """Self-attention, cross-attention and feed-forward with per-frame modulation of the first and the last."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.modulation = nn.Parameter(torch.zeros(1, 6, config.dim))
        self.self_attn = Attention(config)
        self.norm3 = AffineNorm(config.dim)
        self.cross_attn = Attention(config)
        gelu = nn.GELU(approximate="tanh")
        self.ffn = nn.Sequential(nn.Linear(config.dim, config.ffn), gelu, nn.Linear(config.ffn, config.dim))

    def forward(self, residual: Residual, vectors_BF6D: Tensor, layer: int, call: Call) -> Residual:
        shift0, scale0, gate0, shift1, scale1, gate1 = vectors_BF6D.unbind(2)  # each (B, F, D)
        own, text, (widen, _, narrow) = self.self_attn, self.cross_attn, self.ffn
        x, h = residual.norm(call.ops, scale0, shift0, eight=takes_rows8(own.q, own.k, own.v))
        residual = Residual(x, self_attention(own, joined(h), layer, call), gate0)
        x, h = residual.norm(call.ops, *self.norm3.vectors(gate0), eight=takes_rows8(text.q))
        residual = Residual(x, cross_attention(text, joined(h), layer, call))
        x, h = residual.norm(call.ops, scale1, shift1, eight=takes_rows8(widen))
        return Residual(x, narrow(call.ops.linear_gelu(widen, joined(h), eight=takes_rows8(narrow))), gate1)

    def remember(self, residual: Residual, vectors_BF6D: Tensor, layer: int, call: Call) -> None:
        """The part of `forward` that stays in the cache."""
        shift, scale, own = vectors_BF6D[:, :, 0], vectors_BF6D[:, :, 1], self.self_attn
        _, h = residual.norm(call.ops, scale, shift, eight=takes_rows8(own.q, own.k, own.v))
        own.remember(joined(h), layer, call)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x * (1 + scale) + shift."""
    return torch.addcmul(shift, x, 1 + scale)


class Head(nn.Module):
    """Final norm, its own modulation (from the time embedding, not the projection), and the linear to patches."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.modulation = nn.Parameter(torch.zeros(1, 2, config.dim))
        self.head = nn.Linear(config.dim, PATCH * PATCH * config.channels)

    def forward(self, x_BFLD: Tensor, e_BFD: Tensor) -> Tensor:
        shift, scale = (self.modulation + e_BFD[:, :, None]).unsqueeze(-2).unbind(2)
        patches_BFLP: Tensor = self.head(modulate(layer_norm(x_BFLD), shift, scale))
        return patches_BFLP

    def vectors(self, e_BFD: Tensor) -> tuple[Tensor, Tensor]:
        """1 + scale and shift of the norm, (B, F, D) each."""
        shift, scale = (self.modulation + e_BFD[:, :, None]).unbind(2)
        return 1 + scale, shift
