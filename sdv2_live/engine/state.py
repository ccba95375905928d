"""Everything that survives a chunk, in one object. Weights are elsewhere; dropping a StreamState drops the stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from sdv2_live.engine.anchor import Anchor
from sdv2_live.engine.graphs import Graphs
from sdv2_live.engine.noise import MotionController, NoiseSource, SeededNoise
from sdv2_live.engine.spec import StreamSpec
from sdv2_live.engine.transfer import upload
from sdv2_live.errors import EngineError
from sdv2_live.model.dit.kv_cache import KVCache
from sdv2_live.model.dit.rope import RopeTable


class VaeState(Protocol):
    """Streaming state of an autoencoder."""

    def reset_(self) -> None:
        """Forget the stream, in place."""


@dataclass
class BatchQueue:
    """stream_batch's latents in flight: level i holds the latent that takes step i in the next call.

    latents: (levels, 1, 16, h, w), float32; entry 0 is where the new latent comes in. starts: each level's start frame; none
    before the first chunk has been prepared. finished_in: calls until the last level holds a real frame.
    """

    latents: Tensor
    starts: list[int] = field(default_factory=list)
    finished_in: int = 0

    def reset_(self) -> None:
        """Forget the latents in flight, in place."""
        self.latents.zero_()
        self.starts, self.finished_in = [], 0


@dataclass(frozen=True, slots=True)
class Clean:
    """A finished latent (1, 1, 16, h, w), float32, as it left the last step, and its temporal position."""

    latent: Tensor
    start: int


@dataclass
class StreamState:
    """One stream. Made by Engine.new_state; two of them never touch each other.

    cache: one level in sequential mode and while stream_batch prepares its first chunk. batch_cache: one level a step; with
    it comes the queue. graphs: what has been captured over this memory, which therefore stays where it is; None: nothing is.
    next_start: temporal position of the next latent. chunk: chunks denoised so far (it numbers the noise). pushed: frames of the
    next chunk that the encoder has been given; they cannot be taken back, so only a reset forgets them. latents: painted since
    the last cut. clean: the last kv_frames of them, the newest last, without stream_batch. given: the stream's first latent,
    (1, 1, 16, h, w), where it is an image's; a reset keeps it.
    """

    spec: StreamSpec
    vae: VaeState
    cache: KVCache
    rope: RopeTable
    batch_cache: KVCache | None = None
    queue: BatchQueue | None = None
    graphs: Graphs | None = None
    motion: MotionController = field(default_factory=MotionController)
    noise: NoiseSource = field(default_factory=SeededNoise)
    next_start: int = 0
    chunk: int = 0
    pushed: int = 0
    started: bool = False  # the stream is past its first chunk
    generated: bool = False  # a chunk that was not given has been planned
    latents: int = 0
    clean: deque[Clean] = field(default_factory=deque)
    given: Tensor | None = None
    anchor: Anchor | None = None
    painted: Tensor | None = None  # (3, H, W), the last picture, for feedback

    @property
    def frames_needed(self) -> int:
        """Pixel frames that the next chunk takes: see `StreamSpec`."""
        return self.spec.frames_needed(first=not self.started)

    @torch.inference_mode()  # memory that was allocated in inference mode may only be written in it
    def reset_(self) -> None:
        """Forget everything, in place: a reset stream equals a new one."""
        self.vae.reset_()
        self.motion.reset_()
        self.cut_()
        self.chunk = self.pushed = 0
        self.started = self.generated = False

    @torch.inference_mode()
    def cut_(self) -> None:
        """Forget the pictures painted so far (caches and frame counter) but keep the autoencoder, with what was pushed."""
        self.cache.reset_()
        if self.batch_cache is not None:
            self.batch_cache.reset_()
        if self.queue is not None:
            self.queue.reset_()
        self.next_start = self.latents = 0
        self.clean.clear()
        self.painted = None
        if self.anchor is not None:
            self.anchor.reset_()

    @torch.inference_mode()
    def flush_(self) -> None:
        """Keep the first latent and the last two of the cache, at every level, and forget the others; nothing is computed.

        With `recompute` nothing happens: the cache is filled anew before every chunk.
        """
        if self.spec.recompute is not None:
            return
        (self.cache if self.batch_cache is None else self.batch_cache).flush_()
        while len(self.clean) > self.cache.recent[0]:
            self.clean.popleft()

    def advance(self, frames: int) -> int:
        """Start frame of a call with `frames` latents; moves the cursor, refreshing it when it reaches the limit."""
        start = self.next_start
        if start >= self.spec.rope_refresh_frame and not self.spec.clean_past:
            start = self.spec.cache.kv_frames - 1
        self.next_start = start + frames
        return start

    def context(self, frames: int) -> Tensor | None:
        """The latents that refill the cache before a chunk of `frames` latents, (1, m, 16, h, w); None: it rolls on.

        With `recompute` they are, before every chunk, the last ones, and before these the stream's first latent or what stands
        for it. At the end of the position table they are those that attention sees.
        """
        spec, count, kept = self.spec, self.spec.recompute, [each.latent for each in self.clean]
        if count is None:
            ends = spec.clean_past and spec.positions == "absolute" and self.next_start + frames > spec.rope_refresh_frame
            if not ends:
                return None
            self.clean = deque(Clean(latent, place) for place, latent in enumerate(kept))
            return torch.cat(kept, dim=1)
        if self.latents > count:
            first = kept[0]
            if self.latents >= count + spec.block:
                if self.anchor is None or self.anchor.latent is None:
                    raise EngineError("the cache is refilled from pictures: decode each chunk before the next is denoised")
                first = self.anchor.latent
            kept = [first, *kept[len(kept) + 1 - count :]]
        return torch.cat(kept, dim=1) if kept else None

    def keep(self, clean_1FCHW: Tensor, start: int) -> None:
        """Take finished latents in, the first at that temporal position. They are copied: a graph overwrites its result."""
        for i, latent in enumerate(clean_1FCHW.split(1, dim=1)):
            self.clean.append(Clean(latent.clone(), start + i))
        while len(self.clean) > self.spec.cache.kv_frames:
            self.clean.popleft()
        self.latents += clean_1FCHW.shape[1]

    def draw(self, count: int, shape: Sequence[int], device: torch.device) -> Tensor:
        """The chunk's next `count` noises of a shape, (count, *shape), on their way to the model's device."""
        drawn = [self.noise.draw(shape) for _ in range(count)]
        return upload(torch.stack(drawn) if drawn else torch.empty(0, *shape), device)
