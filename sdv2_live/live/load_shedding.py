"""Asking less of the engine while it is too slow for the frame rate that is wanted, and everything again when there is room.

No measure is taken or undone for what one chunk did, and none is undone that would have to be taken again: what undoing costs
is known from what taking it gained, and a measure that had to be taken again soon after waits twice as long the next time.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sdv2_live.backoff import Backoff
from sdv2_live.config.measures import FEWER_STEPS, SMALL_VAE, SMALLER

SMALLER_SCALE = 0.6  # of the pixels asked for, how many "smaller" leaves
MAX_GAIN = {FEWER_STEPS: 2.0, SMALLER: 2.2, SMALL_VAE: 4.0}  # what seems to gain more came with a load that went away meanwhile
WINDOW = 8  # chunks whose median is the engine's speed
FEWEST = 3  # chunks that are enough where they take as long as an engine may be too slow
SETTLE = 3  # chunks after a change that say nothing: memory is set up, kernels are chosen
ROOM = 0.85  # of a frame's time; a measure is undone where it would take no more
BUSY = 0.8  # of the time between chunks; an engine that has less to do waits for frames, and is not too slow for them
PAUSE_S = 2.0  # between chunks, beyond the time that they take or come in: the engine stood still, nothing from before counts


@dataclass(slots=True)
class _Measure:
    """A measure taken. before: seconds a frame took before it; gain: that over what one took after, None until that is known."""

    name: str
    before: float
    gain: float | None = None


@dataclass(slots=True)
class _Lasting:
    """Time a condition has held without interruption."""

    since: float | None = None

    def lasts(self, holds: bool, now: float) -> float:
        """Seconds for which it has held without a break; 0 when it does not."""
        self.since = None if not holds else now if self.since is None else self.since
        return 0.0 if self.since is None else now - self.since


@dataclass(slots=True)
class _Spell:
    """The present stretch between two changes."""

    skip: int = SETTLE
    costs: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    slow: _Lasting = field(default_factory=_Lasting)
    roomy: _Lasting = field(default_factory=_Lasting)


def render_scale(measures: Sequence[str]) -> float:
    """The share of the pixels asked for that is painted under these measures."""
    return float(SMALLER_SCALE ** list(measures).count(SMALLER))


class LoadShedder:
    """Decides how many of `measures` are active, by the time that chunks need. Times in seconds, of any one clock.

    target_fps: frames a second to be painted; None: as many as come in; 0: never shed. A target above the input's rate means
    that rate. measures: in the order in which they are taken, of `config.measures`, the same one more than once where it shall
    go further. down_s: how long the engine must be too slow; up_s: how long there must be room.
    """

    def __init__(self, target_fps: float | None = 0.0, measures: Sequence[str] = (), *, down_s: float = 5.0, up_s: float = 30.0):
        self._target, self._down_s = target_fps, down_s
        self._measures = list(measures)
        self._active: list[_Measure] = []
        self._spell = _Spell(skip=0)
        self._last = -math.inf
        self._undone: tuple[str, float] | None = None  # the measure undone last, and when
        self._room = Backoff(up_s)  # how long there must be room

    @property
    def active(self) -> tuple[str, ...]:
        """The measures in force now, in the order in which they were taken."""
        return tuple(measure.name for measure in self._active)

    def fewer(self, steps: tuple[int, ...]) -> tuple[int, ...]:
        """The denoising steps in place of those that the performer chose; never none."""
        return steps[: max(len(steps) - self.active.count(FEWER_STEPS), 1)]

    def chunk(self, now: float, seconds: float, frames: int, input_fps: float, useful: Callable[[str], bool]) -> str:
        """A chunk of so many frames was painted in so many seconds. Returns what changed, in words; empty for nothing.

        input_fps: as frames really come, whatever their sender declares. useful: whether a measure would change anything now.
        """
        if self._target == 0 or not frames:
            return ""
        between, self._last = now - self._last, now
        if between > PAUSE_S + max(seconds, frames / input_fps):
            self._spell = _Spell(skip=1)
        spell = self._spell
        if spell.skip:
            spell.skip -= 1
            return ""
        spell.costs.append(seconds / frames)
        if len(spell.costs) < WINDOW and (len(spell.costs) < FEWEST or sum(spell.costs) * frames < self._down_s):
            return ""
        cost = statistics.median(spell.costs)
        target = min(self._target or input_fps, input_fps)
        if self._active and self._active[-1].gain is None:
            newest = self._active[-1]
            newest.gain = min(max(newest.before / cost, 1.0), MAX_GAIN[newest.name])
        if spell.slow.lasts(cost * target > 1 and seconds > BUSY * between, now) >= self._down_s:
            return self._down(cost, now, useful)
        if spell.roomy.lasts(self._would_fit(cost, target), now) >= self._room.seconds:
            return self._up(now)
        return ""

    def give_up(self, measure: str) -> None:
        """This measure cannot be taken: it is undone, and never taken again."""
        self._measures = [name for name in self._measures if name != measure]
        self._active = [one for one in self._active if one.name != measure]
        self._spell = _Spell()

    def _would_fit(self, cost: float, target: float) -> bool:
        """True when a frame would still be in time without the measure taken last."""
        return bool(self._active) and cost * (self._active[-1].gain or 1.0) * target <= ROOM

    def _down(self, cost: float, now: float, useful: Callable[[str], bool]) -> str:
        left = list(self._measures)
        for name in self.active:
            left.remove(name)
        measure = next((name for name in left if useful(name)), None)
        if measure is None:
            return ""
        if self._undone is not None and self._undone[0] == measure:
            if now - self._undone[1] < 4 * self._room.seconds:
                self._room.grow()
            else:
                self._room.reset()
        self._active.append(_Measure(measure, cost))
        self._spell = _Spell()
        return f"too slow ({1 / cost:.1f} frames a second): {measure}"

    def _up(self, now: float) -> str:
        measure = self._active.pop()
        self._undone = measure.name, now
        self._spell = _Spell()
        return f"there is room again: {measure.name} undone"
