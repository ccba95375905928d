"""Onsets: where more of the sound is new than in the second before."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from sdv2_live.music.sound.features import DECAY
from sdv2_live.music.sound.hops import HOPS_PER_S

BEFORE, AHEAD = 3, 1  # hops: an onset is the largest flux among these around it
DEAD = HOPS_PER_S * 80 // 1000  # hops after an onset without another
DEVIATIONS = 3.0
LEAST = 0.25  # flux above the usual


@dataclass(frozen=True, slots=True)
class Onset:
    """An onset.

    Attributes:
        ago: hops before the newest.
        strength: above 0 to 1, which is the strongest of the last seconds.
    """

    ago: float
    strength: float


class Onsets:
    """Finds the onsets of one course of flux, AHEAD hops late."""

    def __init__(self) -> None:
        self._last: deque[float] = deque([0.0] * HOPS_PER_S, HOPS_PER_S)  # the newest last
        self._strongest = LEAST  # flux of the strongest onset, fading
        self._since = DEAD  # hops since the last onset

    def hear(self, flux: float) -> Onset | None:
        """Take the flux of a hop. Returns the onset that it confirms."""
        last = self._last
        last.append(flux)
        self._since += 1
        self._strongest = max(self._strongest * DECAY, LEAST)
        around = [last[-1 - back] for back in range(BEFORE + AHEAD + 1)]
        top = around[AHEAD]
        if self._since < DEAD or top < LEAST or top < max(around):
            return None
        second = np.sort(np.array(last))
        usual = second[second.size // 2]
        if top <= usual + DEVIATIONS * np.abs(second - usual).mean() + LEAST:
            return None
        self._since = 0
        self._strongest = max(self._strongest, top)
        return Onset(AHEAD - summit(around[AHEAD + 1], top, around[AHEAD - 1]), top / self._strongest)


def summit(before: float, top: float, after: float) -> float:
    """Where the parabola through three values one apart is highest, from the middle one: -0.5..0.5 if that is the largest."""
    curve = before - 2 * top + after
    return 0.5 * (before - after) / curve if curve else 0.0
