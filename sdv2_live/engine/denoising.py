"""The order of a stream's denoising steps: all of a chunk's in turn, or one of each chunk in flight at once (stream_batch).

The steps themselves are in `steps`; here the host says where they begin, what they do to the cache, and which graph holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor

from sdv2_live.engine.scheduler import schedule_of
from sdv2_live.engine.spec import ChunkPlan
from sdv2_live.engine.state import BatchQueue, StreamState
from sdv2_live.engine.steps import sequential, stream_batch
from sdv2_live.engine.transfer import upload
from sdv2_live.errors import EngineError
from sdv2_live.model.dit.dit import CausalDiT, check_starts
from sdv2_live.model.dit.layers import CrossKV


class Denoising:
    """Runs the steps of one chunk with a DiT. It holds weights, never state."""

    def __init__(self, dit: CausalDiT) -> None:
        self._dit = dit

    def __call__(self, latent: Tensor, noise: Tensor, cross: CrossKV, plan: ChunkPlan, state: StreamState) -> Tensor | None:
        """Clean latents (1, F, 16, h, w), or None while stream_batch's pipeline is filling.

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

    def _numbers(self, plan: ChunkPlan, starts: Sequence[int], state: StreamState) -> Tensor:
        return upload(schedule_of(state.spec.shift).numbers(plan.noise_scale, plan.timesteps, starts), self._dit.device)

    def _sequential(self, latent: Tensor, noise: Tensor, cross: CrossKV, plan: ChunkPlan, state: StreamState) -> Tensor:
        """All steps of the chunk, one after the other."""
        frames, count = latent.shape[1], len(plan.timesteps)
        starts = [state.advance(frames)]
        check_starts(starts, frames)
        plans = tuple(state.cache.plan(starts, frames) for _ in range(count))
        run = partial(sequential, self._dit, state.rope, state.cache, plans)
        inputs = latent, noise, self._numbers(plan, starts * count, state)
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
        run = partial(stream_batch, self._dit, state.rope, state.batch_cache, cache_plan, queue.latents)
        inputs = latent, noise, self._numbers(plan, starts, state)
        if state.graphs is not None and cache_plan.steady:
            clean = state.graphs.run(cache_plan, run, cross, *inputs)
        else:
            clean = run(cross, *inputs)
        queue.starts = [starts[0], *starts[:-1]]
        if queue.finished_in > 0:
            queue.finished_in -= 1
            return None
        return clean
