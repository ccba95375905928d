"""The rolling key/value cache of the causal DiT: sinks that stay, a ring that turns, and sinks that adapt.

A slot holds the keys (already rotated) and values of one latent frame. Every layer and every denoising level has its own
slots. Which slot a frame takes is kept in device tensors, because adaptive sinks choose it from data, layer by layer, and no
layer may wait for the host. What the host needs (how many slots are filled, whether a call repeats the last frame) follows
from the start frames alone and is kept as plain ints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sdv2_live.errors import EngineError
from sdv2_live.model.cachespec import CacheSpec


@dataclass(frozen=True, slots=True)
class CachePlan:
    """What one call does to the cache, the same for every layer. Made once a call, on the host.

    filled: slots holding a frame after the call's write, per level. adapt: levels (bool, (B,)) whose new frame may take
    a sink's slot instead of the ring's; None when no level can, so that layers skip the test.
    """

    filled: tuple[int, ...]
    adapt: Tensor | None


class KVCache:
    """Keys and values of all layers and levels, allocated once: (layers, B, slots, L, heads, head_dim)."""

    def __init__(
        self,
        spec: CacheSpec,
        *,
        layers: int,
        levels: int,
        tokens: int,
        heads: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.spec = spec
        shape = (layers, levels, spec.kv_frames, tokens, heads, head_dim)
        self.k = torch.zeros(shape, dtype=dtype, device=device)
        self.v = torch.zeros(shape, dtype=dtype, device=device)
        self.levels = levels
        self._rows = torch.arange(levels, device=device)[:, None]
        self._ring = torch.zeros(layers, levels, dtype=torch.long, device=device)  # ring offset that is written next
        self._written = torch.zeros(layers, levels, spec.kv_frames, dtype=torch.long, device=device)
        self._frames = 1  # frames of the last call: so many columns of _written hold the slots it wrote
        self._sink_ids = torch.arange(spec.sink_frames, device=device)
        if spec.adaptive:  # token means of what each sink holds, so that the test reads vectors instead of whole frames
            means = (layers, levels, spec.sink_frames, heads * head_dim)
            self._sink_k = torch.zeros(means, dtype=torch.float32, device=device)
            self._sink_v = torch.zeros(means, dtype=torch.float32, device=device)
        self.filled = [0] * levels
        self._last: list[tuple[int, int] | None] = [None] * levels  # (start frame, frames) of each level's last call

    @property
    def _slots(self) -> Tensor:
        """Slots of the last call, (layers, B, F)."""
        return self._written[..., : self._frames]

    def reset_(self) -> None:
        """Forget everything, in place: a reset cache equals a fresh one and keeps its addresses."""
        for tensor in (self.k, self.v, self._ring, self._written):
            tensor.zero_()
        self._frames = 1
        if self.spec.adaptive:
            self._sink_k.zero_()
            self._sink_v.zero_()
        self.filled = [0] * self.levels
        self._last = [None] * self.levels

    def copy_level_(self, source: KVCache) -> None:
        """Take over a one-level cache into every level of this one (stream_batch's preparation)."""
        self.k.copy_(source.k.expand_as(self.k))
        self.v.copy_(source.v.expand_as(self.v))
        self._ring.copy_(source._ring.expand_as(self._ring))
        self._written.copy_(source._written.expand_as(self._written))
        self._frames = source._frames
        if self.spec.adaptive:
            self._sink_k.copy_(source._sink_k.expand_as(self._sink_k))
            self._sink_v.copy_(source._sink_v.expand_as(self._sink_v))
        self.filled = source.filled * self.levels
        self._last = source._last * self.levels

    def last_slots(self, layer: int, level: int) -> list[int]:
        """Slots the last call wrote, for tests and debugging (waits for the device)."""
        slots: list[int] = self._slots[layer, level].tolist()
        return slots

    def plan(self, starts: Sequence[int], frames: int) -> CachePlan:
        """Choose the slots of a call whose level b begins at frame starts[b] and brings `frames` new frames.

        A level whose start frame repeats rewrites its slots; else frames fill empty slots in order, then turn the ring.
        """
        if len(starts) != self.levels:
            raise EngineError(f"a cache of {self.levels} levels was called with {len(starts)} start frames")
        spec = self.spec
        self._frames = frames
        may_adapt = [False] * self.levels
        for level, start in enumerate(starts):
            if self._last[level] == (start, frames):
                continue
            self._last[level] = (start, frames)
            may_adapt[level] = spec.adaptive and frames == 1 and self.filled[level] == spec.kv_frames
            self._advance(level, frames)
        adapt = torch.tensor(may_adapt, device=self._ring.device) if any(may_adapt) else None
        return CachePlan(tuple(self.filled), adapt)

    def _advance(self, level: int, frames: int) -> None:
        spec = self.spec
        ring_length = spec.kv_frames - spec.sink_frames
        fresh = min(frames, spec.kv_frames - self.filled[level])
        if frames - fresh > ring_length:
            raise EngineError(f"{frames} new frames do not fit the {ring_length} slots of the ring: raise kv_frames")
        for f in range(fresh):
            self._slots[:, level, f] = self.filled[level] + f
        self.filled[level] += fresh
        for f in range(fresh, frames):
            self._slots[:, level, f] = spec.sink_frames + self._ring[:, level]
            self._ring[:, level] = (self._ring[:, level] + 1) % ring_length

    def write(self, layer: int, plan: CachePlan, k_BSHd: Tensor, v_BSHd: Tensor) -> None:
        """Store a call's keys (rotated) and values, (B, F*L, heads, head_dim), in the planned slots of one layer."""
        if self.spec.adaptive:
            self._adapt(layer, plan, k_BSHd, v_BSHd)
        slots = self._slots[layer]
        self.k[layer][self._rows, slots] = k_BSHd.unflatten(1, (self._frames, -1)).type_as(self.k)
        self.v[layer][self._rows, slots] = v_BSHd.unflatten(1, (self._frames, -1)).type_as(self.v)

    def _adapt(self, layer: int, plan: CachePlan, k_BSHd: Tensor, v_BSHd: Tensor) -> None:
        """Let a new frame take the sink it resembles least, and keep the sinks' token means current. No host reads."""
        spec, slots = self.spec, self._slots[layer]
        k_mean = k_BSHd.float().unflatten(1, (self._frames, -1)).mean(2).flatten(2)  # (B, F, dim)
        v_mean = v_BSHd.float().unflatten(1, (self._frames, -1)).mean(2).flatten(2)
        if plan.adapt is not None:
            similarity = 0.5 * (
                F.cosine_similarity(k_mean, self._sink_k[layer], dim=-1)
                + F.cosine_similarity(v_mean, self._sink_v[layer], dim=-1)
            )
            smallest, sink = similarity.min(dim=-1)
            replace = plan.adapt & (smallest < spec.adapt_sink_threshold)
            slots[:, 0] = torch.where(replace, sink, slots[:, 0])
            # The ring stays as it was when a sink took the frame: undo the step that the plan made.
            ring_length = spec.kv_frames - spec.sink_frames
            self._ring[layer] = (self._ring[layer] - replace.long()) % ring_length
        written = (slots[..., None] == self._sink_ids).float()  # (B, F, sinks)
        kept = 1.0 - written.sum(1)[..., None]
        self._sink_k[layer] = kept * self._sink_k[layer] + written.transpose(1, 2) @ k_mean
        self._sink_v[layer] = kept * self._sink_v[layer] + written.transpose(1, 2) @ v_mean

    def filled_keys_values(self, layer: int, levels: slice, filled: int) -> tuple[Tensor, Tensor]:
        """Views (B, heads, filled*L, head_dim) of the filled slots of some levels, ready for attention."""
        k, v = self.k[layer, levels, :filled], self.v[layer, levels, :filled]
        return k.flatten(1, 2).transpose(1, 2), v.flatten(1, 2).transpose(1, 2)
