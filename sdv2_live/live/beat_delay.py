"""A delay raised to whole beats: what reacts to the music without knowing it ahead then falls on a beat, too."""

from __future__ import annotations

import math
from collections.abc import Callable

LIMIT_NS = 4_000_000_000  # longer delays are nobody's wish, and take their memory
SLACK_NS = 30_000_000  # the delay needed has to fall by more than this below a step before the step is left


class BeatDelay:
    """Raises delays to the next multiple of `beats` beats; 0 raises none. For one thread. `beat_ns` gives a beat's length now."""

    def __init__(self, beats: int, beat_ns: Callable[[], float]) -> None:
        self._beats, self._beat_ns = beats, beat_ns
        self._steps = 0

    def __call__(self, needed_ns: int) -> int:
        """The delay in place of `needed_ns`, which it is where the next multiple is beyond LIMIT_NS."""
        step_ns = self._beats * self._beat_ns()
        if not step_ns:
            return needed_ns
        steps = math.ceil(needed_ns / step_ns)
        if steps == self._steps - 1 and needed_ns > steps * step_ns - SLACK_NS:
            steps = self._steps
        self._steps = steps
        raised = round(steps * step_ns)
        return raised if raised <= LIMIT_NS else needed_ns
