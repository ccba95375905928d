"""A chunk's steps on a ring, which is kept full: the next chunk follows as soon as nothing of it depends on this one.

In `sequential` that is when a chunk's last step has left the leader: a rank then has the keys and values that the next one sees.
In `stream_batch` the levels go around one by one, each as soon as the one below it is back from its last round.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sdv2_live.engine.denoising import Denoising
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.scheduler import schedule_of
from sdv2_live.engine.spec import ChunkPlan, Schedule, StreamSpec
from sdv2_live.engine.state import BatchQueue, StreamState
from sdv2_live.engine.steps import clean, noised
from sdv2_live.errors import EngineError
from sdv2_live.model.dit.dit import CausalDiT, check_starts
from sdv2_live.model.dit.kv_cache import KVCache
from sdv2_live.model.dit.layers import PATCH, CrossKV
from sdv2_live.model.lora.lora import LoraLinear
from sdv2_live.ranks.links import Coming
from sdv2_live.ranks.ring import RingDit


@dataclass(frozen=True, slots=True)
class _Round:
    """A level's latent on its way around the ring: what it was, and what comes back."""

    latent: Tensor
    sigma: Tensor
    flow: Coming

    def clean(self) -> Tensor:
        return clean(self.latent, self.flow(), self.sigma)


class _Last:
    """A chunk's last round, which is waited for once, whoever does so first; the stream then keeps its latents."""

    def __init__(self, last: _Round, state: StreamState, start: int) -> None:
        self._lock = threading.Lock()
        self._clean: Tensor | None = None
        self._waited: tuple[_Round, StreamState, int] | None = (last, state, start)

    @property
    def done(self) -> bool:
        """True when somebody has waited for it."""
        return self._waited is None

    @torch.inference_mode()
    def __call__(self) -> Tensor:
        with self._lock:
            if self._waited is not None:
                last, state, start = self._waited
                self._clean, self._waited = last.clean(), None
                if state.queue is None:
                    state.keep(self._clean, start)
            assert self._clean is not None
            return self._clean


class Levels:
    """stream_batch's caches, each level's of its own."""

    def __init__(self, caches: list[KVCache]) -> None:
        self.each = caches

    def reset_(self) -> None:
        """Empty all of them."""
        for cache in self.each:
            cache.reset_()

    def flush_(self) -> None:
        """Flush all of them."""
        for cache in self.each:
            cache.flush_()

    def copy_level_(self, source: KVCache) -> None:
        """Copy a cache into each of them."""
        for cache in self.each:
            cache.copy_level_(source)


@dataclass
class RingQueue(BatchQueue):
    """stream_batch's latents in flight, of which some may be on the ring: rounds, by level, are those of the last call.

    With them stay the noise (levels, 1, 1, 16, h, w) and the shares (levels,) that make the next step's latents of them.
    """

    rounds: list[_Round] = field(default_factory=list)
    noise: Tensor | None = None
    shares: tuple[Tensor, Tensor] | None = None

    def reset_(self) -> None:
        for one in self.rounds:
            one.flow()  # nobody needs it, but what follows comes behind it
        self.rounds, self.noise, self.shares = [], None, None
        super().reset_()


class RingEngine(Engine):
    """The engine over a transformer on a ring."""

    dit: RingDit

    def __init__(self, dit: RingDit, *arguments: Any, **options: Any) -> None:
        super().__init__(dit, *arguments, **options)
        self.denoising = RingDenoising(dit)

    def new_state(self, spec: StreamSpec) -> StreamState:
        state = super().new_state(spec)
        tokens = (spec.latent_hw[0] // PATCH) * (spec.latent_hw[1] // PATCH)
        if spec.schedule is Schedule.STREAM_BATCH and levels_apart(self.dit, tokens, spec.levels):
            assert state.queue is not None
            levels: Any = Levels([self.dit.new_cache(spec.cache, spec.latent_hw) for _ in range(spec.levels)])
            state.batch_cache, state.queue = levels, RingQueue(state.queue.latents)
        with torch.inference_mode():
            self.dit.measure((1, spec.block, tokens, self.dit.config.dim))
        return state


class RingDenoising(Denoising):
    """Runs the steps of one chunk on a ring. Latents that only the last rank has to finish are given as what waits for them."""

    _dit: RingDit

    def __init__(self, dit: RingDit) -> None:
        super().__init__(dit)
        self._pending: deque[_Last] = deque(maxlen=8)  # chunks that nobody may have waited for yet

    def _upload(self, numbers: Tensor) -> Tensor:
        self._dit.expect(numbers)
        return super()._upload(numbers)

    def _sequential(self, latent: Tensor, noise: Tensor, cross: CrossKV, plan: ChunkPlan, state: StreamState) -> Any:
        spec, count, frames = state.spec, len(plan.timesteps), latent.shape[1]
        if spec.clean_past or not count:
            return super()._sequential(latent, noise, cross, plan, state)
        start = state.advance(frames)
        check_starts([start], frames)
        plans = [state.cache.plan([start], frames) for _ in range(count)]
        numbers = self._upload(schedule_of(spec.shift).numbers(plan.noise_scale, plan.timesteps, [start] * count, plan.memory))
        timestep, sigma, noise_share, clean_share, position, memory = numbers.unbind(1)
        times = self._dit.times(timestep[:, None])
        rotations = state.rope.rotations(position[:1].long(), frames, *_grid(latent))
        x, before = latent, None
        for i, each in enumerate(plans):
            if before is not None:
                x = before.clean()
            x = noised(x, noise[i], clean_share[i], noise_share[i])
            call = self._dit.call(rotations, state.cache, each, cross, memory[i] if plan.memory != 1 else None)
            before = _Round(x, sigma[i], self._dit.launch(x, times.of(i, frames), call))
        assert before is not None
        last = _Last(before, state, start)
        while self._pending and self._pending[0].done:
            self._pending.popleft()
        self._pending.append(last)
        return last

    def recache(self, cross: CrossKV, state: StreamState) -> None:
        for last in self._pending:
            last()  # it is one of the latents that the past is made of
        super().recache(cross, state)

    def _stream_batch(
        self, latent: Tensor, noise: Tensor, cross: CrossKV, plan: ChunkPlan, state: StreamState, queue: BatchQueue
    ) -> Any:
        if not isinstance(queue, RingQueue):
            return super()._stream_batch(latent, noise, cross, plan, state, queue)
        if latent.shape[1] != 1:
            raise EngineError(f"stream_batch takes one latent a chunk after its first, not {latent.shape[1]}")
        caches: Any = state.batch_cache
        starts = [state.advance(1), *queue.starts[1:]]
        check_starts(starts, 1)
        plans = [cache.plan([start], 1) for cache, start in zip(caches.each, starts, strict=True)]
        numbers = self._upload(schedule_of(state.spec.shift).numbers(plan.noise_scale, plan.timesteps, starts, plan.memory))
        timestep, sigma, noise_share, clean_share, position, memory = numbers.unbind(1)
        times, grid = self._dit.times(timestep[:, None]), _grid(latent)
        rotations = state.rope.rotations(position.long(), 1, *grid)
        rounds: list[_Round] = []
        for i, each in enumerate(plans):
            if i == 0:
                x = noised(latent, noise[0], clean_share[0], noise_share[0])
            elif queue.rounds:  # the level below, as the last call has left it
                assert queue.noise is not None
                assert queue.shares is not None
                x = noised(queue.rounds[i - 1].clean(), queue.noise[i], queue.shares[0][i], queue.shares[1][i])
            else:
                x = queue.latents[i : i + 1]
            x = x.contiguous()  # as latents in flight are: a CPU's convolutions round otherwise where channels come last
            call = self._dit.call(rotations[i : i + 1], caches.each[i], each, cross, memory[i] if plan.memory != 1 else None)
            rounds.append(_Round(x, sigma[i], self._dit.launch(x, times.of(i, 1), call)))
        queue.rounds, queue.noise, queue.shares = rounds, noise, (clean_share, noise_share)
        queue.starts = [starts[0], *starts[:-1]]
        last = torch.inference_mode()(rounds[-1].clean)
        if queue.finished_in > 0:
            queue.finished_in -= 1
            return None
        return last


def levels_apart(dit: CausalDiT, tokens: int, levels: int) -> bool:
    """True when one level after the other gives what all at once give, as far as that is promised.

    On a CPU a matrix product of fewer rows may round otherwise. Then levels stay together: a show on one rank and on several
    paints the same. GPUs promise no such thing.
    """
    if dit.device.type != "cpu":
        return True
    config, generator = dit.config, torch.Generator().manual_seed(0)
    patch = PATCH * PATCH * config.channels
    shapes = [(config.dim, 3 * config.dim), (config.dim, config.dim), (config.dim, config.ffn), (config.ffn, config.dim)]
    shapes += [(config.dim, patch), (patch, config.dim)]
    for layer in dit.modules():
        if isinstance(layer, LoraLinear):
            shapes += [(weight.shape[1], weight.shape[0]) for weight in (layer.down, layer.up)]
    for inner, outer in dict.fromkeys(shapes):
        x = torch.randn(levels, tokens, inner, generator=generator).to(dit.dtype)
        weight, bias = torch.randn(outer, inner, generator=generator).to(dit.dtype), torch.zeros(outer, dtype=dit.dtype)
        apart = torch.cat([F.linear(x[i : i + 1], weight, bias) for i in range(levels)])
        if not torch.equal(F.linear(x, weight, bias), apart):
            return False
    return True


def _grid(latent: Tensor) -> tuple[int, int]:
    """Rows and columns of a latent frame's tokens."""
    return latent.shape[-2] // PATCH, latent.shape[-1] // PATCH
