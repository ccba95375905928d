"""The size of the small model's pictures, where nobody chose one: the largest that this CPU paints at its input's rate."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from sdv2_live.config.schema import Config
from sdv2_live.config.stream_spec import stream_spec
from sdv2_live.control.params import Params
from sdv2_live.cost.pace import PIXELS, Work, converting, cores_for, largest, painting, share
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import Mode
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.gpu.geometry import Size, model_size
from sdv2_live.io.rate import usual_rate
from sdv2_live.model.cpu import cores
from sdv2_live.model.profiles import Profile, StreamKind
from sdv2_live.pipeline.conversion import new_postprocess, new_preprocess

log = logging.getLogger("sdv2_live.bringup")

FLUENT = 30.0  # frames a second: where no size holds a higher rate, every second frame is painted
Input = tuple[Size, PixelFormat, Fraction]  # what of an input the choice depends on: its frames' size, layout and rate


class ChosenSize:
    """The most pixels of a picture, chosen for each kind of input when the first of its frames comes."""

    def __init__(self, config: Config, engine: Engine, kind: StreamKind) -> None:
        self._config = config
        self._engine = engine
        self._kind = kind
        self._painting: dict[Size, Work] = {}
        self._converting: dict[tuple[Size, Size, PixelFormat], tuple[float, float]] = {}
        self._chosen: dict[Input, int] = {}

    def __call__(self, like: Frame, params: Params, on_measure: Callable[[], None]) -> int:
        """The choice for an input.

        Args:
            like: a frame of it, with its rate. Its bytes are not looked at.
            params: the parameters that the picture begins with: more steps leave less time for each, detail less for all.
            on_measure: called before a measurement, which takes about a second.
        """
        rate = usual_rate(float(like.rate)) or like.rate
        kind = like.size, like.format, rate
        if kind not in self._chosen:
            on_measure()
            self._chosen[kind] = self._measured(like, params, float(rate))
        return self._chosen[kind]

    def _measured(self, like: Frame, params: Params, rate: float) -> int:
        target, calls = self._config.shed.target_fps, len(params.steps) + (not self._kind.own)
        sizes = [pixels for fewer, pixels in pairwise((0, *PIXELS)) if fewer < like.height * like.width]
        measured: dict[int, Work] = {}
        if len(sizes) == 1:  # there is no choice
            return sizes[0]

        def needed(pixels: int) -> float:
            size = model_size(like.size, None, pixels)
            work = measured[pixels] = measured.get(pixels) or self._work(size, like, params)
            return share(work, steps=calls, cores=cores_for(size[0] * size[1], cores()), rate=wanted)

        wanted = min(target or rate, rate)
        pixels = largest(sizes, needed)
        while needed(pixels) > 1 and wanted > FLUENT and not target:
            wanted /= 2
            pixels = largest(sizes, needed)
        height, width = model_size(like.size, None, pixels)
        held = "" if needed(pixels) <= 1 else ", of which this processor paints fewer"
        what = like.height, like.width, like.format.value, rate, pixels, height, width, wanted, held
        log.info("input %dx%d %s at %g frames a second: up to %d pixels (%dx%d), as measured for %g a second%s", *what)
        return pixels

    def _work(self, size: Size, like: Frame, params: Params) -> Work:
        if size not in self._painting:
            self._painting[size] = painting(self._engine, stream_spec(self._config, self._kind, size, params))
        if (kind := (size, like.size, like.format)) not in self._converting:  # another rate of the same frames costs nothing
            pre = new_preprocess(self._config, self._engine, size)
            self._converting[kind] = converting(pre, new_postprocess(self._config, self._engine), like, params.detail)
        take_in, give_out = self._converting[kind]
        return replace(self._painting[size], take_in=take_in, give_out=give_out)


def chosen_size(config: Config, engine: Engine, profile: Profile) -> ChosenSize | None:
    """The choice of the size, for the small model on a CPU, where the configuration leaves it open; else None."""
    video = config.video
    fixed = video.size is not None or video.max_pixels is not None or config.engine.mode is Mode.TEXT
    if fixed or engine.device.type != "cpu" or profile.files is not None:
        return None
    return ChosenSize(config, engine, profile.stream)
