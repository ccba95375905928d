"""Deadlines for the answers of the engine's process."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sdv2_live.config.schema_engine import FaultsConfig
from sdv2_live.gpu.geometry import Size
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
        on_late: called once when the answer is late.
    """

    within_s: float
    late_s: float = math.inf
    on_late: Callable[[], None] = lambda: None


class Deadlines:
    """The deadlines of one engine, derived from its chunk times so far.

    The first chunk of a process or of a size may take as long as loading; the few after it get more time than usual.

    Args:
        on_late: as for Deadline.
    """

    def __init__(self, faults: FaultsConfig, on_late: Callable[[], None]) -> None:
        self._faults, self._on_late = faults, on_late
        self._chunk_s = Window(32)
        self._like: Size = (0, 0)  # of the input
        self._size: Size | None = None  # of the model
        self.cold = True  # the next chunk is the first of its process or of its size
        self._warm = 0  # chunks painted since

    def came_up(self) -> None:
        """Start over for a new process."""
        self._size, self.cold, self._warm = None, True, 0

    def prepared(self, like: Size, size: Size) -> None:
        """Take note that the next chunk's input has the size `like`, and that the model runs at `size`."""
        if size != self._size:
            self._size, self.cold, self._warm = size, True, 0
        self._like = like

    def painted(self, seconds: float, *, cold: bool) -> None:
        """Take note of a chunk's time; `cold` was true when it was launched."""
        self._chunk_s.add(seconds)  # a cold one too: it is all that is known of a very slow machine
        self.cold = self.cold and not cold
        self._warm += 1

    def next(self, like: Size | None = None) -> Deadline:
        """The deadline of the next answer, for input of the size `like` if it differs from the last."""
        usual = self._chunk_s.summary().p50
        within_s = max(self._faults.hang_s, USUAL * usual)
        if self.cold or (like is not None and like != self._like):
            within_s = self._faults.load_s
        elif self._warm < WARM_UP:
            within_s *= MORE_TIME
        return Deadline(within_s, max(LATE_S, LATE * usual), self._on_late)
