"""The engine: pixels to latents, latents through the denoising steps, latents to pixels. It holds weights, never state."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor

from sdv2_live.engine.plan import TEXT_STEPS, ChunkSettings, Mode, Schedule, StreamSpec
from sdv2_live.engine.scheduler import FlowSchedule
from sdv2_live.engine.state import BatchQueue, StreamState
from sdv2_live.errors import EngineError
from sdv2_live.model.dit import CausalDiT, CrossKV
from sdv2_live.model.rope import TIME_ROWS


class Autoencoder(Protocol):
    """What the engine needs of a VAE; WanVAE and TAEHV are two."""

    def new_memory(self) -> Any:
        """State of a stream that has not begun."""

    def encode(self, pixels_NCTHW: Tensor, memory: Any, *, normalize: bool = False) -> Tensor:
        """Latents (N, F, 16, h, w) of pixels in [-1, 1]."""

    def decode(self, latent_NFCHW: Tensor, memory: Any) -> Tensor:
        """Pixels, not clamped, of normalised latents."""


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """The noise of one chunk: its scale (0..1), and the timesteps of its denoising steps."""

    noise_scale: float
    timesteps: tuple[int, ...]


def check_steps(steps: tuple[int, ...]) -> None:
    """Raise EngineError unless `steps` are 1 to 4 strictly descending timesteps in 0..1000."""
    descending = all(a > b for a, b in pairwise(steps))
    if not 1 <= len(steps) <= 4 or not descending or not all(0 <= step <= 1000 for step in steps):
        raise EngineError(f"steps = {list(steps)} must be 1 to 4 strictly descending timesteps in 0..1000, such as [700, 500]")


class Engine:
    """StreamDiffusionV2's computation over a causal DiT and a streaming autoencoder."""

    def __init__(self, dit: CausalDiT, vae: Autoencoder, *, vae_dtype: torch.dtype | None = None) -> None:
        dit.pack()
        self.dit = dit
        self.vae = vae
        self.schedule = FlowSchedule()
        self._vae_dtype = vae_dtype or dit.dtype

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.dit.device

    @property
    def pixel_dtype(self) -> torch.dtype:
        """What the autoencoder computes in: pixels of this type need no conversion."""
        return self._vae_dtype

    def new_state(self, spec: StreamSpec) -> StreamState:
        """A stream that has not begun."""
        if spec.rope_refresh_frame >= TIME_ROWS:
            raise EngineError(
                f"rope_refresh_frame = {spec.rope_refresh_frame} must be below {TIME_ROWS}, the rows of the position table"
            )
        batch = spec.schedule is Schedule.STREAM_BATCH
        return StreamState(
            spec=spec,
            vae=self.vae.new_memory(),
            cache=self.dit.new_cache(spec.cache, spec.latent_hw),
            rope=self.dit.rope(),
            batch_cache=self.dit.new_cache(spec.cache, spec.latent_hw, spec.levels) if batch else None,
        )

    @torch.inference_mode()
    def encode(self, pixels_1CTHW: Tensor, state: StreamState) -> Tensor:
        """Latents (1, F, 16, h, w), float32, of the next pixels (1, 3, T, H, W) in [-1, 1]; T = state.frames_needed."""
        pixels = pixels_1CTHW.to(self.device, self._vae_dtype)
        return self.vae.encode(pixels, state.vae, normalize=state.spec.normalize_latents).float()

    def plan(self, pixels_1CTHW: Tensor | None, settings: ChunkSettings, state: StreamState) -> ChunkPlan:
        """How much noise this chunk gets. `pixels` as given to encode, or None in text mode."""
        check_steps(settings.steps)
        if state.spec.mode is Mode.TEXT or pixels_1CTHW is None:
            return ChunkPlan(1.0, TEXT_STEPS)
        first = state.motion.fresh
        scale = state.motion.update(pixels_1CTHW, settings.noise_scale, settings.noise_controller)
        if first:
            return ChunkPlan(scale, settings.steps)
        lowest = settings.steps[1] + 1 if len(settings.steps) > 1 else 0
        return ChunkPlan(scale, (max(int(1000 * scale) - 100, lowest), *settings.steps[1:]))

    @torch.inference_mode()
    def denoise(self, latent: Tensor | None, cross: CrossKV, plan: ChunkPlan, seed: int, state: StreamState) -> Tensor | None:
        """Clean latents (1, F, 16, h, w) of this chunk, or None while stream_batch's pipeline is filling.

        latent: what encode gave, or None in text mode (one latent of pure noise). Raises EngineError when stream_batch is
        called with another number of steps than the state was made for.
        """
        state.noise.begin(state.chunk, seed)
        state.chunk += 1
        state.started = True
        shape = (1, 1, self.dit.config.channels, *state.spec.latent_hw) if latent is None else tuple(latent.shape)
        noise = state.draw(shape, self.device)
        noisy = noise if latent is None else noise * plan.noise_scale + latent * (1 - plan.noise_scale)
        if state.batch_cache is None:
            return self._sequential(noisy, cross, plan, state)
        if len(plan.timesteps) != state.spec.levels:
            raise EngineError(
                f"stream_batch was set up for {state.spec.levels} steps and got {len(plan.timesteps)}: make a new stream state"
            )
        if state.queue is None:
            return self._prepare_batch(noisy, cross, plan, state)
        return self._stream_batch(noisy, cross, plan, state, state.queue)

    @torch.inference_mode()
    def decode(self, latent_1FCHW: Tensor, state: StreamState) -> Tensor:
        """Pixels (1, 3, T, H, W) in [-1, 1] of the next clean latents."""
        return self.vae.decode(latent_1FCHW.to(self._vae_dtype), state.vae).clamp(-1, 1)

    def _flow(self, x: Tensor, timesteps: Tensor, starts: list[int], cross: CrossKV, state: StreamState, batch: bool) -> Tensor:
        cache = state.batch_cache if batch else state.cache
        assert cache is not None
        return self.dit(x, timesteps, starts, cross=cross, cache=cache, rope=state.rope).float()

    def _sequential(self, x: Tensor, cross: CrossKV, plan: ChunkPlan, state: StreamState) -> Tensor:
        """All steps of the chunk in turn; each rewrites the same cache slots, so the least noisy stays."""
        frames = x.shape[1]
        start = state.advance(frames)
        for i, timestep in enumerate(plan.timesteps):
            if i > 0:  # x is clean here: noise it anew, less than before
                x = self.schedule.add_noise(x, state.draw(x.shape, self.device), timestep)
            t = torch.full((1, frames), float(timestep), device=self.device)
            x = self.schedule.clean(x, self._flow(x, t, [start], cross, state, batch=False), timestep)
        return x

    def _prepare_batch(self, noisy: Tensor, cross: CrossKV, plan: ChunkPlan, state: StreamState) -> Tensor:
        """First chunk of stream_batch: sequentially, then its cache is copied to every level."""
        assert state.batch_cache is not None
        clean = self._sequential(noisy, cross, plan, state)
        state.batch_cache.copy_level_(state.cache)
        levels = state.spec.levels
        latents = noisy.new_zeros(levels, 1, *noisy.shape[2:])
        state.queue = BatchQueue(latents, [state.next_start] * levels, finished_in=levels - 1)
        return clean

    def _stream_batch(
        self, noisy: Tensor, cross: CrossKV, plan: ChunkPlan, state: StreamState, queue: BatchQueue
    ) -> Tensor | None:
        """One call moves every level one step on: a new latent enters at level 0, the last level's is finished."""
        if noisy.shape[1] != 1:
            raise EngineError(f"stream_batch takes one latent a chunk after its first, not {noisy.shape[1]}")
        queue.latents[0] = noisy[0]
        queue.starts = [state.advance(1), *queue.starts[1:]]
        t = torch.tensor(plan.timesteps, dtype=torch.float32, device=self.device)[:, None]
        flow = self._flow(queue.latents, t, queue.starts, cross, state, batch=True)
        clean = [self.schedule.clean(queue.latents[i : i + 1], flow[i : i + 1], step) for i, step in enumerate(plan.timesteps)]
        for i, step in enumerate(plan.timesteps[1:]):
            queue.latents[i + 1] = self.schedule.add_noise(clean[i], state.draw(noisy.shape, self.device), step)[0]
        queue.starts = [queue.starts[0], *queue.starts[:-1]]
        if queue.finished_in > 0:
            queue.finished_in -= 1
            return None
        return clean[-1]
