"""Follows the beat that is heard: little by little while it drifts, at once when it is surely another."""

from __future__ import annotations

from sdv2_live.music.sound.hops import HOP_NS
from sdv2_live.music.sound.tempo import Estimate
from sdv2_live.music.tempo import Tempo

STEER_BPM, STEER_BEAT = 0.1, 0.25  # shares of a difference that are followed at each estimate; more while there were few
NEAR_BPM, NEAR_BEAT = 0.03, 0.15  # as a share, and in beats: further away it is another beat
ALIKE_BPM = 0.01  # as a share, of estimates that agree
FIRST, JUMP = 2, 4  # estimates in agreement for the first beat, and for another one


class BeatFollower:
    """The beat of one sound, as its estimates have it.

    Attributes:
        tempo: the beat now; None until one was believed.
    """

    def __init__(self) -> None:
        self.tempo: Tempo | None = None
        self._near = 0  # estimates that have agreed with `tempo` since it was found
        self._elsewhere: list[Tempo] = []  # the last estimates, while they agree with each other and not with `tempo`

    def hear(self, estimate: Estimate, at_ns: int) -> Tempo | None:
        """The tempo after an estimate, or None where it says nothing that is believed.

        Args:
            at_ns: the time of the newest hop that the estimate has read.
        """
        if not estimate.believed:
            return None
        heard = Tempo(at_ns - round(estimate.ago * HOP_NS), 0.0, estimate.bpm)
        now = self.tempo
        if now is not None and _alike(heard, now, NEAR_BPM):
            self._elsewhere.clear()
            self._near += 1
            mean = 1 / (1 + self._near)
            beat = now.beat(heard.t0_ns)
            bpm = now.bpm + max(STEER_BPM, mean) * (heard.bpm - now.bpm)
            self.tempo = Tempo(heard.t0_ns, beat - max(STEER_BEAT, mean) * (beat - round(beat)), bpm)
            return self.tempo
        if self._elsewhere and not _alike(heard, self._elsewhere[-1], ALIKE_BPM):
            self._elsewhere.clear()
        self._elsewhere.append(heard)
        if len(self._elsewhere) < (FIRST if now is None else JUMP):
            return None
        self._elsewhere.clear()
        self._near = 0
        beat = 0 if now is None else round(now.beat(heard.t0_ns))  # the count goes on
        self.tempo = heard.moved(beat)
        return self.tempo


def _alike(heard: Tempo, other: Tempo, near_bpm: float) -> bool:
    """True when the beats of one are those of the other."""
    beat = other.beat(heard.t0_ns)
    return abs(heard.bpm / other.bpm - 1) <= near_bpm and abs(beat - round(beat)) <= NEAR_BEAT
