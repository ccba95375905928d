"""The rolling key/value cache of the causal DiT: sinks that stay, a ring that turns, and sinks that adapt.

A slot holds the keys and values of one latent frame. Keys are already rotated; with relative positions for height and width
alone, and for time whenever they are read. Every layer and every denoising level has its own slots. Which slot a frame takes
is kept in device tensors, because adaptive sinks choose it from data, layer by layer, and no layer may wait for the host. What
the host needs (how many slots are filled, whether a call repeats the last frame) follows from the start frames alone and is
kept as plain ints. So a call has two halves: `plan` on the host, once; then `begin` and each layer's `write` on the device,
which depend on the plan and on device memory alone and can be captured in a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sdv2_live.errors import EngineError
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.rope import rotate_time

KEPT = 3  # slots that a flush leaves


@dataclass(frozen=True, slots=True)
class CachePlan:
    """The effect of one call on the cache, the same for every layer. Calls with equal plans do the same on the device.

    Attributes:
        frames: new latent frames of each level.
        before: slots holding a frame before the call, per level.
        filled: slots holding a frame after the call, per level.
        fresh: levels whose frames are new; the others rewrite the slots of their last call.
        adapts: levels whose new frame may take a sink's slot instead of the ring's.
    """

    frames: int
    before: tuple[int, ...]
    filled: tuple[int, ...]
    fresh: tuple[bool, ...]
    adapts: tuple[bool, ...]

    @property
    def steady(self) -> bool:
        """True at levels that were all full before: the plan of every later call of a running stream with as many frames."""
        return self.before == self.filled and len(set(self.filled)) == 1 and len(set(self.fresh)) == 1


@dataclass(frozen=True, slots=True)
class Counts:
    """What a cache has been told, by level: see `KVCache`."""

    filled: tuple[int, ...]
    recent: tuple[int, ...]
    last: tuple[tuple[int, int] | None, ...]


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
        times: Tensor | None = None,
    ) -> None:
        """times: rotations (TIME_ROWS, pairs) of keys by their places, of relative positions; None: keys come rotated."""
        self.spec = spec
        self._times = times
        self._turns: tuple[Tensor, Tensor] | None = None  # of the present call's queries, and of the keys that they see
        shape = (layers, levels, spec.kv_frames, tokens, heads, head_dim)
        self.k = torch.zeros(shape, dtype=dtype, device=device)
        self.v = torch.zeros(shape, dtype=dtype, device=device)
        self.levels = levels
        self.ring = torch.zeros(layers, levels, dtype=torch.long, device=device)  # ring offset that is written next
        self.slots = torch.zeros(layers, levels, spec.kv_frames, dtype=torch.long, device=device)  # of the last call's frames
        self._rows = torch.arange(levels, device=device)[:, None]
        if spec.adaptive:  # token means of what the sinks hold when a new frame comes, float32
            means = (layers, levels, spec.sink_frames, heads, head_dim)
            self.sink_k = torch.zeros(means, device=device)
            self.sink_v = torch.zeros(means, device=device)
            self.may_adapt = torch.zeros(levels, dtype=torch.bool, device=device)
        self.filled = [0] * levels
        self.recent = [0] * levels  # of each level's last latents, how many are in its last places without a gap
        self._last: list[tuple[int, int] | None] = [None] * levels  # (start frame, frames) of each level's last call

    def reset_(self) -> None:
        """Forget everything, in place: a reset cache equals a fresh one and keeps its addresses."""
        for tensor in (self.k, self.v, self.slots):
            tensor.zero_()
        self.empty_()

    def empty_(self) -> None:
        """Forget what the slots hold, and leave their memory as it is: what is not filled is not seen."""
        self.ring.zero_()
        self.filled = [0] * self.levels
        self.recent = [0] * self.levels
        self._last = [None] * self.levels

    def copy_level_(self, source: KVCache) -> None:
        """Copy a one-level cache into every level of this one (stream_batch's preparation)."""
        for mine, theirs in ((self.k, source.k), (self.v, source.v), (self.ring, source.ring), (self.slots, source.slots)):
            mine.copy_(theirs.expand_as(mine))
        self.filled = source.filled * self.levels
        self.recent = source.recent * self.levels
        self._last = source._last * self.levels

    def plan(self, starts: Sequence[int], frames: int) -> CachePlan:
        """Plan a call whose level b begins at frame starts[b] and brings `frames` frames, on the host, and count it as done.

        A level whose start frame repeats rewrites its slots; else frames fill empty slots in order, then turn the ring.
        Raises EngineError when the frames do not fit.
        """
        if len(starts) != self.levels:
            raise EngineError(f"a cache of {self.levels} levels was called with {len(starts)} start frames")
        spec, before = self.spec, tuple(self.filled)
        fresh = tuple(last != (start, frames) for last, start in zip(self._last, starts, strict=True))
        ring_length = spec.kv_frames - spec.sink_frames
        for new, filled in zip(fresh, before, strict=True):
            if new and frames - (spec.kv_frames - filled) > ring_length:
                raise EngineError(f"{frames} new frames do not fit the {ring_length} slots of the ring: raise kv_frames")
        adapts = tuple(
            new and spec.adaptive and frames == 1 and filled == spec.kv_frames for new, filled in zip(fresh, before, strict=True)
        )
        for level, filled in enumerate(before):
            if fresh[level]:
                longest = spec.kv_frames if filled + frames <= spec.kv_frames else ring_length
                self.recent[level] = min(self.recent[level] + frames, longest)
                self.filled[level] = min(filled + frames, spec.kv_frames)
        self._last = [(start, frames) for start in starts]
        return CachePlan(frames, before, tuple(self.filled), fresh, adapts)

    @property
    def counts(self) -> Counts:
        """The part of the cache that is kept on the host."""
        return Counts(tuple(self.filled), tuple(self.recent), tuple(self._last))

    @counts.setter
    def counts(self, counts: Counts) -> None:
        self.filled, self.recent, self._last = list(counts.filled), list(counts.recent), list(counts.last)

    def recall(self) -> CachePlan:
        """Plan a call over the last `recent` latents of a one-level cache once more, which rewrites their slots and no other.

        A sink keeps what it holds once the ring has turned, even the latent that an adaptive sink took.
        """
        count, filled = self.recent[0], self.filled[0]
        self.slots[:, 0, :count] = self._slots_at(0, range(filled - count, filled))
        self._last = [None]
        return CachePlan(count, (filled,), (filled,), (False,), (False,))

    def flush_(self) -> None:
        """Keep the latent of the first place and the last two, in slots 0, 1 and 2, and forget the others; compute nothing."""
        for level, filled in enumerate(self.filled):
            last = self._last[level]
            kept = self._slots_at(level, sorted({place for place in (0, filled - 2, filled - 1) if 0 <= place < filled}))
            if self.spec.adaptive and last is not None and kept.shape[1] == KEPT:  # an adaptive sink may hold the last one
                newest = self.slots[:, level, last[1] - 1]
                in_sink = (newest != kept[:, 0]) & (newest != kept[:, 2])
                kept[:, 1] = torch.where(in_sink, kept[:, 2], kept[:, 1])
                kept[:, 2] = torch.where(in_sink, newest, kept[:, 2])
            count = kept.shape[1]
            for layer, slots in enumerate(kept):  # one by one, so that what lies between takes little memory
                for x in (self.k[layer, level], self.v[layer, level]):
                    x[:count] = x[slots]
            self.filled[level] = count
            self.recent[level] = min(self.recent[level], 2 if filled > KEPT else KEPT)
        self.ring.zero_()
        self._last = [None] * self.levels

    def _slots_at(self, level: int, places: Iterable[int]) -> Tensor:
        """Slots (layers, n) of a level's places: the sinks, then the other latents, the oldest first. Only a full ring turns."""
        sinks, ring_length = self.spec.sink_frames, self.spec.kv_frames - self.spec.sink_frames
        ring = self.ring[:, level]
        slots = [
            torch.full_like(ring, place) if place < sinks else (ring + (place - sinks)).remainder_(ring_length) + sinks
            for place in places
        ]
        return torch.stack(slots, dim=1) if slots else self.slots[:, level, :0]

    def begin(self, plan: CachePlan) -> None:
        """Choose the slots of a planned call in all layers, before any layer writes. No host reads, no host copies."""
        if plan.steady:
            for f in range(plan.frames if all(plan.fresh) else 0):
                self._turn(slice(None), f)
        else:
            for level, new in enumerate(plan.fresh):
                for f in range(plan.frames if new else 0):
                    if plan.before[level] + f < self.spec.kv_frames:
                        self.slots[:, level, f].fill_(plan.before[level] + f)
                    else:
                        self._turn(level, f)
        if any(plan.adapts):
            sinks = self.spec.sink_frames
            torch.mean(self.k[:, :, :sinks], dim=3, dtype=torch.float32, out=self.sink_k)
            torch.mean(self.v[:, :, :sinks], dim=3, dtype=torch.float32, out=self.sink_v)
            for level, may in enumerate(plan.adapts):
                self.may_adapt[level].fill_(may)
        if self._times is not None:
            places = self._places()[:, : max(plan.filled)]
            self._turns = self._times[places.gather(1, self.slots[0, :, : plan.frames])], self._times[places]

    @property
    def by_place(self) -> bool:
        """True with relative positions: the time of a key is its place among those that attention sees."""
        return self._times is not None

    def _places(self) -> Tensor:
        """The place of each slot, (B, slots): sinks, then the others by age. All layers agree, as no sink adapts."""
        slots, sinks = torch.arange(self.spec.kv_frames, device=self.ring.device), self.spec.sink_frames
        by_age = sinks + (slots - sinks - self.ring[0, :, None]).remainder(self.spec.kv_frames - sinks)
        return torch.where(slots < sinks, slots, by_age)

    def _turn(self, levels: int | slice, f: int) -> None:
        """Give a frame the next slot of the ring."""
        torch.add(self.ring[:, levels], self.spec.sink_frames, out=self.slots[:, levels, f])
        self.ring[:, levels].add_(1).remainder_(self.spec.kv_frames - self.spec.sink_frames)

    def write(self, layer: int, plan: CachePlan, k_BSHd: Tensor, v_BSHd: Tensor) -> None:
        """Store a call's keys (rotated) and values, (B, F*L, heads, head_dim), in the slots of one layer."""
        if any(plan.adapts):
            self._adapt(layer, k_BSHd.mean(1, dtype=torch.float32), v_BSHd.mean(1, dtype=torch.float32))
        slots = self.slots[layer, :, : plan.frames]
        self.k[layer][self._rows, slots] = k_BSHd.unflatten(1, (plan.frames, -1)).type_as(self.k)
        self.v[layer][self._rows, slots] = v_BSHd.unflatten(1, (plan.frames, -1)).type_as(self.v)

    def _adapt(self, layer: int, k_mean_BHd: Tensor, v_mean_BHd: Tensor) -> None:
        """Let a new frame, of these token means, take the sink it resembles least. No host reads."""
        spec, slot, ring = self.spec, self.slots[layer, :, 0], self.ring[layer]
        similarity = 0.5 * (
            F.cosine_similarity(k_mean_BHd.flatten(1)[:, None], self.sink_k[layer].flatten(2), dim=-1)
            + F.cosine_similarity(v_mean_BHd.flatten(1)[:, None], self.sink_v[layer].flatten(2), dim=-1)
        )
        smallest, sink = similarity.min(dim=-1)
        replace = self.may_adapt & (smallest < spec.adapt_sink_threshold)
        slot.copy_(torch.where(replace, sink, slot))
        # The ring stays as it was when a sink took the frame: undo the step that `begin` made.
        ring.sub_(replace.long()).remainder_(spec.kv_frames - spec.sink_frames)

    def kept(self, layer: int, levels: slice, frames: int) -> Tensor:
        """Slots (B, 1 + frames) that no weight of the past counts for: the first in place, and those of the last call."""
        ring = self.ring[layer, levels, None]  # a full ring without sinks has its oldest latent where it is written next
        first = torch.zeros_like(ring) if self.spec.sink_frames else ring
        return torch.cat((first, self.slots[layer, levels, :frames]), dim=1)

    def keys_values(self, layer: int, levels: slice, slots_BK: Tensor) -> tuple[Tensor, Tensor]:
        """Copies (B, K*L, heads, head_dim) of some slots of some levels."""
        rows = self._rows[: len(slots_BK)]
        k, v = self.k[layer, levels][rows, slots_BK], self.v[layer, levels][rows, slots_BK]
        if self._turns is not None:
            k = rotate_time(k, self._turns[1][levels][rows, slots_BK])
        return k.flatten(1, 2), v.flatten(1, 2)

    def filled_keys_values(self, layer: int, levels: slice, filled: int) -> tuple[Tensor, Tensor]:
        """Keys and values (B, filled*L, heads, head_dim) of the filled slots of some levels, for attention; mostly views."""
        k, v = self.k[layer, levels, :filled], self.v[layer, levels, :filled]
        if self._turns is not None:
            k = rotate_time(k, self._turns[1][levels, :filled])
        return k.flatten(1, 2), v.flatten(1, 2)

    def queries(self, q_BSHd: Tensor, frames: int) -> Tensor:
        """Queries of the present call, ready for attention."""
        if self._turns is None:
            return q_BSHd
        return rotate_time(q_BSHd.unflatten(1, (frames, -1)), self._turns[0]).flatten(1, 2)
