"""The beat as a clock for what is played, such as a timeline: it follows the tempo, and runs only forwards."""

from __future__ import annotations

from collections.abc import Callable

from sdv2_live.music.clock import JUMP_BEATS, BeatClock
from sdv2_live.system.clock import monotonic_ns


class RunningBeats:
    """Counts the beats of a show. For one thread at a time.

    It is whole where the beat is. A jump of the beat (a resync, another source) moves it to the nearest place where that holds,
    by half a beat at most; where that lies behind, it stands still until the beat has come there.

    Args:
        clock: the beat.
        now: nanoseconds.

    Attributes:
        ahead_ns: gives how long before its beat something has to be done, so that it is seen on it.
    """

    def __init__(self, clock: BeatClock, now: Callable[[], int] = monotonic_ns) -> None:
        self.ahead_ns: Callable[[], int] = lambda: 0
        self._clock, self._now = clock, now
        self._at_ns = now()
        self._beat = self._ran = self._shown = clock.beat(self._at_ns)

    @property
    def bpm(self) -> float:
        """The present tempo."""
        return self._clock.bpm

    @property
    def ahead(self) -> float:
        """Beats by which `count` is ahead of what is seen."""
        return self.ahead_ns() / self._clock.tempo.beat_ns

    def count(self) -> float:
        """The count of beats for what is to be done now."""
        now, beat_ns = self._now(), self._clock.tempo.beat_ns
        beat, expected = self._clock.beat(now), (now - self._at_ns) / beat_ns
        jumped = beat - self._beat - expected
        self._ran += beat - self._beat - (round(jumped) if abs(jumped) > JUMP_BEATS else 0)
        self._at_ns, self._beat = now, beat
        self._shown = max(self._shown, self._ran + self.ahead)
        return self._shown
