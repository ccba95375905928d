"""The engine: pixels to latents, latents through the denoising steps, latents to pixels. It holds weights, never state."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from sdv2_live.engine.graphs import Capture, Graphs
from sdv2_live.engine.scheduler import FlowSchedule
from sdv2_live.engine.spec import TEXT_STEPS, ChunkPlan, ChunkSettings, Mode, Schedule, StreamSpec
from sdv2_live.engine.state import BatchQueue, StreamState
from sdv2_live.engine.steps import sequential, stream_batch
from sdv2_live.engine.transfer import upload
from sdv2_live.errors import EngineError
from sdv2_live.model.dit.dit import CausalDiT, check_starts
from sdv2_live.model.dit.layers import CrossKV
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.engine")


class Autoencoder(Protocol):
    """The interface that the engine needs of a VAE; WanVAE and TAEHV implement it."""

    def new_memory(self) -> Any:
        """The state of a stream that has not begun."""

    def push(self, pixels_NCTHW: Tensor, memory: Any) -> None:
        """Take frames in and compute everything that does not depend on later ones; `encode` does the rest."""

    def encode(self, pixels_NCTHW: Tensor, memory: Any, *, normalize: bool = False) -> Tensor:
        """Latents (N, F, 16, h, w) of pixels in [-1, 1], including those pushed before."""

    def decode(self, latent_NFCHW: Tensor, memory: Any) -> Tensor:
        """Pixels, not clamped, of normalised latents."""


class Engine:
    """StreamDiffusionV2's computation over a causal DiT and a streaming autoencoder."""

    def __init__(
        self,
        dit: CausalDiT,
        vae: Autoencoder,
        *,
        vae_dtype: torch.dtype | None = None,
        capture: Capture | None = None,
        encode_ahead: bool | None = None,
    ) -> None:
        """Wrap models whose weights are in place.

        Args:
            capture: captures the steady work of a stream; None runs it kernel by kernel.
            encode_ahead: see `push`; None chooses True on a CPU and False on a GPU.
        """
        dit.pack()
        self.dit = dit
        self.vae = vae
        self.schedule = FlowSchedule()
        self._vae_dtype = vae_dtype or dit.dtype
        self._capture = capture
        self._encode_ahead = dit.device.type != "cuda" if encode_ahead is None else encode_ahead

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.dit.device

    @property
    def pixel_dtype(self) -> torch.dtype:
        """The autoencoder's dtype: pixels of this dtype need no conversion."""
        return self._vae_dtype

    def new_state(self, spec: StreamSpec) -> StreamState:
        """The state of a stream that has not begun."""
        batch = spec.schedule is Schedule.STREAM_BATCH
        in_flight = (spec.levels, 1, self.dit.config.channels, *spec.latent_hw)
        return StreamState(
            spec=spec,
            vae=self.vae.new_memory(),
            cache=self.dit.new_cache(spec.cache, spec.latent_hw),
            rope=self.dit.rope(),
            batch_cache=self.dit.new_cache(spec.cache, spec.latent_hw, spec.levels) if batch else None,
            queue=BatchQueue(torch.zeros(in_flight, device=self.device)) if batch else None,
            graphs=Graphs(self._capture) if self._capture is not None else None,
        )

    @torch.inference_mode()
    def warm_up(self, state: StreamState, steps: int) -> None:
        """Take a new stream through grey chunks of `steps` denoising steps until it is steady, then reset it.

        On a GPU this compiles kernels, lets the libraries choose theirs for every length of the cache, and captures a graph for
        every number of steps that the performer may choose. Without it, a running picture would stop for a second or two.
        On a CPU there is nothing to do.
        """
        if self.device.type != "cuda" and self._capture is None:
            return
        spec, begin = state.spec, monotonic()
        until_steady, first = spec.cache.kv_frames + spec.levels + 3, steps if state.queue is None else spec.levels
        others = () if state.queue is not None or spec.mode is Mode.TEXT else {1, 2, 3, 4} - {first}
        counts = [first] * until_steady + [count for count in others for _ in range(2)]  # a second call is captured
        cross = self.dit.condition(torch.zeros(1, 1, self.dit.config.text_dim, device=self.device))
        for count in counts:
            settings = ChunkSettings(steps=tuple(900 - 100 * i for i in range(count)))
            pixels = latent = None
            if spec.mode is Mode.VIDEO:
                size = (spec.height, spec.width)
                pixels = torch.zeros(1, 3, state.frames_needed, *size, dtype=self.pixel_dtype, device=self.device)
                latent = self.encode(pixels, state)
            clean = self.denoise(latent, cross, self.plan(pixels, settings, state), settings.seed, state)
            if clean is not None:
                self.decode(clean, state)
        state.reset_()
        log.info("kernels ready for height %d, width %d in %.1f s", spec.height, spec.width, monotonic() - begin)

    @torch.inference_mode()
    def push(self, pixels_1CTHW: Tensor, state: StreamState) -> None:
        """Encode the part of the next chunk that has arrived, as far as it needs no later frame; `encode` does the rest.

        With encode_ahead the encoder takes one frame at a time, whether it was pushed or came with all the others: a
        convolution of one frame and of four may differ in the last bit, and a take must give the same picture however its
        frames came. Without it, `encode` encodes the chunk whole, and pushing does nothing. On a GPU that is one CUDA
        graph, which has no place for frames that wait for others (with encode_ahead the encoder is launched kernel by
        kernel), and a Wan VAE that goes frame by frame moves its past through memory twice as often.

        Args:
            pixels_1CTHW: the chunk's first T frames, as for `encode`; frames pushed before are skipped.
            state: the stream's state.
        """
        if not self._encode_ahead:
            return
        pixels, count = pixels_1CTHW.to(self.device, self._vae_dtype), pixels_1CTHW.shape[2]
        for i in range(state.pushed, count):
            self.vae.push(pixels[:, :, i : i + 1], state.vae)
            state.pushed = i + 1

    @torch.inference_mode()
    def encode(self, pixels_1CTHW: Tensor, state: StreamState) -> Tensor:
        """Latents (1, F, 16, h, w), float32, of the next pixels (1, 3, T, H, W) in [-1, 1]; T = state.frames_needed.

        The pixels include those of pushed frames. The chunk's motion, which `plan` waits for, is measured first: that wait
        ends while the encoder still runs.
        """
        state.motion.look(pixels_1CTHW)
        self.push(pixels_1CTHW[:, :, :-1], state)
        rest = pixels_1CTHW[:, :, state.pushed :].to(self.device, self._vae_dtype)
        state.pushed = 0
        return self.vae.encode(rest, state.vae, normalize=state.spec.normalize_latents).float()

    def plan(self, pixels_1CTHW: Tensor | None, settings: ChunkSettings, state: StreamState) -> ChunkPlan:
        """The amount of noise this chunk gets. `pixels_1CTHW` as given to `encode`, or None in text mode."""
        if state.spec.mode is Mode.TEXT or pixels_1CTHW is None:
            return ChunkPlan(1.0, TEXT_STEPS)
        return state.motion.plan(pixels_1CTHW, settings)

    @torch.inference_mode()
    def denoise(self, latent: Tensor | None, cross: CrossKV, plan: ChunkPlan, seed: int, state: StreamState) -> Tensor | None:
        """Clean latents (1, F, 16, h, w) of this chunk, or None while stream_batch's pipeline is filling.

        Args:
            latent: the result of `encode`, or None in text mode (one latent of pure noise).
            cross: keys and values of the prompt.
            plan: the chunk's noise.
            seed: seed of the noise.
            state: the stream's state.

        Raises:
            EngineError: stream_batch is called with another number of steps than the state was made for.
        """
        state.noise.begin(state.chunk, seed)
        state.chunk += 1
        state.started = True
        if latent is None:
            latent = torch.zeros(1, 1, self.dit.config.channels, *state.spec.latent_hw, device=self.device)
        noise = state.draw(len(plan.timesteps), latent.shape, self.device)
        with self.dit.attend.preferred():
            if state.queue is None:
                return self._sequential(latent, noise, cross, plan, state)
            levels, count = state.spec.levels, len(plan.timesteps)
            if count != levels:
                raise EngineError(f"stream_batch was set up for {levels} steps and got {count}: make a new stream state")
            if not state.queue.starts:
                return self._prepare_batch(latent, noise, cross, plan, state, state.queue)
            return self._stream_batch(latent, noise, cross, plan, state, state.queue)

    @torch.inference_mode()
    def decode(self, latent_1FCHW: Tensor, state: StreamState) -> Tensor:
        """Pixels (1, 3, T, H, W) in [-1, 1] of the next clean latents."""
        return self.vae.decode(latent_1FCHW.to(self._vae_dtype), state.vae).clamp(-1, 1)

    def _numbers(self, plan: ChunkPlan, starts: Sequence[int]) -> Tensor:
        return upload(self.schedule.numbers(plan.noise_scale, plan.timesteps, starts), self.device)

    def _sequential(self, latent: Tensor, noise: Tensor, cross: CrossKV, plan: ChunkPlan, state: StreamState) -> Tensor:
        """All steps of the chunk, one after the other."""
        frames, count = latent.shape[1], len(plan.timesteps)
        starts = [state.advance(frames)]
        check_starts(starts, frames)
        plans = tuple(state.cache.plan(starts, frames) for _ in range(count))
        run = partial(sequential, self.dit, state.rope, state.cache, plans)
        inputs = latent, noise, self._numbers(plan, starts * count)
        if state.graphs is not None and all(each.steady for each in plans):
            return state.graphs.run(plans, run, cross, *inputs)
        return run(cross, *inputs)

    def _prepare_batch(
        self, latent: Tensor, noise: Tensor, cross: CrossKV, plan: ChunkPlan, state: StreamState, queue: BatchQueue
    ) -> Tensor:
        """First chunk of stream_batch: run all steps in sequence, then copy its cache to every level."""
        assert state.batch_cache is not None
        clean = self._sequential(latent, noise, cross, plan, state)
        state.batch_cache.copy_level_(state.cache)
        queue.starts, queue.finished_in = [state.next_start] * state.spec.levels, state.spec.levels - 1
        return clean

    def _stream_batch(
        self, latent: Tensor, noise: Tensor, cross: CrossKV, plan: ChunkPlan, state: StreamState, queue: BatchQueue
    ) -> Tensor | None:
        """One call moves every level one step on: a new latent enters at level 0, and the last level's is finished."""
        if latent.shape[1] != 1:
            raise EngineError(f"stream_batch takes one latent a chunk after its first, not {latent.shape[1]}")
        assert state.batch_cache is not None
        starts = [state.advance(1), *queue.starts[1:]]
        check_starts(starts, 1)
        cache_plan = state.batch_cache.plan(starts, 1)
        run = partial(stream_batch, self.dit, state.rope, state.batch_cache, cache_plan, queue.latents)
        inputs = latent, noise, self._numbers(plan, starts)
        if state.graphs is not None and cache_plan.steady:
            clean = state.graphs.run(cache_plan, run, cross, *inputs)
        else:
            clean = run(cross, *inputs)
        queue.starts = [starts[0], *starts[:-1]]
        if queue.finished_in > 0:
            queue.finished_in -= 1
            return None
        return clean
