"""The engine: pixels to latents, latents through the denoising steps, latents to pixels. It holds weights, never state."""

from __future__ import annotations

import logging
from typing import Any, Protocol

import torch
from torch import Tensor

from sdv2_live.engine.anchor import Anchor
from sdv2_live.engine.denoising import Denoised, Denoising
from sdv2_live.engine.graphs import Capture, Graphs
from sdv2_live.engine.spec import ChunkPlan, ChunkSettings, Mode, Schedule, StreamSpec, frames_of
from sdv2_live.engine.state import BatchQueue, StreamState
from sdv2_live.engine.timesteps import timesteps_of
from sdv2_live.engine.warm_up import warm_up
from sdv2_live.errors import EngineError
from sdv2_live.model.dit.dit import CausalDiT
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
        self.denoising = Denoising(dit)
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
            cache=self.dit.new_cache(spec.cache, spec.latent_hw, by_place=spec.positions == "relative"),
            rope=self.dit.rope(),
            batch_cache=self.dit.new_cache(spec.cache, spec.latent_hw, spec.levels) if batch else None,
            queue=BatchQueue(torch.zeros(in_flight, device=self.device)) if batch else None,
            graphs=Graphs(self._capture) if self._capture is not None else None,
            anchor=None if spec.recompute is None else Anchor(frames_of(spec.recompute, first=True), self.vae.new_memory()),
        )

    def warm_up(self, state: StreamState) -> None:
        """Have a GPU meet all that a show can ask of this new stream (see `warm_up`), then reset it. On a CPU: nothing."""
        if self.device.type != "cuda" and self._capture is None:
            return
        begin = monotonic()
        warm_up(self, state)
        where = (state.spec.height, state.spec.width, monotonic() - begin)
        log.info("kernels ready for height %d, width %d in %.1f s", *where)

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

    @torch.inference_mode()
    def encode_apart(self, pixels_1CTHW: Tensor, spec: StreamSpec) -> Tensor:
        """Latents (1, F, 16, h, w), float32, of all but the first of 1 + 4 F frames (1, 3, T, H, W): as a clip of its own."""
        pixels = pixels_1CTHW.to(self.device, self._vae_dtype)
        return self.vae.encode(pixels, self.vae.new_memory(), normalize=spec.normalize_latents)[:, 1:].float()

    def plan(self, pixels_1CTHW: Tensor | None, settings: ChunkSettings, state: StreamState) -> ChunkPlan:
        """The amount of noise this chunk gets. `pixels_1CTHW` as given to `encode`, or None in text mode."""
        if state.given is not None and not state.started:
            return ChunkPlan(0.0, ())
        first, state.generated = not state.generated, True
        scale = 1 - settings.kept * (1 - settings.noise_scale)
        if state.spec.mode is not Mode.TEXT and pixels_1CTHW is not None:
            scale = state.motion.update(pixels_1CTHW, settings.noise_scale, settings.noise_controller)
        return ChunkPlan(scale, timesteps_of(state.spec, settings.steps, scale, first=first), settings.memory)

    @torch.inference_mode()
    def denoise(self, latent: Tensor | None, cross: CrossKV, plan: ChunkPlan, seed: int, state: StreamState) -> Tensor | None:
        """Clean latents (1, F, 16, h, w) of this chunk, or None while stream_batch's pipeline is filling.

        Args:
            latent: the result of `encode` or `encode_apart`, or None in text mode (a block of pure noise).
            cross: keys and values of the prompt.
            plan: the chunk's noise.
            seed: seed of the noise.
            state: the stream's state.

        Raises:
            EngineError: stream_batch is called with another number of steps than the state was made for.
        """
        clean = self.launch(latent, cross, plan, seed, state)
        return clean if clean is None or isinstance(clean, Tensor) else clean()

    @torch.inference_mode()
    def launch(self, latent: Tensor | None, cross: CrossKV, plan: ChunkPlan, seed: int, state: StreamState) -> Denoised:
        """Same as `denoise`, but latents that other processes still compute are not waited for: see `Denoising`."""
        state.noise.begin(state.chunk, seed)
        state.chunk += 1
        state.started = True
        if not plan.timesteps:
            latent = state.given
        if latent is None:
            latent = torch.zeros(1, state.spec.block, self.dit.config.channels, *state.spec.latent_hw, device=self.device)
        noise = state.draw(len(plan.timesteps), latent.shape, self.device)
        levels, count = state.spec.levels, len(plan.timesteps)
        if state.queue is not None and count != levels:
            raise EngineError(f"stream_batch was set up for {levels} steps and got {count}: make a new stream state")
        with self.dit.attend.preferred():
            return self.denoising(latent, noise, cross, plan, state)

    @torch.inference_mode()
    def recache(self, cross: CrossKV, state: StreamState) -> None:
        """Have the past of a stream look as another prompt would have painted it: see `Denoising.recache`.

        It is the largest call that there is, and where a GPU has no memory left for it, a warning says so and the show goes on:
        the past then stays as it is, with `recache_sinks` it is gone.
        """
        try:
            with self.dit.attend.preferred():
                self.denoising.recache(cross, state)
        except torch.OutOfMemoryError as error:
            if state.spec.recache_sinks:  # the cache was emptied, and is not full
                state.cut_()
            log.warning("no memory for a recache, the prompt changes without: lower video.size or engine.kv_frames (%s)", error)

    @torch.inference_mode()
    def decode(self, latent_1FCHW: Tensor, state: StreamState) -> Tensor:
        """Pixels (1, 3, T, H, W) in [-1, 1] of the next clean latents."""
        pixels = self.vae.decode(latent_1FCHW.to(self._vae_dtype), state.vae).clamp(-1, 1)
        if state.anchor is not None and (picture := state.anchor.see(pixels)) is not None:
            state.anchor.latent = self._encode_alone(picture, state.anchor.memory)
        return pixels

    @torch.inference_mode()
    def give(self, pixels_1C1HW: Tensor, state: StreamState) -> None:
        """Let an image (1, 3, 1, H, W) in [-1, 1] be the first latent of a stream that has not begun.

        The first chunk then shows it as the autoencoder sees it; a reset stream begins with it again. Raises EngineError where a
        stream's first chunk is not one frame.
        """
        if state.started or state.spec.frames_needed(first=True) != 1:
            raise EngineError("an image can be the first latent of a stream that has not begun, and whose first chunk is a frame")
        state.given = self._encode_alone(pixels_1C1HW, self.vae.new_memory())

    def _encode_alone(self, pixels_1C1HW: Tensor, memory: Any) -> Tensor:
        """The normalised latent of a picture as a clip of its own."""
        memory.reset_()
        return self.vae.encode(pixels_1C1HW.to(self.device, self._vae_dtype), memory, normalize=True).float()
