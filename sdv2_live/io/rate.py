"""The frame rate of a source that declares none, or one that cannot be true."""

from __future__ import annotations

from fractions import Fraction

from sdv2_live.frame import measured_rate
from sdv2_live.stats import Rate

SETTLE_S = 1.0  # seconds between measurements
USUAL = (24, 25, 30, 50, 60, 72, 90, 120, 144)  # frames per second
SLOWEST = 4.0  # what comes more rarely says nothing of its sender's rate: it may send only what changes
NEAR = 0.08  # of a usual rate: what is measured so near to it is meant to be it


class MeasuredRate:
    """Measured frames per second, brought to a usual rate and within MIN_RATE..MAX_RATE; `first` until measured."""

    def __init__(self, first: Fraction) -> None:
        self.value = first
        self._measured = Rate(seconds=4 * SETTLE_S)
        self._settle_at = 0.0

    def add(self, now: float) -> Fraction:
        """Count a frame that came at `now`, in monotonic seconds. Returns the rate."""
        self._measured.add()
        if now >= self._settle_at:
            self._settle_at = now + SETTLE_S
            self.value = usual_rate(self._measured.per_second()) or self.value
        return self.value


def usual_rate(per_second: float) -> Fraction | None:
    """The usual frame rate near a measured one, or the measured one rounded if none is near. None below SLOWEST."""
    if per_second < SLOWEST:
        return None
    nearest = min(USUAL, key=lambda rate: abs(rate - per_second))
    return measured_rate(1 / (nearest if abs(nearest - per_second) < NEAR * nearest else round(per_second)))
