"""Upkeep of a long show, on the engine's thread: load shedding, and refreshes hidden under a short crossfade.

An engine that is too slow is asked for less. A stream that has run for long or has drifted begins again. Its caches are then
empty, so its picture jumps. The crossfade goes from the picture shown last, which stands still meanwhile, to the new ones. Two
overlapping streams would move on both sides of it, at twice the cost: too much for an engine that has just enough time.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sdv2_live.chunk import Generated
from sdv2_live.config.measures import FEWER_STEPS
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.control.store import Snapshot
from sdv2_live.frame import Frame
from sdv2_live.gpu.geometry import model_size
from sdv2_live.io.pictures import Converter, blank
from sdv2_live.live.crossfade import Crossfade
from sdv2_live.live.drift import DriftWatch
from sdv2_live.live.load_shedding import LoadShedder, render_scale
from sdv2_live.stats import Counters
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.upkeep")

NOTABLE = 0.15  # of full scale; a drift beyond this is logged
NOT_THE_LOOK = ("freeze", "bypass", "blackout", "input_select", "record", "cue_prompt", "morph_seconds", "preset")


@dataclass(frozen=True, slots=True)
class AdaptationState:
    """The measures in force and the drift.

    Attributes:
        measures: the active ones of `shed.steps`.
        drift: see DriftWatch.
    """

    measures: tuple[str, ...] = ()
    drift: float = 0.0


class Adaptation:
    """Sheds load and refreshes the stream. Counts shed_down, shed_up and refreshes.

    One thread at a time calls `finish`, any thread `state`, and the engine's thread everything else, also during `finish`.

    Args:
        clock: seconds.
        can_take: True when a step would change anything, for steps outside the parameters.
        on_shed: called with the active steps after every change, for steps that are neither in `used` nor in the render scale.
    """

    def __init__(
        self,
        config: Config,
        counters: Counters,
        *,
        clock: Callable[[], float] = monotonic,
        can_take: Callable[[str], bool] = lambda step: True,
        on_shed: Callable[[tuple[str, ...]], None] = lambda steps: None,
    ) -> None:
        shed, refresh = config.shed, config.refresh
        self._counters, self._clock, self._can_take, self._on_shed = counters, clock, can_take, on_shed
        self.shed = LoadShedder(shed.target_fps, shed.steps, down_s=shed.down_s, up_s=shed.up_s)
        self._every_s, self._at_drift = refresh.every_s, refresh.at_drift
        self._drift = DriftWatch()
        self._told = False  # of this drift
        self._look: Params | None = None
        self._asked: tuple[int, ...] = ()  # denoising steps that the performer chose
        self._began_at = clock()
        self._hide = False  # the next chunk, if it begins a stream
        self._refreshing = False
        self._fade = Crossfade(refresh.fade_s)
        self._convert = Converter()
        video = config.video
        self._fixed, self._max_pixels, self._as_input = video.size, video.max_pixels, video.output_size == "input"

    def up(self, size: tuple[int, int] | None, max_pixels: int | None) -> None:
        """Take note that the engine is up, and of its picture size without load shedding; see `Hello`."""
        self._fixed, self._max_pixels = size, max_pixels

    @property
    def state(self) -> AdaptationState:
        """The present state."""
        return AdaptationState(self.shed.active, self._drift.value)

    def used(self, params: Params) -> Params:
        """The parameters for the engine in place of the performer's, which stay unchanged."""
        self._asked = params.steps
        steps = self.shed.fewer(params.steps)
        return params if steps == params.steps else replace(params, steps=steps)

    def used_by(self, taken: Snapshot) -> Snapshot:
        """The same for a whole snapshot: a take records the values that were really used."""
        return replace(taken, params=self.used(taken.params))

    def due(self) -> bool:
        """True when the next chunk is to begin a new stream. Stays True until one has."""
        age = self._clock() - self._began_at
        drifted = bool(self._at_drift) and self._drift.value > self._at_drift
        self._refreshing = drifted or (self._every_s > 0 and age >= self._every_s)
        return self._refreshing

    def finish(self, generated: Generated, input_fps: float) -> list[Frame]:
        """A chunk's pictures as they are to be shown. Updates load shedding and drift from the chunk.

        Args:
            input_fps: measured frames per second of the input.
        """
        chunk, pictures = generated.chunk, self._full_size(generated)
        if generated.recipe.begins is not None:
            self._began()
            if self._hide or self._refreshing:
                self._fade.begin()
        if chunk.measures == self.shed.active:  # else it was on its way when that changed
            self._hide = False
        self._watch(generated)
        change = self.shed.chunk(self._clock(), generated.seconds, len(chunk.frames), input_fps, self._useful)
        if change:
            self._hide = True
            self._counters.add("shed_down" if change.startswith("too slow") else "shed_up")
            log.warning("%s; steps taken: %s", change, ", ".join(self.shed.active) or "none")
            self._on_shed(self.shed.active)
        return [self._fade.over(picture) for picture in pictures]

    def _began(self) -> None:
        if self._refreshing:
            self._counters.add("refreshes")
            log.info("the stream was begun anew after %.0f s, drift %.3f", self._clock() - self._began_at, self._drift.value)
        self._began_at = self._clock()
        self._drift.begin()
        self._told = False

    def _watch(self, generated: Generated) -> None:
        look = replace(generated.chunk.params, **{name: getattr(Params(), name) for name in NOT_THE_LOOK})
        if look != self._look:
            self._look = look
            self._drift.begin()
            self._told = False
        if generated.pictures:
            self._drift.see(generated.pictures[-1])
        if self._drift.value > (self._at_drift or NOTABLE) and not self._told:
            self._told = True
            log.info("the picture's colour or contrast has moved by %.3f since the look began", self._drift.value)

    def _full_size(self, generated: Generated) -> Sequence[Frame]:
        """Pictures made smaller to save time, scaled back to the size that receivers know."""
        chunk, pictures = generated.chunk, generated.pictures
        if render_scale(chunk.measures) == 1 or self._as_input:
            return pictures
        height, width = model_size(chunk.frames[-1].size, self._fixed, self._max_pixels or sys.maxsize)
        return [self._convert(picture, blank(picture, height, width)) for picture in pictures]

    def _useful(self, step: str) -> bool:
        if step == FEWER_STEPS:
            return len(self.shed.fewer(self._asked)) > 1
        return self._can_take(step)
