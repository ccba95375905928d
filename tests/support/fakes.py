"""Stand-ins for what is live: a scripted source, a sink that remembers, a clock that moves when told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import Sink, Source
from sdv2_live.live.failover import Failover
from sdv2_live.live.input_policy import Policy
from sdv2_live.stats import Counters
from sdv2_live.system.clock import monotonic_ns
from support.waiting import DEADLINE_S


def fake_frame(
    index: int = 0,
    height: int = 16,
    width: int = 16,
    *,
    rate: Fraction = Fraction(30),
    captured_ns: int = 0,
    format: PixelFormat = PixelFormat.RGBX,
) -> Frame:
    """A flat picture whose every byte is `index % 256`."""
    data = np.full((height, width * format.bytes_per_pixel), index % 256, np.uint8)
    return Frame(data, width, height, format, rate, captured_ns, index)


class FakeClock:
    """A monotonic clock that moves when told. `sleep` moves it, so that what sleeps needs no thread and no time."""

    def __init__(self, start_s: float = 1000.0) -> None:
        self._now_ns = round(start_s * 1e9)
        self.slept: list[float] = []  # every sleep asked for, in seconds

    def now(self) -> float:
        """Seconds, as monotonic()."""
        return self._now_ns / 1e9

    def now_ns(self) -> int:
        """Nanoseconds, as monotonic_ns()."""
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        self._now_ns += round(seconds * 1e9)


@dataclass(frozen=True)
class Gap:
    """In a script: nothing comes for so many reads."""

    reads: int


class FakeSource(Source):
    """Gives what its script says, one item a read: a Frame, None (nothing came), a Gap, or an exception to raise.

    clock: None stamps frames as they are; a FakeClock stamps `captured_ns` and is advanced by the timeout of an empty read,
    and by one frame's time before every frame.
    loop: start the script again at its end, in place of ending.
    """

    def __init__(
        self, script: Iterable[Frame | Gap | BaseException | None], *, clock: FakeClock | None = None, loop: bool = False
    ) -> None:
        self.name = "fake"
        self.script: list[Frame | BaseException | None] = []
        for item in script:
            self.script += [None] * item.reads if isinstance(item, Gap) else [item]
        self.reads = 0
        self.closed = 0  # calls of close
        self._clock, self._loop = clock, loop
        self._at = self._given = 0

    def read(self, timeout: float) -> Frame | None:
        self.reads += 1
        if self.ended:
            return None
        item = self.script[self._at]
        self._at = (self._at + 1) % len(self.script) if self._loop else self._at + 1
        if isinstance(item, BaseException):
            raise item
        if item is None:
            if self._clock is not None:
                self._clock.advance(timeout)
            return None
        if self._clock is not None:
            self._clock.advance(float(1 / item.rate))
        index, self._given = self._given, self._given + 1
        stamp = item.captured_ns if self._clock is None else self._clock.now_ns()
        return item.at(rate=item.rate, captured_ns=stamp, index=index)

    @property
    def ended(self) -> bool:
        return bool(self.closed) or self._at >= len(self.script)

    def close(self) -> None:
        self.closed += 1


def only(source: Source, counters: Counters) -> Failover:
    """The source as a show's only input, whose frames pass as they come, however busy the machine."""
    return Failover(source, Policy(lost_s=86400.0, fade_s=0.0), counters)


class FakeSink(Sink):
    """Keeps every frame and when it was sent. `fail` raises in place of the next send; `watched` may be set."""

    def __init__(self, *, now_ns: Callable[[], int] = monotonic_ns, watched: bool = True) -> None:
        self.name = "fake"
        self.frames: list[Frame] = []
        self.times_ns: list[int] = []
        self.fail: BaseException | None = None
        self.closed = 0  # calls of close
        self._watched = watched
        self._now_ns = now_ns
        self._arrived = threading.Condition()

    def send(self, frame: Frame) -> None:
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error
        with self._arrived:
            self.frames.append(frame)
            self.times_ns.append(self._now_ns())
            self._arrived.notify_all()

    def wait_for(self, count: int, timeout: float = DEADLINE_S) -> list[Frame]:
        """The frames, once there are `count`; fails the test when they do not come."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.frames) >= count, timeout), (
                f"{len(self.frames)} of {count} frames came"
            )
            return list(self.frames)

    @property
    def watched(self) -> bool:
        return self._watched

    @watched.setter
    def watched(self, value: bool) -> None:
        self._watched = value

    def close(self) -> None:
        self.closed += 1
