"""The tempo of a MIDI clock: 24 clocks a beat, with the jitter of drivers, blocks and cables."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from sdv2_live.music.tempo import BPM_MAX, BPM_MIN, Tempo

CLOCKS_PER_BEAT = 24
CLOCKS_PER_SIXTEENTH = 6  # song positions count in sixteenths
WINDOW = 96  # clocks that the line is laid through: four beats
FIRST = 24  # clocks before there is a tempo, and before a slope is believed without a look at the one before
CHANGED = 6  # residuals in a row that are no jitter: the tempo or the place is another
TOLERANCE_SD, TOLERANCE_NS = 4.0, 2e6
UNSETTLED = 1.25  # clocks: the tolerance before the window was full for the first time
SURE_SD = 3.0  # a slope of few clocks that differs by more than this from the one before is another tempo
SILENT_BEATS = 2

_SLOWEST_NS = 60e9 / BPM_MIN / CLOCKS_PER_BEAT
_SHORTEST_NS = 60e9 / BPM_MAX / CLOCKS_PER_BEAT


class _Line:
    """The least-squares line through the newest WINDOW points (count, time). Its sums are whole numbers, and stay exact."""

    def __init__(self) -> None:
        self._points: deque[tuple[int, int]] = deque()
        self._sums = (0, 0, 0, 0, 0)  # of count, time, count squared, count times time, time squared

    def __len__(self) -> int:
        return len(self._points)

    def add(self, count: int, at_ns: int) -> None:
        self._points.append((count, at_ns))
        self._sum(count, at_ns, 1)
        if len(self._points) > WINDOW:
            self._sum(*self._points.popleft(), -1)

    def _sum(self, count: int, at_ns: int, sign: int) -> None:
        new = (count, at_ns, count * count, count * at_ns, at_ns * at_ns)
        self._sums = tuple(old + sign * one for old, one in zip(self._sums, new, strict=True))  # type: ignore[assignment]  # five

    @property
    def spread(self) -> float:
        """Sum of the squared distances of the counts from their mean."""
        counts, _, squares, _, _ = self._sums
        return (len(self) * squares - counts * counts) / len(self)

    @property
    def slope(self) -> float:
        """Nanoseconds a count, of two points or more."""
        counts, times, squares, products, _ = self._sums
        return (len(self) * products - counts * times) / (len(self) * squares - counts * counts)

    @property
    def scatter(self) -> float:
        """Standard deviation of the points from the line in nanoseconds, of three points or more."""
        counts, times, squares, products, time_squares = self._sums
        n = len(self)
        counts_2, mixed, times_2 = n * squares - counts**2, n * products - counts * times, n * time_squares - times**2
        return math.sqrt(max(counts_2 * times_2 - mixed**2, 0) / (counts_2 * n * (n - 2)))

    def at(self, count: int, slope: float) -> float:
        """The time of a count on a line of this slope through the points' mean."""
        counts, times, *_ = self._sums
        return times / len(self) + slope * (count - counts / len(self))


class MidiClock:
    """A least-squares line through the times of the newest clocks. Times are `system.clock.monotonic_ns`. Not thread-safe.

    The first clock after a start is beat 0; after a continue it is the song position. While the song stands, clocks count on, so
    that the beat goes on. Clocks that were lost are counted by the time that they took.

    Attributes:
        placed: True once the sender has said where in the song it is; before that, any beat may be the first of a bar.
        breaks: number of times that the clock was suddenly of another tempo, or elsewhere.
    """

    def __init__(self) -> None:
        self.placed = False
        self.breaks = 0
        self._line = _Line()
        self._count = 0  # clocks so far
        self._newest: int | None = None  # when the newest came
        self._next = 0  # place of the clock to come: its count since the song's start
        self._song: int | None = None  # where the song stands; None while it plays
        self._pointer: int | None = None  # the song position that was sent, until it is known whether the song stood
        self._unplaced = 0  # clocks since the sender last said where it is
        self._period_ns = 0.0  # the line's slope; 0 before there is one
        self._jitter_ns = 0.0  # standard deviation of the clocks' times
        self._settled = False  # the jitter is known
        self._off: list[tuple[int, int, float]] = []  # count, time and lateness of the newest, since one was where it should be

    def start(self) -> None:
        """Take a start: the next clock is beat 0."""
        self._song, self._pointer, self.placed = None, None, True
        self._place(0)

    def go_on(self) -> None:
        """Take a continue: the next clock is where the song stands."""
        at = self._pointer if self._song is None else self._song  # without a stop: it stood before the sender was heard
        if at is not None:
            self._place(at)
        self._song = self._pointer = None

    def stop(self) -> None:
        """Take a stop: the song stands."""
        self._pointer = None
        if self._song is None:
            self._song = self._next

    def position(self, sixteenths: int) -> None:
        """Take a song position."""
        self.placed = True
        if self._song is None:
            self._pointer = sixteenths * CLOCKS_PER_SIXTEENTH
            self._place(self._pointer)
        else:
            self._song = sixteenths * CLOCKS_PER_SIXTEENTH

    def clock(self, at_ns: int) -> None:
        """Take a clock that came at `at_ns`."""
        silent = self._newest is not None and at_ns - self._newest > self._silence_ns
        self._newest = at_ns
        self._count += 1
        self._next += 1
        self._unplaced += 1
        if not self._period_ns:
            if silent:
                self._line = _Line()
            self._lay_line([(self._count, at_ns, 0.0)])
            return
        late = at_ns - self._line.at(self._count, self._period_ns)
        self._off.append((self._count, at_ns, late))
        if silent or (self._unplaced == 1 and abs(late) > self._tolerance_ns):  # a sender that starts may begin its clock anew
            self._begin_again(late, self._off[-1:])
        elif abs(late) <= self._tolerance_ns:
            late_ones, self._off = self._off, []
            self._lay_line(late_ones)
        elif len(self._off) == CHANGED:
            lates = [one for _, _, one in self._off]
            lost = max(lates) - min(lates) < self._period_ns / 2
            self._begin_again(median(lates) if lost else 0.0, self._off)

    def tempo(self, now_ns: int) -> Tempo | None:
        """The tempo, with its beat at the newest clock; None before there is one, when the clock is silent, and for a flood."""
        period_ns = self._period_ns
        if self._newest is None or now_ns - self._newest > self._silence_ns or not _SHORTEST_NS <= period_ns <= _SLOWEST_NS:
            return None
        t0_ns = round(self._line.at(self._count, period_ns))
        return Tempo(t0_ns, (self._next - 1) / CLOCKS_PER_BEAT, min(60e9 / CLOCKS_PER_BEAT / period_ns, BPM_MAX))

    @property
    def _silence_ns(self) -> float:
        return SILENT_BEATS * CLOCKS_PER_BEAT * min(self._period_ns or _SLOWEST_NS, _SLOWEST_NS)

    @property
    def _tolerance_ns(self) -> float:
        return max(TOLERANCE_SD * self._jitter_ns, TOLERANCE_NS if self._settled else UNSETTLED * self._period_ns)

    def _place(self, count: int) -> None:
        self._next, self._unplaced = count, 0

    def _begin_again(self, late: float, points: list[tuple[int, int, float]]) -> None:
        """Forget all but these points. Unless the sender has just said where it is, clocks that were lost are counted."""
        if self._unplaced > len(points):
            self._next += max(round(late / self._period_ns), 0)
        self.breaks += 1
        self._line, self._off = _Line(), []
        self._lay_line(points)

    def _lay_line(self, points: list[tuple[int, int, float]]) -> None:
        line = self._line
        for count, at_ns, _ in points:
            line.add(count, at_ns)
        if len(line) >= FIRST:
            self._period_ns = line.slope
            # Few clocks may all be of one block, and then seem exact.
            self._jitter_ns = line.scatter if len(line) == WINDOW else max(self._jitter_ns, line.scatter)
            self._settled |= len(line) == WINDOW
        elif self._period_ns and len(line) >= 3:
            error_ns = max(self._jitter_ns, line.scatter) / line.spread**0.5
            if abs(line.slope - self._period_ns) > SURE_SD * error_ns:
                self._period_ns = line.slope
