"""Counters and rolling statistics of a running show. All of them are safe to use from any thread."""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from threading import Lock
from typing import Any

from sdv2_live.system.clock import monotonic


class Counters:
    """Named running totals. A name exists from its first `add`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._totals: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> None:
        """Count `count` more of `name`."""
        with self._lock:
            self._totals[name] = self._totals.get(name, 0) + count

    def __getitem__(self, name: str) -> int:
        """The total so far; 0 for a name never counted."""
        with self._lock:
            return self._totals.get(name, 0)

    def snapshot(self) -> dict[str, int]:
        """All totals at one moment, by name in order of first use."""
        with self._lock:
            return dict(self._totals)


def total(doc: str) -> Any:
    """A running total as a field of a dataclass, with the sentence that describes it wherever it is published."""
    return field(default=0, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class Fill:
    """Fill of a queue: its length now, and the length that it never exceeds."""

    length: int
    bound: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Statistics of the values in a window, in their own unit; all 0 when it is empty."""

    count: int = 0
    mean: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0


# Upper bounds of a distribution's buckets, in seconds: a frame time of 60 fps is 0.017, a chunk of 30 fps 0.133.
BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.133, 0.167, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0, 5.0, math.inf)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram of all times since the start, in seconds: one count for each bound of BUCKETS."""

    counts: tuple[int, ...] = (0,) * len(BUCKETS)
    sum: float = 0.0

    def cumulative(self) -> list[tuple[float, int]]:
        """Ascending pairs of a bound and the number of values up to it."""
        return list(zip(BUCKETS, accumulate(self.counts), strict=True))


class Window:
    """The last `size` values, in milliseconds, and their statistics; of all values, the distribution."""

    def __init__(self, size: int = 256) -> None:
        self._lock = Lock()
        self._values: deque[float] = deque(maxlen=size)
        self._counts = [0] * len(BUCKETS)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Take in a value; the oldest one leaves when the window is full."""
        seconds = value / 1e3
        with self._lock:
            self._values.append(value)
            self._counts[bisect_left(BUCKETS, seconds)] += 1
            self._sum += seconds

    def distribution(self) -> Distribution:
        """All values since the start."""
        with self._lock:
            return Distribution(tuple(self._counts), self._sum)

    def summary(self) -> Summary:
        """Mean, maximum and percentiles by nearest rank: p95 is the smallest value that 95 % do not exceed."""
        with self._lock:
            values = sorted(self._values)
        if not values:
            return Summary()
        p50, p95, p99 = (values[-(-len(values) * percent // 100) - 1] for percent in (50, 95, 99))
        return Summary(len(values), sum(values) / len(values), p50, p95, p99, values[-1])


class StageTimer:
    """Wall time of named stages: `with timer("decode"): ...`. Costs about two microseconds; a stage that raises counts too.

    On a GPU this is the time to launch the work, unless the stage waits for it.
    """

    def __init__(self, size: int = 256, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._size = size
        self._clock = clock
        self._lock = Lock()
        self._stages: dict[str, Window] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = self._clock()
        try:
            yield
        finally:
            self.add(stage, (self._clock() - start) / 1e6)

    def add(self, stage: str, ms: float) -> None:
        """Take in `ms` milliseconds that were measured elsewhere, for instance by a CUDA event."""
        with self._lock:
            window = self._stages.get(stage)
            if window is None:
                window = self._stages[stage] = Window(self._size)
        window.add(ms)

    def clear(self) -> None:
        """Forget all measurements so far, for instance after a warm-up."""
        with self._lock:
            self._stages.clear()

    def summaries(self) -> dict[str, Summary]:
        """Statistics in milliseconds by stage, in order of first use."""
        with self._lock:
            stages = dict(self._stages)
        return {stage: window.summary() for stage, window in stages.items()}

    def distributions(self) -> dict[str, Distribution]:
        """All times since the start, by stage."""
        with self._lock:
            stages = dict(self._stages)
        return {stage: window.distribution() for stage, window in stages.items()}


class Rate:
    """Events per second over the last `seconds`, and 0 once none came for that long.

    Until the first `seconds` have passed, the rate is over the time since the first event.
    """

    def __init__(self, seconds: float = 2.0, clock: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._events: deque[tuple[float, int]] = deque()
        self._first: float | None = None

    def add(self, count: int = 1) -> None:
        """`count` events happened now."""
        now = self._clock()
        with self._lock:
            if self._first is None:
                self._first = now
            self._events.append((now, count))
            self._forget(now)

    def per_second(self) -> float:
        """The rate now."""
        now = self._clock()
        with self._lock:
            self._forget(now)
            if self._first is None or not self._events:
                return 0.0
            elapsed = min(self._seconds, now - self._first)
            # Events that opened the count close no interval: 31 frames in the first second are 30 per second.
            events = sum(count for moment, count in self._events if moment != self._first)
            return events / elapsed if elapsed > 0 else 0.0

    def _forget(self, now: float) -> None:
        while self._events and self._events[0][0] <= now - self._seconds:
            self._events.popleft()
        if not self._events:
            self._first = None  # after a gap the rate builds up anew
