"""Our own place relative to the beat of a source: what hands have moved."""

from __future__ import annotations

import math

from sdv2_live.music.tempo import BPM_MAX, BPM_MIN, Tempo, bpm_within


class Place:
    """Where our beat shall be: `factor` times the source's count, shifted, and bent while a hand pushes or pulls.

    Times grow from call to call.

    Attributes:
        led: the source's own tempo; for a hand that leads, ours.
    """

    def __init__(self, led: Tempo) -> None:
        self.led = led
        self._factor, self._shift = 1.0, 0.0
        self._bend, self._bent_ns = 0.0, led.t0_ns

    @property
    def bpm(self) -> float:
        """Our tempo, without what is pushed or pulled."""
        return bpm_within(self._factor * self.led.bpm)

    def at(self, at_ns: int) -> Tempo:
        """Our tempo from a time on, with its beat there."""
        beat = self._factor * self.led.beat(at_ns) + self._shift + self._gained(at_ns)
        return Tempo(at_ns, beat, bpm_within(self._factor * self.led.bpm * (1 + self._bend)))

    def follow(self, led: Tempo, at_ns: int) -> None:
        """Take over a source's newer tempo. A factor that would bring it out of its range is given up."""
        self._keep_gained(at_ns)
        self.led = led
        if not BPM_MIN <= self._factor * led.bpm <= BPM_MAX:
            self.be_the_sources()

    def be_the_sources(self) -> None:
        """Give up what is our own."""
        self._factor, self._shift = 1.0, 0.0

    def own(self, bpm: float, at_ns: int) -> None:
        """Go on from our beat with a tempo of our own."""
        self.led = Tempo(at_ns, self.at(at_ns).b0, bpm)
        self._bent_ns = at_ns
        self.be_the_sources()

    def shift(self, beats: float) -> None:
        """Move our beat; above 0 it comes earlier."""
        self._shift += beats

    def bend(self, share: float, at_ns: int) -> None:
        """Run faster by this share of the tempo from now on; below 0 slower."""
        self._keep_gained(at_ns)
        self._bend = share

    def scale(self, factor: float, phrase: int, at_ns: int) -> bool:
        """Multiply our tempo. The place within `phrase` beats is multiplied with it; the count goes forwards.

        Returns False, and nothing is changed, where the tempo would be out of its range.
        """
        if not BPM_MIN <= self.bpm * factor <= BPM_MAX:
            return False
        self._keep_gained(at_ns)
        ours = self.at(at_ns).b0
        self._factor *= factor
        self._shift = self._shift * factor + phrase * math.ceil(ours * (1 - factor) / phrase)
        return True

    def _gained(self, at_ns: int) -> float:
        return self._bend * self._factor * (at_ns - self._bent_ns) / self.led.beat_ns

    def _keep_gained(self, at_ns: int) -> None:
        self._shift += self._gained(at_ns)
        self._bent_ns = at_ns
