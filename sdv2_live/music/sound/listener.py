"""Everything that is heard in one sound, block after block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdv2_live.music.heard import Heard
from sdv2_live.music.sound.features import Features, Gain, Hop
from sdv2_live.music.sound.follower import BeatFollower
from sdv2_live.music.sound.hops import HOP_NS, HOPS_PER_S, Hops
from sdv2_live.music.sound.memory import KEPT, HopMemory
from sdv2_live.music.sound.onset import Onset, Onsets
from sdv2_live.music.sound.tempo import SPAN_S, estimate
from sdv2_live.music.tempo import Tempo

ESTIMATE_HOPS = HOPS_PER_S // 2
LONGEST_GAP_NS = KEPT * HOP_NS
SILENCE = Hop(0)


@dataclass(frozen=True, slots=True)
class HeardBeat:
    """A beat that is believed, with its confidence, 0..1."""

    tempo: Tempo
    confidence: float


class Listener:
    """Hears sound of any rate and remembers it. One thread calls `hear`; `between` is for any.

    Attributes:
        peak: the largest sample of the last block, as it came.
    """

    def __init__(self, low_bpm: float) -> None:
        """Listen for tempi from `low_bpm` to its double."""
        self.memory = HopMemory()
        self.peak = 0.0
        self._low_bpm = low_bpm
        self._hops = Hops()
        self._beat = BeatFollower()
        self._begin()

    def _begin(self) -> None:
        self.memory.forget()
        self._features, self._onsets, self._kicks = Features(), Onsets(), Onsets()
        self._until_estimate = ESTIMATE_HOPS

    @property
    def broken(self) -> int:
        """Samples so far that were no numbers, or far too large."""
        return self._hops.broken

    def between(self, start_ns: int, end_ns: int) -> Heard:
        """See `music.heard.Hearing`."""
        return self.memory.between(start_ns, end_ns)

    def hear(self, samples: np.ndarray, rate: int, captured_ns: int, gain: Gain) -> HeardBeat | None:
        """Hear a block; see `Hops.cut` for the first three. Returns the beat where there is news of it."""
        cut = self._hops.cut(samples, rate, captured_ns, LONGEST_GAP_NS)
        if cut.missing < 0:
            self._begin()
        elif cut.missing:
            first_ns = captured_ns - cut.missing * HOP_NS
            self._take([SILENCE.at(first_ns + number * HOP_NS) for number in range(cut.missing)])
        hops = self._features.hear(cut, gain)
        if hops:
            self.peak = max(hop.peak for hop in hops)
        return self._take(hops)

    def _take(self, hops: list[Hop]) -> HeardBeat | None:
        onsets = [(_time(hop, onset), onset.strength) for hop in hops if (onset := self._onsets.hear(hop.flux))]
        kicks = [(_time(hop, onset), onset.strength) for hop in hops if (onset := self._kicks.hear(hop.flux_low))]
        self.memory.add(hops, onsets, kicks)
        self._until_estimate -= len(hops)
        if self._until_estimate > 0 or not hops:
            return None
        self._until_estimate = ESTIMATE_HOPS
        last = self._beat.tempo
        found = estimate(self.memory.flux(int(SPAN_S * HOPS_PER_S)), self._low_bpm, last.bpm if last else None)
        tempo = self._beat.hear(found, hops[-1].at_ns) if found is not None else None
        return HeardBeat(tempo, min(found.score, 1.0)) if found is not None and tempo is not None else None


def _time(hop: Hop, onset: Onset) -> int:
    return hop.at_ns - round(onset.ago * HOP_NS)
