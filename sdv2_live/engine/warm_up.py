"""The warm-up of a new stream: a GPU meets, once, all that a show can ask of it before a picture waits for it.

Kernels are compiled then, the libraries choose theirs for every shape, and steady work is captured as graphs. Met on stage, each
of these would stop a running picture for up to seconds. The picture stands still meanwhile, so it is done with as few calls as
meet everything: the autoencoder in three chunks, the DiT by one step a chunk for every length of the cache, with the past at its
full weight and below it. A recache is met over a full cache; over a shorter one, as it is in a stream's first second, it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from sdv2_live.engine.spec import ChunkPlan, Mode, Schedule, StreamSpec
from sdv2_live.engine.state import StreamState
from sdv2_live.model.dit.kv_cache import KEPT

if TYPE_CHECKING:
    from sdv2_live.engine.engine import Engine

STEPS = (900, 800, 700, 600)  # as many as a chunk may have; which ones does not matter
MEMORIES = (1.0, 0.5)  # as trained, and a weight of the past, whichever


@torch.inference_mode()
def warm_up(engine: Engine, state: StreamState) -> None:
    """Take a new stream through grey chunks until nothing that follows is new, then reset it."""
    _autoencoder(engine, state)
    with engine.dit.attend.preferred():
        _denoising(engine, state)
    state.reset_()


def _autoencoder(engine: Engine, state: StreamState) -> None:
    """The first chunk is like no other; the second runs as it is, the third is captured (see `graphs.Captured`)."""
    spec = state.spec
    for first in (True, False, False):
        latent = torch.zeros(1, spec.latents(first=first), engine.dit.config.channels, *spec.latent_hw, device=engine.device)
        if spec.mode is Mode.VIDEO:
            frames = spec.frames_needed(first=first)
            pixels = torch.zeros(1, 3, frames, spec.height, spec.width, dtype=engine.pixel_dtype, device=engine.device)
            latent = engine.encode(pixels, state)
        engine.decode(latent, state)


def _denoising(engine: Engine, state: StreamState) -> None:
    """Every length of the cache: after a stream's first chunk, which may be longer, and as after a prompt cut."""
    spec, dit = state.spec, engine.dit
    cross = dit.condition(torch.zeros(1, 1, dit.config.text_dim, device=engine.device))

    def chunk(frames: int, steps: int, memory: float) -> None:
        latent = torch.zeros(1, frames, dit.config.channels, *spec.latent_hw, device=engine.device)
        if state.anchor is not None:
            state.anchor.latent = latent[:, :1]
        state.noise.begin(0, 0)
        noise = state.draw(steps, latent.shape, engine.device)
        engine.denoising(latent, noise, cross, ChunkPlan(0.5, STEPS[:steps], memory), state)

    for memory in MEMORIES:
        _lengths(state, memory, chunk)
    engine.recache(cross, state)
    counts = _step_counts(spec)
    beside = (spec.context_t is not None) + math.ceil((spec.recompute or 0) / spec.block)
    for count in counts:  # a product of so many rows
        dit.times(torch.zeros(count + beside, 1, dtype=torch.float64, device=engine.device))
    if state.graphs is not None:
        with state.graphs.ahead():
            for memory in MEMORIES:
                for count in counts:
                    chunk(spec.block, count, memory)


def _lengths(state: StreamState, memory: float, chunk: Callable[[int, int, float], None]) -> None:
    """Chunks until the cache has had every length, at every level alone and at all of them."""
    spec, batch = state.spec, state.queue is not None
    steady = spec.levels if batch else 1  # steps of a chunk that meet all that more of them would
    for begin in dict.fromkeys((spec.latents(first=True), spec.block)):
        state.cut_()
        chunk(begin, 1, memory)
        if begin == spec.block or begin % spec.block:
            for _ in range(math.ceil((spec.recompute or spec.cache.kv_frames) / spec.block) + max(steady - 2, 0)):
                chunk(spec.block, steady, memory)  # the last one turns the full ring of the first level
        elif batch:  # all levels at once, over what the first chunk has left; the other lengths come after a cut, too
            chunk(spec.block, steady, memory)
    if batch:  # all levels at the same length, which else is met by a full cache alone
        state.flush_()
        for _ in range(spec.cache.kv_frames - min(spec.cache.kv_frames, KEPT)):
            chunk(spec.block, steady, memory)


def _step_counts(spec: StreamSpec) -> Sequence[int]:
    """The numbers of steps that a chunk may have."""
    if spec.mode is Mode.TEXT:
        return tuple(dict.fromkeys((len(spec.steps), len(spec.first_steps or spec.steps))))
    return (spec.levels,) if spec.schedule is Schedule.STREAM_BATCH else range(1, len(STEPS) + 1)
