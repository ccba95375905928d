"""A tempo tapped by hand."""

from __future__ import annotations

from typing import NamedTuple

from sdv2_live.music.tempo import BPM_MAX, bpm_within

TAPS = 8  # the last ones count: at 120 bpm with a hand's scatter of 12 ms, the tempo is 0.5 bpm wrong
SILENCE_NS = 2_000_000_000  # a new series begins after it
BOUNCE_NS = round(60e9 / BPM_MAX)  # a button that bounces, or a program gone wild, is no hand
ANOTHER = 0.3  # of a beat: a tap so far from its place begins another tempo


class Tapped(NamedTuple):
    """What a tap says. `bpm` is None for the first of a series; `beat_ns` is the time of the beat that was meant."""

    bpm: float | None
    beat_ns: int


class Taps:
    """A series of taps, through which a straight line is laid (least squares): a tap that was left out does no harm."""

    def __init__(self) -> None:
        self._taps: list[tuple[int, int]] = []  # (number of the beat, time)
        self._beat_ns = 0.0

    def tap(self, at_ns: int) -> Tapped | None:
        """Add a tap; its time is in ns. None for one that comes too soon after another to be meant."""
        if self._taps:
            number, last_ns = self._taps[-1]
            gap = at_ns - last_ns
            if gap < BOUNCE_NS:
                return None
            if gap > SILENCE_NS:
                self._taps.clear()
            else:
                beats = max(1, round(gap / self._beat_ns)) if self._beat_ns else 1
                if self._beat_ns and abs(gap / self._beat_ns - beats) > ANOTHER:
                    del self._taps[:-1]
                    beats = 1
                self._taps = [*self._taps, (number + beats, at_ns)][-TAPS:]
                return self._fitted()
        self._taps = [(0, at_ns)]
        self._beat_ns = 0.0
        return Tapped(None, at_ns)

    def _fitted(self) -> Tapped:
        first = self._taps[0][1]
        numbers = [float(number) for number, _ in self._taps]
        times = [float(at_ns - first) for _, at_ns in self._taps]
        mid_number, mid_time = sum(numbers) / len(numbers), sum(times) / len(times)
        off = [number - mid_number for number in numbers]
        self._beat_ns = sum(o * (time - mid_time) for o, time in zip(off, times, strict=True)) / sum(o * o for o in off)
        return Tapped(bpm_within(60e9 / self._beat_ns), first + round(mid_time + off[-1] * self._beat_ns))
