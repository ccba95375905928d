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
    """

    def __init__(self, script: Iterable[Frame | Gap | BaseException | None], *, clock: FakeClock | None = None) -> None:
        self.name = "fake"
        self.script: list[Frame | BaseException | None] = []
        for item in script:
            self.script += [None] * item.reads if isinstance(item, Gap) else [item]
        self.reads = 0
        self.closed = 0  # calls of close
        self._clock = clock
        self._at = self._given = 0

    def read(self, timeout: float) -> Frame | None:
        self.reads += 1
        if self.ended:
            return None
        item = self.script[self._at]
        self._at += 1
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


class Camera(Source):
    """Gives `fps` pictures a second of one grey, `noise` levels of noise above it. What has no underscore may be set at any time.

    on: whether it gives any.
    connected: whether it counts as linked.
    error: raised in place of the next picture.
    clock: whose every tick brings a frame; None waits for them.
    """

    def __init__(
        self,
        name: str = "camera",
        value: int = 40,
        size: tuple[int, int] = (32, 48),
        format: PixelFormat = PixelFormat.RGBX,
        *,
        fps: int = 100,
        noise: int = 3,
        clock: FakeClock | None = None,
    ) -> None:
        self.name, self.value, self.size, self.format = name, value, size, format
        self.fps, self.noise, self.clock = fps, noise, clock
        self.on, self.connected = True, False
        self.error: Exception | None = None
        self.given = 0  # frames so far; the newest one's index
        self._random = np.random.default_rng(value)
        self._stop = threading.Event()

    def read(self, timeout: float) -> Frame | None:
        if self._stop.wait(0 if self.clock else 1 / self.fps) or not self.on:
            return None
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return self.picture()

    def picture(self) -> Frame:
        """The next frame."""
        height, width = self.size
        data = np.full((height, width * self.format.bytes_per_pixel), self.value, np.uint8)
        if self.noise:
            data += self._random.integers(0, self.noise, data.shape, np.uint8)
        self.given += 1
        now = self.clock.now_ns() if self.clock else monotonic_ns()
        return Frame(data, width, height, self.format, Fraction(self.fps), now, self.given)

    @property
    def linked(self) -> bool:
        return self.connected

    @property
    def ended(self) -> bool:
        return self._stop.is_set()

    def close(self) -> None:
        self._stop.set()


class HandCamera(Camera):
    """Gives as many pictures as it is told to, as soon as it is told, stamped 33 ms apart."""

    def __init__(self, size: tuple[int, int] = (32, 32), *, noise: int = 256) -> None:
        self._time = FakeClock(0.0)
        super().__init__("by hand", 0, size, fps=30, noise=noise, clock=self._time)
        self.told = 0  # how many pictures
        self._due = threading.Semaphore(0)

    def give(self, count: int) -> None:
        self.told += count
        self._due.release(count)

    def read(self, timeout: float) -> Frame | None:
        if not self._due.acquire(timeout=timeout):
            return None
        self._time.advance(0.033)
        return self.picture()


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
