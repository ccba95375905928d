"""The order of a stream's denoising steps: all of a chunk's in turn, or one of each chunk in flight at once (stream_batch).

The calls themselves are in `steps`; here the host says which a chunk makes, where they begin, what they do to the cache, and
which graph holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sdv2_live.engine.scheduler import as_they_are, schedule_of
from sdv2_live.engine.spec import ChunkPlan
from sdv2_live.engine.state import BatchQueue, StreamState
from sdv2_live.engine.steps import Calls, recache, sequential, stream_batch
from sdv2_live.engine.transfer import upload
from sdv2_live.errors import EngineError
from sdv2_live.model.dit.dit import CausalDiT, check_starts
from sdv2_live.model.dit.kv_cache import CachePlan
from sdv2_live.model.dit.layers import CrossKV

Denoised = Tensor | Callable[[], Tensor] | None  # see `Denoising`


class Denoising:
    """Runs the steps of one chunk with a DiT. It holds weights, never state."""

    def __init__(self, dit: CausalDiT) -> None:
        self._dit = dit

    def __call__(self, latent: Tensor, noise: Tensor, cross: CrossKV, plan: ChunkPlan, state: StreamState) -> Denoised:
        """Clean latents (1, F, 16, h, w), or None while stream_batch's pipeline is filling.

        Where other processes still compute them, the result is what waits for them; the next chunk can be begun before that.

        Args:
            latent: the chunk's latents, as they come in.
            noise: (steps, 1, F, 16, h, w).
            cross: keys and values of the prompt.
            plan: the chunk's noise; its steps are the stream's levels once stream_batch runs.
            state: the stream's state.

        Raises:
            EngineError: stream_batch is given more than one latent after its first chunk.
        """
        if state.queue is None:
            return self._sequential(latent, noise, cross, plan, state)
        if not state.queue.starts:
            return self._prepare_batch(latent, noise, cross, plan, state, state.queue)
        return self._stream_batch(latent, noise, cross, plan, state, state.queue)

    def _upload(self, numbers: Tensor) -> Tensor:
        return upload(numbers, self._dit.device)

    def _sequential(self, latent: Tensor, noise: Tensor, cross: CrossKV, plan: ChunkPlan, state: StreamState) -> Tensor:
        """All calls of the chunk, one after the other."""
        context = state.context(latent.shape[1])
        calls, numbers, start = self._calls(latent.shape[1], plan, context, state)
        run = partial(sequential, self._dit, state.rope, state.cache, calls)
        inputs = [latent, noise, self._upload(numbers), *(() if context is None else (context,))]
        again = all(each.steady for each in calls.steps) if context is None else context.shape[1] == state.spec.recompute
        if state.graphs is not None and calls.steps and again:
            clean = state.graphs.run(calls, run, cross, *inputs)
        else:
            clean = run(cross, *inputs)
        if state.queue is None:
            state.keep(clean, start)
        return clean

    def _calls(self, frames: int, plan: ChunkPlan, context: Tensor | None, state: StreamState) -> tuple[Calls, Tensor, int]:
        """The host's part of a chunk of `frames` latents: its calls, a row of numbers for each, and its temporal position."""
        cache, spec, count = state.cache, state.spec, len(plan.timesteps)
        refill, places = self._refill(context, state)
        start = state.advance(frames)
        check_starts([0 if cache.by_place else start], frames)
        steps = tuple(cache.plan([start], frames) for _ in range(count))
        context_t = spec.context_t if count else 0.0  # a latent that was given is clean
        last = None if context_t is None else cache.plan([start], frames)
        numbers = [
            as_they_are(0.0 if spec.context_t is None else spec.context_t, places),
            schedule_of(spec.shift).numbers(plan.noise_scale, plan.timesteps, [start] * count, plan.memory),
            as_they_are(context_t or 0.0, [] if last is None else [start]),
        ]
        return Calls(refill, steps, last, weighed=plan.memory != 1), torch.cat(numbers), start

    def _refill(self, context: Tensor | None, state: StreamState) -> tuple[tuple[CachePlan, ...], list[int]]:
        """Plans and positions of the calls that fill an emptied cache: a block each, which sees the ones before it."""
        if context is None:
            return (), []
        count, block = context.shape[1], state.spec.block
        state.cache.empty_()
        state.next_start = count
        places = [*range(0, count, block)]
        return tuple(state.cache.plan([place], min(block, count - place)) for place in places), places

    def recache(self, cross: CrossKV, state: StreamState) -> None:
        """Make the keys and values of what the cache holds anew, with another prompt: one call over the clean latents.

        Sinks keep theirs once the window has rolled on, but with `recache_sinks`. With stream_batch nothing happens: its caches
        hold latents of which no clean ones are there. Nor with `recompute`, which makes the past anew before every chunk.
        """
        if not state.clean or state.spec.recompute is not None:
            return
        if state.spec.recache_sinks:
            state.cache.empty_()
            plan = state.cache.plan([state.clean[0].start], len(state.clean))
        else:
            plan = state.cache.recall()
        kept = list(state.clean)[-plan.frames :]
        numbers = self._upload(as_they_are(state.spec.context_t or 0.0, [each.start for each in kept]))
        latents = torch.cat([each.latent for each in kept], dim=1)
        recache(self._dit, state.rope, state.cache, plan, cross, latents, numbers)

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
        weighed, schedule = plan.memory != 1, schedule_of(state.spec.shift)
        run = partial(stream_batch, self._dit, state.rope, state.batch_cache, cache_plan, weighed, queue.latents)
        inputs = latent, noise, self._upload(schedule.numbers(plan.noise_scale, plan.timesteps, starts, plan.memory))
        if state.graphs is not None and cache_plan.steady:
            clean = state.graphs.run((cache_plan, weighed), run, cross, *inputs)
        else:
            clean = run(cross, *inputs)
        queue.starts = [starts[0], *starts[:-1]]
        if queue.finished_in > 0:
            queue.finished_in -= 1
            return None
        return clean
