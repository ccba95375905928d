"""A tempo: three numbers that give the beat at any time, past or future."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

BPM_MIN = 20.0
BPM_MAX = 999.0

_MINUTE_NS = 60e9


def bpm_within(bpm: float) -> float:
    """`bpm` brought into BPM_MIN..BPM_MAX. Raises ValueError for what is no finite number above 0."""
    if not (math.isfinite(bpm) and bpm > 0):
        raise ValueError(f"a tempo cannot be {bpm} bpm")
    return min(max(bpm, BPM_MIN), BPM_MAX)


@dataclass(frozen=True, slots=True)
class Tempo:
    """At the time `t0_ns` of `system.clock.monotonic_ns` the count of beats is `b0`; from there on it grows by `bpm` a minute.

    Beat 0 is the first beat of bar 1. Raises ValueError for numbers that are not finite, or a `bpm` out of BPM_MIN..BPM_MAX.
    """

    t0_ns: int
    b0: float
    bpm: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.b0) and BPM_MIN <= self.bpm <= BPM_MAX):  # NaN fails both
            raise ValueError(f"no tempo: beat {self.b0}, {self.bpm} bpm; give {BPM_MIN:g}..{BPM_MAX:g} bpm")

    @property
    def beat_ns(self) -> float:
        """Nanoseconds from one beat to the next."""
        return _MINUTE_NS / self.bpm

    def beat(self, at_ns: int) -> float:
        """The count of beats at a time; whole on the beat, negative before beat 0."""
        return self.b0 + (at_ns - self.t0_ns) / self.beat_ns

    def time_at(self, beat: float) -> int:
        """The time in nanoseconds of a count of beats, to the nearest nanosecond: the inverse of `beat`."""
        return self.t0_ns + round((beat - self.b0) * self.beat_ns)

    def at_bpm(self, bpm: float, at_ns: int) -> Tempo:
        """The same beat at `at_ns`, and from there on another tempo. A `bpm` out of range is brought into it."""
        return Tempo(at_ns, self.beat(at_ns), bpm_within(bpm))

    def moved(self, beats: float) -> Tempo:
        """The same tempo with its count of beats shifted: above 0 each beat comes earlier."""
        return replace(self, b0=self.b0 + beats)
