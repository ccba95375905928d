"""What was heard while a chunk's frames were captured, or at any other time: the numbers that modulation reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Heard:
    """Sound over a span of time, each number within 0..1; without arguments: nothing.

    Attributes:
        env: loudness of the whole, against its own recent peak.
        low: the same of the bass, below 150 Hz.
        mid: the same from 150 Hz to 2.5 kHz.
        high: the same above 2.5 kHz.
        onset: strength of the strongest onset of any sound; 0 without one.
        kick: the same of the bass alone.
    """

    env: float = 0.0
    low: float = 0.0
    mid: float = 0.0
    high: float = 0.0
    onset: float = 0.0
    kick: float = 0.0


class Hearing(Protocol):
    """The memory of what was heard, for any thread. It never waits: sound that is not read yet counts as none."""

    def between(self, start_ns: int, end_ns: int) -> Heard:
        """What was heard from `start_ns` up to `end_ns`, on the clock of `Frame.captured_ns`.

        Levels are means over the span, onset and kick the largest in it. Nothing where nothing was heard.
        """


class Deaf:
    """Hears nothing: where no sound is listened to."""

    def between(self, start_ns: int, end_ns: int) -> Heard:
        return Heard()
