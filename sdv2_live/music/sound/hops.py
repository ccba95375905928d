"""Cuts sound of any rate into hops of 10 ms, and dates each on the clock of its blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HOPS_PER_S = 100
HOP_NS = 1_000_000_000 // HOPS_PER_S
HOP_S = 1 / HOPS_PER_S
RATES = (4_000, 768_000)  # samples a second, the lowest and the highest that are read
LOUDEST = 1_000.0  # no sample is meant to be larger: NDI's full scale is 10
JITTER_NS = 60_000_000  # a block this far from where the last one ended is late, or early
GAP_NS = 500_000_000  # so far it is another stretch at once, else when all blocks were late or early for as long
ATTACK_NS = 2_000_000  # a drum weighs most when the middle of the window is so far behind its beginning; a click, at once
CALM = 16  # blocks over which jitter of the blocks' times is smoothed


@dataclass(frozen=True, slots=True)
class Cut:
    """Hops that one block has completed.

    Attributes:
        windows: float32, shape (hops, window): the sound up to the end of each hop, oldest sample first.
        at_ns: the time that each hop stands for, near the middle of its window.
        hop: samples of a hop, at the end of its window.
        rate: samples a second.
        missing: hops of silence between the last cut and this; -1 where time went back, or too far ahead to be bridged.
    """

    windows: np.ndarray
    at_ns: list[int]
    hop: int
    rate: int
    missing: int = 0


class Hops:
    """Cuts the blocks of one source, whatever their length. Channels are mixed to one.

    Another rate, and blocks with a gap between them, begin a new stretch.

    Attributes:
        broken: samples so far that were no numbers, or larger than LOUDEST; they count as silence.
    """

    def __init__(self) -> None:
        self.broken = 0
        self._rate = 0
        self._window = 0  # samples
        self._kept = np.zeros(0, np.float32)  # ends with the newest sample
        self._taken = 0  # samples of this stretch
        self._cut = 0  # hops of this stretch
        self._off_ns = 0  # of sound that has come late or early, without a break
        self._begin_ns = 0  # time of the stretch's first sample, as the newest blocks have it
        self._heard = False

    def cut(self, samples: np.ndarray, rate: int, captured_ns: int, longest_gap_ns: int) -> Cut:
        """The hops that end within a block.

        Args:
            samples: shape (channels, length); 1.0 is the reference level.
            rate: samples a second, within RATES.
            captured_ns: time of the first sample.
            longest_gap_ns: a longer one is not bridged by silence.
        """
        length_ns = samples.shape[1] * 1_000_000_000 // rate
        missing = self._place(rate, captured_ns, length_ns, longest_gap_ns)
        self._kept = np.concatenate((self._kept, self._mixed(samples)))
        self._taken += samples.shape[1]
        last = (self._taken * HOPS_PER_S) // rate  # hops that are complete
        ends = np.arange(self._cut + 1, last + 1) * rate // HOPS_PER_S  # in samples; exact on the average at any rate
        begins = ends - self._window - (self._taken - self._kept.size)
        windows = self._kept[begins[:, None] + np.arange(self._window)]
        self._cut = last
        self._kept = self._kept[-self._window - rate // HOPS_PER_S - 1 :].copy()
        at_ns = self._begin_ns + (ends - self._window // 2) * 1_000_000_000 // rate - ATTACK_NS
        return Cut(windows, at_ns.tolist(), -(-rate // HOPS_PER_S), rate, missing)

    def _place(self, rate: int, captured_ns: int, length_ns: int, longest_gap_ns: int) -> int:
        """Find the block's place in time. Returns the missing hops before it, see `Cut`."""
        ends_ns = self._begin_ns + self._taken * 1_000_000_000 // rate if rate == self._rate else None
        off_ns = 0 if ends_ns is None else captured_ns - ends_ns
        self._off_ns = self._off_ns + length_ns if abs(off_ns) > JITTER_NS else 0
        if ends_ns is not None and abs(off_ns) <= GAP_NS and self._off_ns < GAP_NS:
            self._begin_ns += off_ns // CALM
            return 0
        before_ns = self._begin_ns + self._cut * HOP_NS  # end of the last hop
        first, self._heard = not self._heard, True
        self._rate, self._window = rate, 1 << (2 * rate // HOPS_PER_S - 1).bit_length()
        self._kept, self._taken, self._cut = np.zeros(self._window, np.float32), 0, 0
        self._begin_ns, self._off_ns = captured_ns, 0
        gap_ns = captured_ns - before_ns
        return -1 if first or not -2 * GAP_NS < gap_ns <= longest_gap_ns else max(gap_ns, 0) // HOP_NS

    def _mixed(self, samples: np.ndarray) -> np.ndarray:
        """The mean of the channels, with silence for what is no sound."""
        sound = np.abs(samples) <= LOUDEST  # NaN is not
        if not sound.all():
            self.broken += int(samples.size - np.count_nonzero(sound))
            samples = np.where(sound, samples, 0)
        mixed: np.ndarray = samples.mean(axis=0, dtype=np.float32)
        return mixed
