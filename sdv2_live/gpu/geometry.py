"""Picture geometry: the model's picture size, and the fit of another shape into it and back.

Sizes are (height, width), as tensors have them. Nothing here depends on time: frame rates pass through unaffected.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from sdv2_live.errors import ConfigError

MULTIPLE = 16  # 8x8 latent compression times 2x2 patches
Size = tuple[int, int]


def model_size(input_size: Size, fixed: Size | None, max_pixels: int) -> Size:
    """The (height, width) that the model runs at: `fixed` if given, else the input's shape in multiples of 16.

    An input larger than `max_pixels` is scaled down to it, a smaller one keeps its size. Of the multiples of 16 around that
    ideal size, the pair with the smallest relative change of both sides is taken, never above `max_pixels` pixels. A side
    of an extreme shape never falls below 16; the other is then as long as `max_pixels` allows and `Fit` deals with the rest.

    Raises ConfigError when `fixed` is not made of multiples of 16 or `max_pixels` has no room for 16x16.
    """
    if fixed is not None:
        if min(fixed) < MULTIPLE or fixed[0] % MULTIPLE or fixed[1] % MULTIPLE:
            raise ConfigError(f"resolution {fixed[0]}x{fixed[1]} (height x width) must be made of multiples of {MULTIPLE}")
        return fixed
    if max_pixels < MULTIPLE * MULTIPLE:
        raise ConfigError(f"max_pixels {max_pixels} is below the smallest picture, {MULTIPLE}x{MULTIPLE}: raise it")
    height, width = input_size
    scale = min(1.0, math.sqrt(max_pixels / (height * width)))
    ideal = height * scale, width * scale
    fitting = [(h, w) for h in _around(ideal[0], max_pixels // MULTIPLE) for w in _around(ideal[1], max_pixels // h)]
    return min(fitting, key=lambda size: abs(math.log(size[0] / ideal[0])) + abs(math.log(size[1] / ideal[1])))


def shrunk(size: Size, share: float) -> Size:
    """A size of nearly the same shape with `share` of the pixels, in multiples of 16."""
    height, width = (max(round(side * math.sqrt(share) / MULTIPLE), 1) * MULTIPLE for side in size)
    return height, width


def _around(side: float, limit: int) -> set[int]:
    """The multiples of 16 below and above `side`, between 16 and `limit`."""
    longest = limit // MULTIPLE
    return {min(max(steps, 1), longest) * MULTIPLE for steps in (math.floor(side / MULTIPLE), math.ceil(side / MULTIPLE))}


class Fit(Enum):
    """The way a picture of one shape goes into another."""

    FILL = "fill"  # cut the overhang, centred
    FIT = "fit"  # keep everything, with black bars
    STRETCH = "stretch"  # distort


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle of whole pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def size(self) -> Size:
        """(height, width)."""
        return self.height, self.width

    def of(self, picture: Any) -> Any:
        """View of this rectangle in an array or tensor (..., height, width)."""
        return picture[..., self.y : self.y + self.height, self.x : self.x + self.width]


@dataclass(frozen=True, slots=True)
class FitPlan:
    """The rectangle `source` of the input is resized onto the rectangle `target` of a picture of `size`; the rest is black."""

    source: Rect
    target: Rect
    size: Size


@lru_cache(maxsize=64)
def fit_plan(input_size: Size, size: Size, fit: Fit) -> FitPlan:
    """Plan from a picture of `input_size` to one of `size`.

    A crop across the width starts at an even column and has an even width (at least 2 where there are 2), whatever the
    format, so that 4:2:2 frames need no case of their own.
    """
    (height, width), (out_height, out_width) = input_size, size
    source, target = Rect(0, 0, width, height), Rect(0, 0, out_width, out_height)
    if fit is Fit.FILL:
        scale = max(out_height / height, out_width / width)
        crop_h, crop_w = _inside(out_height / scale, height), _inside(out_width / scale, width)
        if crop_w < width:
            crop_w = max(crop_w - crop_w % 2, 2)
        source = Rect((width - crop_w) // 4 * 2, (height - crop_h) // 2, crop_w, crop_h)
    elif fit is Fit.FIT:
        scale = min(out_height / height, out_width / width)
        fit_h, fit_w = _inside(height * scale, out_height), _inside(width * scale, out_width)
        target = Rect((out_width - fit_w) // 2, (out_height - fit_h) // 2, fit_w, fit_h)
    return FitPlan(source, target, size)


def return_crop(input_size: Size, size: Size, fit: Fit) -> Rect:
    """The part of the model's picture of `size` to show at `input_size`, so that no black bars come back.

    `fit_plan`'s letterbox bars are removed, and its stretching is undone. Its cropping cannot be: the picture fills the
    frame undistorted, cut a little along the other side.
    """
    if fit is Fit.FILL:
        return fit_plan(size, input_size, Fit.FILL).source
    return fit_plan(input_size, size, fit).target


def shown_part(input_size: Size, size: Size, fit: Fit, turned: Callable[[Rect, Rect], Rect] = lambda part, whole: part) -> Rect:
    """The part of the input whose painting `return_crop` shows, to the nearest pixel.

    turned: the part that lies at a part of the target, where the input does not lie in it as it came.
    """
    plan = fit_plan(input_size, size, fit)
    source, target = plan.source, plan.target
    crop = turned(return_crop(input_size, size, fit), target)
    across, down = source.width / target.width, source.height / target.height
    x, y = source.x + (crop.x - target.x) * across, source.y + (crop.y - target.y) * down
    left, top = min(round(x), input_size[1] - 1), min(round(y), input_size[0] - 1)
    width, height = round(x + crop.width * across) - left, round(y + crop.height * down) - top
    return Rect(left, top, _inside(width, input_size[1] - left), _inside(height, input_size[0] - top))


def _inside(side: float, limit: int) -> int:
    return min(max(round(side), 1), limit)
