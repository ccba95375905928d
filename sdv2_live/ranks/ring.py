"""The leader's end of a ring: a transformer of which this process has some blocks, and the other ranks the rest.

It stands wherever the engine has a transformer. What is done to it (memory, prompts, calls) is done to the parts of the others,
too: they are told, in the same order. A call's stream of tokens goes around the ring once and comes back as the flow.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.kv_cache import CachePlan, KVCache
from sdv2_live.model.dit.layers import Call, CrossKV, Times
from sdv2_live.model.lora.lora import LoraSet
from sdv2_live.ranks.group import Member
from sdv2_live.ranks.links import Coming
from sdv2_live.ranks.messages import CacheOp, Drop, NewCache, Prompt, Scales, Step
from sdv2_live.ranks.stopwatch import Stopwatch
from sdv2_live.system.clock import monotonic

PASSES = 4  # around the ring, of which the fastest counts


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of calls to come that all ranks need: timestep, start and memory of each, see `steps`."""

    timesteps: tuple[float, ...] = ()
    starts: tuple[int, ...] = ()
    memories: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class RingTimes(Times):
    """The modulation of some calls, and the numbers that it was made of, at once. which: the calls that it is for."""

    numbers: Numbers = Numbers()
    which: tuple[int, int] = (0, 0)

    def rows(self, begin: int, end: int, frames: int) -> RingTimes:
        part = Times(self.e, self.vectors).rows(begin, end, frames)
        return RingTimes(part.e, part.vectors, self.numbers, (begin, end))

    def of(self, i: int, frames: int) -> RingTimes:
        return self.rows(i, i + 1, frames)


@dataclass(frozen=True, slots=True)
class RingCross(CrossKV):
    """A prompt's keys and values in the leader's blocks, and the number under which the others have theirs."""

    number: int = 0


class RingCache(KVCache):
    """A cache of the leader's blocks; the others have theirs under its number, and what is done to it is done to them."""

    number: int
    member: Member

    @classmethod
    def of(cls, own: KVCache, number: int, member: Member) -> RingCache:
        """The same cache, of which the others are told."""
        cache = cls.__new__(cls)
        vars(cache).update(vars(own))
        cache.number, cache.member = number, member
        return cache

    def reset_(self) -> None:
        self._tell("reset_")
        super().reset_()  # which empties it: the others are told twice

    def empty_(self) -> None:
        self._tell("empty_")
        super().empty_()

    def copy_level_(self, source: KVCache) -> None:
        assert isinstance(source, RingCache)
        self._tell("copy_level_", source.number)
        super().copy_level_(source)

    def flush_(self) -> None:
        self._tell("flush_")
        super().flush_()

    def recall(self) -> CachePlan:
        self._tell("recall")
        return super().recall()

    def _tell(self, call: Any, source: int | None = None) -> None:
        self.member.tell(CacheOp(self.number, call, self.counts, source))


class RingDit(CausalDiT):
    """The whole transformer, as the leader runs it."""

    def __init__(self, own: CausalDiT, member: Member) -> None:
        """own: the leader's blocks, none or the first ones."""
        nn.Module.__init__(self)
        vars(self).update(vars(own))  # the same layers
        self.member = member
        self.hop_ms = 0.0  # of a call's tensor from one rank to the next, as measured last
        self.watch = Stopwatch(own.device)  # of the leader's blocks
        self._numbers = count(1)
        self._gone: deque[int] = deque()  # numbers of what nobody has any more, on whatever thread that happened
        self._expected = Numbers()
        self._measured: tuple[int, ...] = ()  # shape of the tensors that hop_ms is of

    def new_cache(self, spec: CacheSpec, latent_hw: tuple[int, int], levels: int = 1, **options: Any) -> KVCache:
        self._drop()
        number = next(self._numbers)
        self.member.tell(NewCache(number, spec, latent_hw, levels, options.get("by_place", False)))
        cache = RingCache.of(super().new_cache(spec, latent_hw, levels, **options), number, self.member)
        weakref.finalize(cache, self._gone.append, number).atexit = False
        return cache

    def condition(self, context_1ND: Tensor) -> CrossKV:
        self._drop()
        number, embedding = next(self._numbers), context_1ND.to(self.dtype).contiguous()
        self.member.tell(Prompt(number, embedding.shape[1]), embedding)
        if len(self.blocks):
            own = super().condition(context_1ND)
            cross = RingCross(own.k, own.v, own.bias, number)
        else:
            nothing = torch.empty(0, device=self.device)
            cross = RingCross(nothing, nothing, None, number)
        weakref.finalize(cross, self._gone.append, number).atexit = False
        return cross

    def expect(self, numbers: Tensor) -> None:
        """Take note of the numbers of the calls to come while they are on the host: see `steps`."""
        timesteps, *_, starts, memories = numbers.T.tolist()
        self._expected = Numbers(tuple(timesteps), tuple(map(int, starts)), tuple(memories))

    def times(self, t_BF: Tensor) -> Times:
        rows = len(t_BF)
        own = super().times(t_BF) if len(self.blocks) else Times(torch.empty(rows, 1, 1), torch.empty(0, rows, 1, 6, 1))
        return RingTimes(own.e, own.vectors, replace(self._expected, timesteps=self._expected.timesteps[:rows]), (0, rows))

    def flow(self, x_BFCHW: Tensor, times: Times, call: Call) -> Tensor:
        return self.launch(x_BFCHW, times, call)()

    def launch(self, x_BFCHW: Tensor, times: Times, call: Call) -> Coming:
        """Do the leader's part of `flow`, and return what waits for the rest of it."""
        self._send(x_BFCHW, times, call)
        if call.unread:
            return lambda: x_BFCHW
        return self.member.before.receive(x_BFCHW.shape, self.dtype)

    def measure(self, shape: Sequence[int]) -> None:
        """Measure how long tensors of this shape are on their way, while the ring has nothing to do."""
        if tuple(shape) == self._measured:
            return
        tensor, rounds = torch.zeros(tuple(shape), dtype=self.dtype, device=self.device), []
        for _ in range(PASSES):
            begin = monotonic()
            self.member.around(tensor).sum().item()
            rounds.append(monotonic() - begin)
        self.hop_ms, self._measured = 1e3 * min(rounds) / self.member.size, tuple(shape)

    def _send(self, x_BFCHW: Tensor, times: Times, call: Call) -> None:
        assert isinstance(times, RingTimes)
        assert isinstance(call.cache, RingCache)
        assert isinstance(call.cross, RingCross)
        (begin, end), numbers = times.which, times.numbers
        starts = numbers.starts[begin:end] if len(numbers.starts) == len(numbers.timesteps) else numbers.starts
        memory = None if call.memory is None else numbers.memories[begin]
        cache, prompt = call.cache.number, call.cross.number
        step = Step(cache, call.plan, starts, numbers.timesteps, times.which, prompt, call.unread, memory)
        self.member.tell(step)
        with self.watch():
            x = self.part(x_BFCHW, times, call, (x_BFCHW.shape[3], x_BFCHW.shape[4])) if len(self.blocks) else x_BFCHW.float()
        self.member.after.send(x)

    def _drop(self) -> None:
        gone = [self._gone.popleft() for _ in range(len(self._gone))]
        for i in range(0, len(gone), 100):
            self.member.tell(Drop(tuple(gone[i : i + 100])))


@dataclass
class RingLoras(LoraSet):
    """The LoRAs of all ranks: scales hold from the same chunk on everywhere."""

    member: Member | None = field(default=None)

    @classmethod
    def of(cls, own: LoraSet, member: Member) -> RingLoras:
        """The same set, of which the others are told."""
        loras = cls(member=member)
        vars(loras).update(vars(own))
        return loras

    def apply(self, scales: Sequence[float]) -> tuple[float, ...]:
        if self.changed_by(scales) and self.member is not None:
            self.member.tell(Scales(tuple(scales)))
        return super().apply(scales)
