"""Load shedding: ask less of the engine while it is too slow for the wanted frame rate, and restore it when there is room.

No single chunk triggers or undoes a measure. A measure is not undone if it would have to be taken again: its gain, measured when
it was taken, predicts the cost of undoing it. A measure that had to be taken again soon waits twice as long the next time.
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
    """A measure taken.

    Attributes:
        before: seconds a frame took before it.
        gain: `before` over the time that a frame took afterwards; None until measured.
    """

    name: str
    before: float
    gain: float | None = None


@dataclass(slots=True)
class _Lasting:
    """Time a condition has held without interruption."""

    since: float | None = None

    def lasts(self, holds: bool, now: float) -> float:
        """Seconds for which the condition has held without a break; 0 when it does not hold."""
        self.since = None if not holds else now if self.since is None else self.since
        return 0.0 if self.since is None else now - self.since


@dataclass(slots=True)
class _Spell:
    """The time since the last change."""

    skip: int = SETTLE
    costs: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    slow: _Lasting = field(default_factory=_Lasting)
    roomy: _Lasting = field(default_factory=_Lasting)


def render_scale(measures: Sequence[str]) -> float:
    """The share of the configured pixels that is painted under these measures."""
    return float(SMALLER_SCALE ** list(measures).count(SMALLER))


class LoadShedder:
    """Decides from the chunks' times how many of `measures` are active. Times in seconds, of any one clock.

    Args:
        target_fps: frames a second to be painted, at most the input's rate; None for the input's rate; 0 never sheds.
        measures: names from `config.measures`, in the order in which they are taken; a repeated one goes further each time.
        down_s: seconds for which the engine must be too slow before a measure is taken.
        up_s: seconds for which there must be room before one is undone.
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
        """The denoising steps in place of the performer's; at least one."""
        return steps[: max(len(steps) - self.active.count(FEWER_STEPS), 1)]

    def chunk(self, now: float, seconds: float, frames: int, input_fps: float, useful: Callable[[str], bool]) -> str:
        """Take in the time of a painted chunk. Returns the change it causes, in words; empty for none.

        Args:
            seconds: time that the chunk took.
            frames: number of its frames.
            input_fps: measured frame rate of the input, whatever its sender declares.
            useful: True when a measure would change anything now.
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
        """Undo a measure that cannot be taken, and never take it again."""
        self._measures = [name for name in self._measures if name != measure]
        self._active = [one for one in self._active if one.name != measure]
        self._spell = _Spell()

    def _would_fit(self, cost: float, target: float) -> bool:
        """True when a frame would still be in time without the last measure."""
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
