"""The memory of what was heard, by time: the last ten seconds."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from sdv2_live.music.heard import Heard
from sdv2_live.music.sound.features import Hop
from sdv2_live.music.sound.hops import HOPS_PER_S

KEPT = 10 * HOPS_PER_S  # hops: a picture is shown within that time
HOLD_NS = 250_000_000  # what comes after the newest hop is taken to be as that, for so long


class HopMemory:
    """Keeps hops and onsets. One thread adds, any thread asks.

    Attributes:
        onsets: their times and strengths, in order; for the adding thread.
        kicks: the same of the low bands.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._times = np.zeros(KEPT, np.int64)  # a ring
            self._levels = np.zeros((KEPT, 4))  # env, low, mid, high
            self._flux = np.zeros(KEPT)
            self._count = 0
            self.onsets: deque[tuple[int, float]] = deque(maxlen=KEPT)
            self.kicks: deque[tuple[int, float]] = deque(maxlen=KEPT)

    def add(self, hops: list[Hop], onsets: list[tuple[int, float]], kicks: list[tuple[int, float]]) -> None:
        """Add hops, in order; with the times and strengths of onsets and kicks."""
        with self._lock:
            for hop in hops:
                place = self._count % KEPT
                self._times[place] = hop.at_ns
                self._levels[place] = hop.env, hop.low, hop.mid, hop.high
                self._flux[place] = hop.flux
                self._count += 1
            self.onsets.extend(onsets)
            self.kicks.extend(kicks)

    @property
    def newest_ns(self) -> int | None:
        """The time of the newest hop."""
        with self._lock:
            return int(self._times[(self._count - 1) % KEPT]) if self._count else None

    def flux(self, hops: int) -> np.ndarray:
        """The flux of the last so many hops, or of those that there are, the newest last."""
        with self._lock:
            number = min(hops, self._count, KEPT)
            return self._flux[np.arange(self._count - number, self._count) % KEPT]

    def between(self, start_ns: int, end_ns: int) -> Heard:
        """See `music.heard.Hearing`. A span without a hop has the levels of the hop before, if that is not long ago."""
        with self._lock:
            times = self._times[: min(self._count, KEPT)]
            inside = (times >= start_ns) & (times < end_ns)
            if inside.any():
                levels = self._levels[: times.size][inside].mean(axis=0)
            else:
                before = np.flatnonzero((times >= start_ns - HOLD_NS) & (times < end_ns))
                if not before.size:
                    return Heard()
                levels = self._levels[before[times[before].argmax()]]
            env, low, mid, high = levels.tolist()
            onset, kick = (_strongest(hits, start_ns, end_ns) for hits in (self.onsets, self.kicks))
            return Heard(env, low, mid, high, onset, kick)


def _strongest(hits: deque[tuple[int, float]], start_ns: int, end_ns: int) -> float:
    return max((strength for at_ns, strength in hits if start_ns <= at_ns < end_ns), default=0.0)
