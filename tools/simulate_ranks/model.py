"""The events of a ring: stages on ranks, tensors on links, chunks in flight.

A rank does one thing at a time: of what is ready calls first, then decoding, of each the oldest chunk's. As on a GPU, whose lanes
have priorities, encoding and decoding are interrupted between their kernels (slices) by a call that becomes ready. A link passes
one tensor at a time, beside what its ranks compute. A chunk is encoded, goes around the ring once for each step, and is decoded.
What has to wait:

- a step for the step before it, back from the last rank;
- with one cache for all steps (sequential) a chunk's first step, on each rank, for the last step of the chunk before it;
- with a cache for each step (stream_batch) a step, on each rank, for the same step of the chunk before it;
- in this program (in_turn) such a step also, on the leader, for the steps that were launched before it: with each chunk comes its
  first step, then the second one of the chunk before it, and so on;
- a chunk, before it is encoded, for the one that is as many chunks before it as may be in flight.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

CALL, DECODE, ENCODE = 0, 1, 2
SLICES = 32  # of encoding and of decoding


@dataclass(frozen=True, slots=True)
class Stages:
    """One rank. Seconds: encode and decode of a chunk, 0 where it does not; call: all its blocks once, 0 where it has none."""

    call: float
    encode: float = 0.0
    decode: float = 0.0


@dataclass(frozen=True, slots=True)
class Ring:
    """What is simulated.

    Attributes:
        ranks: in the order of the ring; the first encodes.
        steps: calls a chunk.
        alone: one cache for all steps (sequential); else one for each (stream_batch).
        hop: seconds on a link of what passes between blocks.
        back: seconds on a link of a latent: to the first block and back from the last.
        latency: of these, what a link is not busy with.
        in_turn: with a cache for each step, steps begin in the order in which this program launches them.
    """

    ranks: tuple[Stages, ...]
    steps: int
    alone: bool
    hop: float = 0.0
    back: float = 0.0
    latency: float = 0.0
    in_turn: bool = False

    @property
    def with_blocks(self) -> list[int]:
        """The ranks that have blocks, in order."""
        return [i for i, rank in enumerate(self.ranks) if rank.call > 0] or [0]

    @property
    def decoder(self) -> int:
        """The rank that decodes."""
        return max(range(len(self.ranks)), key=lambda i: self.ranks[i].decode)


class Task(NamedTuple):
    """A stage of a chunk on a rank, in the order in which stages are taken.

    Attributes:
        kind: 0 of a call, 1 of decoding, 2 of encoding.
        late: the step, negative: later ones come first.
    """

    kind: int
    chunk: int
    late: int
    rank: int

    @classmethod
    def call(cls, chunk: int, step: int, rank: int) -> Task:
        """One call of a rank's blocks."""
        return cls(CALL, chunk, -step, rank)

    @property
    def step(self) -> int:
        """Of a call."""
        return -self.late


@dataclass(slots=True)
class Run:
    """What happened. order: each rank's tasks; began, ended: seconds of each."""

    order: list[list[Task]]
    began: dict[Task, float] = field(default_factory=dict)
    ended: dict[Task, float] = field(default_factory=dict)
    busy: list[float] = field(default_factory=list)

    def decoded(self) -> list[float]:
        """When each chunk's pictures were there."""
        return [end for task, end in sorted(self.ended.items()) if task.kind == DECODE]

    @property
    def period(self) -> float:
        """Seconds between two chunks, in the middle of the run: neither does the ring fill then, nor run empty."""
        ends = self.decoded()
        first, last = len(ends) // 4, 3 * len(ends) // 4
        return (ends[last] - ends[first]) / (last - first)

    @property
    def latency(self) -> float:
        """Seconds from a chunk's encoding to its pictures, on average in the middle of the run."""
        ends = self.decoded()
        begins = [begin for task, begin in sorted(self.began.items()) if task.kind == ENCODE]
        waits = [end - begin for begin, end in zip(begins, ends, strict=True)][len(ends) // 4 : 3 * len(ends) // 4]
        return sum(waits) / len(waits)

    @property
    def shares(self) -> list[float]:
        """The share of the time that each rank computes."""
        return [busy / max(self.ended.values()) for busy in self.busy]


def tasks_of(ring: Ring, chunk: int) -> list[Task]:
    """All stages of a chunk."""
    calls = [Task.call(chunk, step, rank) for step in range(ring.steps) for rank in ring.with_blocks]
    return [Task(ENCODE, chunk, 0, 0), *calls, Task(DECODE, chunk, 0, ring.decoder)]


def needs(ring: Ring, task: Task, in_flight: int) -> Iterator[tuple[Task, float, bool]]:
    """What a stage waits for: the stage, the seconds on a link, and whether that link is between two ranks with blocks."""
    chunk, step, rank = task.chunk, task.step, task.rank
    first, last = ring.with_blocks[0], ring.with_blocks[-1]
    if task.kind == ENCODE:
        if chunk >= in_flight:
            yield Task(DECODE, chunk - in_flight, 0, ring.decoder), 0.0, False
    elif task.kind == DECODE:
        yield Task.call(chunk, ring.steps - 1, last), 0.0 if last == rank else ring.back, False
    else:
        if rank != first:
            yield Task.call(chunk, step, ring.with_blocks[ring.with_blocks.index(rank) - 1]), ring.hop, True
        elif step:  # the leader makes the next step's latent of the one that comes back
            yield Task.call(chunk, step - 1, last), ring.back * ((last != 0) + (first != 0)), False
        else:
            yield Task(ENCODE, chunk, 0, 0), 0.0 if first == 0 else ring.back, False
        if chunk and not (ring.alone and step):
            yield Task.call(chunk - 1, ring.steps - 1 if ring.alone else step, rank), 0.0, False
        if ring.in_turn and not ring.alone and rank == first:
            if step:
                yield Task.call(chunk + 1, step - 1, rank), 0.0, False
            elif chunk >= ring.steps:
                yield Task.call(chunk - ring.steps, ring.steps - 1, rank), 0.0, False


def seconds_of(ring: Ring, task: Task) -> float:
    """How long a stage takes."""
    rank = ring.ranks[task.rank]
    return (rank.call, rank.decode, rank.encode)[task.kind]


def simulate(
    ring: Ring,
    in_flight: int,
    chunks: int = 60,
    slices: int = SLICES,
    measured: Mapping[Task, float] | None = None,
    ways: Mapping[Task, float] | None = None,
) -> Run:
    """Run so many chunks, of which so many may be in flight, with input that is always there.

    Args:
        measured: seconds of each stage, in place of the ring's.
        ways: seconds on a link of what a stage waits for from another rank, in place of the ring's.
    """
    simulation = _Simulation(ring, in_flight, chunks, slices, measured or {}, ways or {})
    while simulation.events:
        simulation.advance()
    return simulation.run


class _Simulation:
    """The state between two moments."""

    def __init__(
        self, ring: Ring, in_flight: int, chunks: int, slices: int, measured: Mapping[Task, float], ways: Mapping[Task, float]
    ) -> None:
        self._measured, self._ways = measured, ways
        self.run = Run([[] for _ in ring.ranks], busy=[0.0] * len(ring.ranks))
        self._ring = ring
        self._waits: dict[Task, int] = {}
        self._followers: defaultdict[Task, list[tuple[Task, float, bool]]] = defaultdict(list)
        for task in (task for chunk in range(chunks) for task in tasks_of(ring, chunk)):
            found = [each for each in needs(ring, task, in_flight) if each[0].chunk < chunks]
            self._waits[task] = len(found)
            for need, way, link in found:
                self._followers[need].append((task, way, link))
        self._left = {task: slices if task.kind != CALL else 1 for task in self._waits}
        self._slices = dict(self._left)
        self._arrived: defaultdict[Task, float] = defaultdict(float)  # the last of what a stage waits for
        self._ready: list[list[Task]] = [[] for _ in ring.ranks]
        self._free, self._link_free = [0.0] * len(ring.ranks), [0.0] * len(ring.ranks)
        self.events = [(0.0, False, task) for task, count in self._waits.items() if not count]  # when, over or ready, what
        heapq.heapify(self.events)

    def advance(self) -> None:
        """Have all happen that happens at the next moment, then all ranks that are free begin something."""
        now = self.events[0][0]
        while self.events and self.events[0][0] == now:
            _, over, task = heapq.heappop(self.events)
            if over and not self._left[task]:
                self._pass_on(task, now)
            else:
                heapq.heappush(self._ready[task.rank], task)
        for rank, tasks in enumerate(self._ready):
            if tasks and self._free[rank] <= now:
                self._begin(heapq.heappop(tasks), now)

    def _pass_on(self, task: Task, now: float) -> None:
        self.run.ended[task] = now
        for follower, way, link in self._followers[task]:
            if follower.rank != task.rank and follower in self._ways:
                way, link = self._ways[follower], False
            begins = max(now, self._link_free[task.rank]) if link else now  # a link passes one tensor after the other
            if link:
                self._link_free[task.rank] = begins + max(way - self._ring.latency, 0.0)
            self._arrived[follower] = max(self._arrived[follower], begins + way)
            self._waits[follower] -= 1
            if not self._waits[follower]:
                heapq.heappush(self.events, (self._arrived[follower], False, follower))

    def _begin(self, task: Task, now: float) -> None:
        if task not in self.run.began:
            self.run.began[task] = now
            self.run.order[task.rank].append(task)
        self._left[task] -= 1
        slice_ = self._measured.get(task, seconds_of(self._ring, task)) / self._slices[task]
        self._free[task.rank] = now + slice_
        self.run.busy[task.rank] += slice_
        heapq.heappush(self.events, (now + slice_, True, task))


def settled(ring: Ring, gain: float = 0.01) -> tuple[int, Run]:
    """The fewest chunks in flight with which the ring is within `gain` of its best, and that run."""
    low, high = 1, 2 * (len(ring.ranks) + ring.steps)
    found = simulate(ring, high)
    enough = (1 + gain) * found.period
    while low < high:
        middle = (low + high) // 2
        run = simulate(ring, middle)
        if run.period <= enough:
            high, found = middle, run
        else:
            low = middle + 1
    return high, found


def stages(calls: Sequence[float], encode: float, decode: float, decoder: int = 0) -> tuple[Stages, ...]:
    """Ranks of these calls; the first encodes."""
    return tuple(Stages(call, encode if i == 0 else 0.0, decode if i == decoder else 0.0) for i, call in enumerate(calls))
