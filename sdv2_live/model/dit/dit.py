"""The causal diffusion transformer (Wan2.1 trained with Self-Forcing, as StreamDiffusionV2 uses it).

Its layers are in `layers`; the legend is the same: B levels or samples, F latent frames of the call, L tokens of a latent
frame, D model width, H heads, d head width. Modules hold weights only: what survives a call lives in the KVCache and the
CrossKV that are passed in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.model.dit.attention import Attend
from sdv2_live.model.dit.backend import find_ops
from sdv2_live.model.dit.cache_spec import TIME_ROWS, CacheSpec
from sdv2_live.model.dit.kv_cache import CachePlan, KVCache
from sdv2_live.model.dit.layers import PATCH, Attention, Block, Call, CrossKV, Head, Residual, Times
from sdv2_live.model.dit.ops import Ops
from sdv2_live.model.dit.packed import pack
from sdv2_live.model.dit.rope import RopeTable
from sdv2_live.model.sizes import DitConfig

TEXT_TOKENS = 512


def timestep_features(t_BF: Tensor, width: int) -> Tensor:
    """Sinusoid of the timestep in float64, cosines then sines: (B, F, width)."""
    half = width // 2
    frequency = 10000.0 ** (-torch.arange(half, dtype=torch.float64, device=t_BF.device) / half)
    angle = t_BF.double()[..., None] * frequency
    return torch.cat((angle.cos(), angle.sin()), dim=-1)


def check_starts(starts: Sequence[int], frames: int) -> None:
    """Raise ValueError when a call lies beyond the position table: a GPU would read past its end."""
    if max(starts) + frames > TIME_ROWS:
        raise ValueError(f"start frame {max(starts)} lies beyond the position table of {TIME_ROWS} rows")


def in_part(blocks: range, key: str) -> bool:
    """True for the key of a parameter, of the whole model, that a part with these blocks has."""
    group, _, rest = key.partition(".")
    return group != "blocks" or int(rest.partition(".")[0]) in blocks


class CausalDiT(nn.Module):
    """The whole transformer: one call maps noisy latents at given timesteps to the flow."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        self.config = config
        self.attend = Attend("sdpa")
        self.patch_embedding = nn.Conv3d(config.channels, config.dim, (1, PATCH, PATCH), (1, PATCH, PATCH))
        gelu = nn.GELU(approximate="tanh")
        self.text_embedding = nn.Sequential(nn.Linear(config.text_dim, config.dim), gelu, nn.Linear(config.dim, config.dim))
        self.time_embedding = nn.Sequential(nn.Linear(config.freq_dim, config.dim), nn.SiLU(), nn.Linear(config.dim, config.dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(config.dim, 6 * config.dim))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.head = Head(config)
        self.first = 0  # the number of the first block that is here

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the weights."""
        return self.patch_embedding.weight.dtype

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.patch_embedding.weight.device

    @property
    def last(self) -> int:
        """The number behind that of the last block that is here."""
        return self.first + len(self.blocks)

    def holds(self, key: str) -> bool:
        """True for the key of a parameter, of the whole model, that is here."""
        return in_part(range(self.first, self.last), key)

    def keep(self, blocks: range) -> None:
        """Let go of all blocks but these, which may be none: other processes run them. What is no block stays."""
        kept = nn.ModuleList()
        for number, block in enumerate(self.blocks, self.first):
            if number in blocks:
                kept.add_module(str(number), block)  # by its number in the whole model, as in the file
        self.blocks, self.first = kept, blocks.start

    def new_cache(self, spec: CacheSpec, latent_hw: tuple[int, int], levels: int = 1, *, by_place: bool = False) -> KVCache:
        """An empty cache for latents of h x w. by_place: the time of a key is its place (relative positions)."""
        config = self.config
        tokens = (latent_hw[0] // PATCH) * (latent_hw[1] // PATCH)
        return KVCache(
            spec,
            layers=len(self.blocks),
            levels=levels,
            tokens=tokens,
            heads=config.heads,
            head_dim=config.head_dim,
            dtype=self.dtype,
            device=self.device,
            times=self.rope().time if by_place else None,
        )

    def pack(self) -> None:
        """Join the memory of layers that have one input, once the weights are in place: see `packed`."""
        for block in self.blocks:
            attention: Attention = block.self_attn  # type: ignore[assignment]
            pack((attention.q, attention.k, attention.v))

    def condition(self, context_1ND: Tensor) -> CrossKV:
        """Cross-attention keys and values of a prompt embedding (1, n <= 512, text_dim), padded with zero rows to 512.

        On a CPU the zero rows are one; on a GPU attention without a bias has the faster kernels, and they stay.
        """
        missing = TEXT_TOKENS - context_1ND.shape[1]
        rows, bias = missing, None
        if self.device.type == "cpu" and missing > 1:
            rows, bias = 1, torch.zeros(1, 1, 1, context_1ND.shape[1] + 1, dtype=self.dtype)
            bias[..., -1] = math.log(missing)
        text = self.text_embedding(F.pad(context_1ND.to(self.device, self.dtype), (0, 0, 0, rows)))
        attentions: list[Attention] = [block.cross_attn for block in self.blocks]  # type: ignore[misc]
        pairs = [attention.key_value(text) for attention in attentions]
        k, v = (torch.stack([pair[i] for pair in pairs]) for i in (0, 1))
        return CrossKV(k, v, bias)

    def rope(self) -> RopeTable:
        """Rotation table on the weights' device; made once by whoever owns the stream."""
        return RopeTable(self.config.head_dim, self.device)

    def forward(
        self, x_BFCHW: Tensor, t_BF: Tensor, starts: Sequence[int], *, cross: CrossKV, cache: KVCache, rope: RopeTable
    ) -> Tensor:
        """Flow (B, F, 16, h, w) of noisy latents (B, F, 16, h, w) at timesteps t (B, F) in 0..1000.

        starts: temporal position of each level's first frame. The cache is written. Raises EngineError when the call does
        not fit the cache, ValueError when it lies beyond the position table.
        """
        frames, rows, columns = x_BFCHW.shape[1], x_BFCHW.shape[3] // PATCH, x_BFCHW.shape[4] // PATCH
        if cache.by_place:
            rotations = rope.timeless(frames, rows, columns)
        else:
            check_starts(starts, frames)
            starts_B = torch.cat([torch.full((1,), start, device=t_BF.device) for start in starts])
            rotations = rope.rotations(starts_B, frames, rows, columns)
        plan = cache.plan(starts, frames)
        return self.flow(x_BFCHW, self.times(t_BF), self.call(rotations, cache, plan, cross))

    def times(self, t_BF: Tensor) -> Times:
        """The modulation that timesteps (B, F) in 0..1000 give every layer."""
        e = self.time_embedding(timestep_features(t_BF, self.config.freq_dim).to(self.dtype))
        modulations = torch.stack([block.modulation for block in self.blocks])[:, None]  # type: ignore[misc]  # (layers, 1, 1, 6, D)
        vectors = modulations.float() + self.time_projection(e).unflatten(-1, (6, -1)).float()
        vectors[..., 1::3, :] += 1  # the scales
        return Times(e, vectors)

    @property
    def ops(self) -> Ops:
        """The operations that its blocks compute with."""
        return find_ops(self.device, self.config.heads, self.config.head_dim)

    def call(self, rotations: Tensor, cache: KVCache, plan: CachePlan, cross: CrossKV, memory: Tensor | None = None) -> Call:
        """The values that the blocks of one call share."""
        return Call(rotations, cache, plan, cross, self.ops, self.attend, memory=memory)

    def flow(self, x_BFCHW: Tensor, times: Times, call: Call) -> Tensor:
        """The device's part of `forward`: it reads and writes device memory alone."""
        return self.part(x_BFCHW, times, call, (x_BFCHW.shape[3], x_BFCHW.shape[4]))

    def remember(self, x_BFCHW: Tensor, times: Times, call: Call) -> None:
        """Do of `flow` what stays in the cache, which is all up to the last layer's keys and values."""
        self.flow(x_BFCHW, times, replace(call, unread=True))

    def part(self, x: Tensor, times: Times, call: Call, latent_hw: tuple[int, int]) -> Tensor:
        """What the blocks that are here do in a call.

        Args:
            x: noisy latents (B, F, 16, h, w) where the first block is here, else what the block before these has given.
            times: the call's modulation of these blocks.
            call: what the blocks share.
            latent_hw: h and w.

        Returns:
            The flow (B, F, 16, h, w) where the last block is here, else (B, F, L, D) for the block after these. Without meaning
            where the last block is here and the call is unread.
        """
        call.cache.begin(call.plan)
        residual = Residual(self._patchify(x) if self.first == 0 else x)
        for layer, block in enumerate(self.blocks):
            if call.unread and self.first + layer + 1 == self.config.layers:
                block.remember(residual, times.vectors[layer], layer, call)  # type: ignore[operator]
                return x
            residual = block(residual, times.vectors[layer], layer, call)
        if self.last < self.config.layers:
            return residual.sum()
        _, h = residual.norm(call.ops, *self.head.vectors(times.e))
        return self._unpatchify(self.head.head(h), latent_hw[0] // PATCH, latent_hw[1] // PATCH)

    def _patchify(self, x_BFCHW: Tensor) -> Tensor:
        """(B, F, C, h, w) -> (B, F, L, D). The convolution does not overlap, so it is a linear map of patches."""
        patches = x_BFCHW.unflatten(-1, (-1, PATCH)).unflatten(-3, (-1, PATCH))  # (B, F, C, rows, 2, columns, 2)
        patches = patches.permute(0, 1, 3, 5, 2, 4, 6).flatten(4).flatten(2, 3)
        return F.linear(patches.to(self.dtype), self.patch_embedding.weight.flatten(1), self.patch_embedding.bias)

    def _unpatchify(self, x_BFLP: Tensor, rows: int, columns: int) -> Tensor:
        """(B, F, L, 2*2*C) with the channel innermost -> (B, F, C, h, w)."""
        x: Tensor = x_BFLP.unflatten(-1, (PATCH, PATCH, -1)).unflatten(2, (rows, columns))
        return x.permute(0, 1, 6, 2, 4, 3, 5).flatten(5, 6).flatten(3, 4)
