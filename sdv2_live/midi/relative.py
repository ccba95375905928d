"""Endless encoders: controllers whose values are steps, in one of the three codings that controllers use.

| coding | one step right, left | Ableton Live calls it |
|---|---|---|
| twos | 1, 127 | Relative (2's Comp.) |
| offset | 65, 63 | Relative (Bin. Offset) |
| sign | 1, 65 | Relative (Signed Bit) |
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

_FAST = 16  # steps that a quick turn puts into one message
_JUMP = 96  # between two values of a fader that is moved there are fewer


class Coding(StrEnum):
    """The coding of an encoder's steps in a value 0..127."""

    TWOS = "twos"
    OFFSET = "offset"
    SIGN = "sign"

    def steps(self, value: int) -> int:
        """The steps in a value, to the right above zero."""
        match self:
            case Coding.TWOS:
                return value - 128 if value >= 64 else value
            case Coding.OFFSET:
                return value - 64
        return 64 - value if value >= 64 else value


def codings(values: Sequence[int]) -> list[Coding]:
    """The codings by which these values, in the order they came, are an encoder's; empty for a fader or a button.

    A fader passes each value once, and a button has two; an encoder that is turned evenly repeats itself. Those that fit best
    come first: an encoder is more often turned right than left.
    """
    pressed = set(values) <= {0, 127} and 0 in values
    if pressed or not any(one == other or abs(one - other) >= _JUMP for one, other in pairwise(values)):
        return []
    fitting = [coding for coding in Coding if all(0 < abs(coding.steps(value)) <= _FAST for value in values)]
    return sorted(fitting, key=lambda coding: min(coding.steps(value) for value in values) < 0)
