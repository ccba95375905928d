"""The course of the beat: one tempo after another, joined so that the count of beats never goes back without need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sdv2_live.music.tempo import Tempo

GLIDE_NS = 200_000_000  # at least so long the count takes to join another tempo's
LEGS = 32  # that are remembered: more than a second of a clock that reports 20 times a second


class _Leg(NamedTuple):
    """A stretch of the course: in a straight line from its start to `joins_ns`, from then on with `tempo`."""

    start_ns: int
    start_beat: float
    joins_ns: int
    tempo: Tempo

    def beat(self, at_ns: int) -> float:
        if at_ns >= self.joins_ns:
            return self.tempo.beat(at_ns)
        share = (at_ns - self.start_ns) / (self.joins_ns - self.start_ns)
        return self.start_beat + share * (self.tempo.beat(self.joins_ns) - self.start_beat)

    def time_at(self, beat: float) -> int:
        joins = self.tempo.beat(self.joins_ns)
        if beat >= joins:
            return self.tempo.time_at(beat)
        share = (beat - self.start_beat) / (joins - self.start_beat)
        return self.start_ns + round(share * (self.joins_ns - self.start_ns))


@dataclass(frozen=True, slots=True)
class Course:
    """The count of beats through all changes of the tempo. Make one by `Course.of`.

    Asked for later and later times, `beat` grows, at no less than half the tempo's pace, but where `jumped` made it jump.
    """

    legs: tuple[_Leg, ...]

    @classmethod
    def of(cls, tempo: Tempo) -> Course:
        """The course of one tempo that never changed."""
        return cls((_Leg(tempo.t0_ns, tempo.b0, tempo.t0_ns, tempo),))

    @property
    def tempo(self) -> Tempo:
        """The newest tempo, which the count has joined or is about to join."""
        return self.legs[-1].tempo

    def beat(self, at_ns: int) -> float:
        """The count of beats at a time."""
        leg = next((leg for leg in reversed(self.legs) if at_ns >= leg.start_ns), self.legs[0])
        return leg.beat(at_ns)

    def time_at(self, beat: float) -> int:
        """The time of a count: the inverse of `beat`. A count that was jumped over has the time of the jump."""
        until: int | None = None
        for leg in reversed(self.legs):
            if beat >= leg.start_beat or leg is self.legs[0]:
                break
            until = leg.start_ns
        at_ns = leg.time_at(beat)
        return at_ns if until is None else min(at_ns, until)

    def joined(self, tempo: Tempo, from_ns: int) -> Course:
        """The course that goes over to another tempo from a time on, without a step."""
        beat = self.beat(from_ns)
        gap = abs(tempo.beat(from_ns) - beat)
        # Twice the time of the gap: a count that is ahead then slows down to half the pace, and never stands or goes back.
        return self._then(_Leg(from_ns, beat, from_ns + max(GLIDE_NS, round(2 * gap * tempo.beat_ns)), tempo))

    def jumped(self, tempo: Tempo, at_ns: int) -> Course:
        """The course that is at another tempo's count at once."""
        return self._then(_Leg(at_ns, tempo.beat(at_ns), at_ns, tempo))

    def _then(self, leg: _Leg) -> Course:
        before = tuple(one for one in self.legs if one.start_ns < leg.start_ns)
        return Course((*before[1 - LEGS :], leg))
