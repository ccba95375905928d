"""Everything that survives a chunk, in one object. Weights are elsewhere; dropping a StreamState drops the stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from sdv2_live.engine.graphs import Graphs
from sdv2_live.engine.noise import MotionController, NoiseSource, SeededNoise
from sdv2_live.engine.spec import StreamSpec
from sdv2_live.engine.transfer import upload
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


@dataclass
class StreamState:
    """One stream. Made by Engine.new_state; two of them never touch each other.

    cache: one level in sequential mode and while stream_batch prepares its first chunk. batch_cache: one level a step; with
    it comes the queue. graphs: what has been captured over this memory, which therefore stays where it is; None: nothing is.
    next_start: temporal position of the next latent. chunk: chunks denoised so far (it numbers the noise). pushed: frames of the
    next chunk that the encoder has been given; they cannot be taken back, so only a reset forgets them.
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
        self.started = False

    @torch.inference_mode()
    def cut_(self) -> None:
        """Forget the pictures painted so far (caches and frame counter) but keep the autoencoder, with what was pushed."""
        self.cache.reset_()
        if self.batch_cache is not None:
            self.batch_cache.reset_()
        if self.queue is not None:
            self.queue.reset_()
        self.next_start = 0

    def advance(self, frames: int) -> int:
        """Start frame of a call with `frames` latents; moves the cursor, refreshing it when it reaches the limit."""
        start = self.next_start
        if start >= self.spec.rope_refresh_frame:
            start = self.spec.cache.kv_frames - 1
        self.next_start = start + frames
        return start

    def draw(self, count: int, shape: Sequence[int], device: torch.device) -> Tensor:
        """The chunk's next `count` noises of a shape, (count, *shape), on their way to the model's device."""
        return upload(torch.stack([self.noise.draw(shape) for _ in range(count)]), device)
