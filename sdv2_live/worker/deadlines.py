"""Deadlines for the answers of the engine's process."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sdv2_live.config.schema_engine import FaultsConfig
from sdv2_live.stats import Window

USUAL = 10  # times the median chunk before one is taken for hung
LATE = 4  # times the median chunk before the audience gets something else to see
LATE_S = 1.0  # but not before this
WARM_UP = 8  # chunks in which kernels may still be chosen and graphs captured: they get more time
MORE_TIME = 4


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time limits of one answer.

    Attributes:
        within_s: seconds after which the process counts as hung.
        late_s: seconds after which `on_late` is called.
        on_late: called again and again while the answer is late.
    """

    within_s: float
    late_s: float = math.inf
    on_late: Callable[[], None] = lambda: None


class Deadlines:
    """The deadlines of one engine, derived from its chunk times so far.

    A stream's set-up and its first chunk may take as long as loading; the few chunks after it get more time than usual.

    Args:
        on_late: as for Deadline.
    """

    def __init__(self, faults: FaultsConfig, on_late: Callable[[], None]) -> None:
        self._faults, self._on_late = faults, on_late
        self._chunk_s = Window(32)
        self.cold = True  # the next chunk is the first after a set-up
        self._warm = 0  # chunks painted since

    def set_up(self) -> Deadline:
        """Start over, as a process comes up or a stream is set up. Returns the deadline of that, which is late from the start."""
        self.cold, self._warm = True, 0
        return Deadline(self._faults.load_s, 0.0, self._on_late)

    def painted(self, seconds: float, *, cold: bool) -> None:
        """Take note of a chunk's time; `cold` was true when it was launched."""
        self._chunk_s.add(seconds)  # a cold one too: it is all that is known of a very slow machine
        self.cold = self.cold and not cold
        self._warm += 1

    def next(self) -> Deadline:
        """The deadline of the next answer."""
        usual = self._chunk_s.summary().p50
        within_s = max(self._faults.hang_s, USUAL * usual)
        if self.cold:
            within_s = self._faults.load_s
        elif self._warm < WARM_UP:
            within_s *= MORE_TIME
        return Deadline(within_s, max(LATE_S, LATE * usual), self._on_late)
