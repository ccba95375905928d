from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdv2_live.errors import ConfigError
from sdv2_live.gpu.geometry import Fit, Rect, fit_plan, model_size, return_crop

TRAINING = 480 * 832
sides = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("input_size", "expected"),
    [
        ((720, 1280), (480, 832)),
        ((1080, 1920), (480, 832)),
        ((2160, 3840), (480, 832)),
        ((1920, 1080), (832, 480)),
        ((480, 640), (480, 640)),
        ((359, 641), (352, 640)),
        ((5, 5), (16, 16)),
        ((10, 10000), (16, 10000)),
        ((100000, 16), (24960, 16)),
    ],
)
def test_model_size_follows_the_input(input_size: Any, expected: Any) -> None:
    assert model_size(input_size, None, TRAINING) == expected


@given(sides, sides, st.integers(256, 1_000_000))
def test_model_size_keeps_its_limits_for_any_input(height: int, width: int, max_pixels: int) -> None:
    out = model_size((height, width), None, max_pixels)
    assert min(out) >= 16
    assert out[0] % 16 == out[1] % 16 == 0
    assert out[0] * out[1] <= max_pixels


@given(st.integers(240, 2160), st.floats(0.5, 2.0))
def test_aspect_stays_close_for_ordinary_shapes(height: int, aspect: float) -> None:
    width = round(height * aspect)
    out = model_size((height, width), None, TRAINING)
    # Each side goes to the nearest multiple of 16, 8 pixels off at most; where that would be too many pixels, to the one below.
    off = 8 if (height + 16) * (width + 16) <= TRAINING else 16
    assert abs(math.log(out[1] / out[0] / (width / height))) <= sum(math.log(side / (side - off)) for side in out)


def test_fixed_size_wins() -> None:
    assert model_size((1080, 1920), (512, 512), 1000) == (512, 512)


@pytest.mark.parametrize("fixed", [(500, 512), (512, 8), (0, 0), (-16, 16)])
def test_unusable_fixed_size_is_refused(fixed: Any) -> None:
    with pytest.raises(ConfigError, match="multiples of 16"):
        model_size((1080, 1920), fixed, TRAINING)


def test_max_pixels_without_room_is_refused() -> None:
    with pytest.raises(ConfigError, match="raise it"):
        model_size((1080, 1920), None, 255)


def test_fill_crops_the_overhang_centred() -> None:
    plan = fit_plan((1080, 1920), (512, 512), Fit.FILL)
    assert plan.source == Rect(420, 0, 1080, 1080)
    assert plan.target == Rect(0, 0, 512, 512)


def test_fit_letterboxes() -> None:
    plan = fit_plan((1080, 1920), (512, 512), Fit.FIT)
    assert plan.source == Rect(0, 0, 1920, 1080)
    assert plan.target == Rect(0, 112, 512, 288)


def test_stretch_uses_everything() -> None:
    plan = fit_plan((1080, 1920), (512, 512), Fit.STRETCH)
    assert (plan.source.size, plan.target.size) == ((1080, 1920), (512, 512))


@given(sides, sides, sides, sides, st.sampled_from(Fit))
def test_rectangles_lie_inside_and_crops_are_even(height: int, width: int, out_height: int, out_width: int, fit: Fit) -> None:
    plan = fit_plan((height, width), (out_height, out_width), fit)
    for rect, (limit_h, limit_w) in ((plan.source, (height, width)), (plan.target, (out_height, out_width))):
        assert rect.width >= 1
        assert rect.height >= 1
        assert rect.x >= 0
        assert rect.y >= 0
        assert rect.x + rect.width <= limit_w
        assert rect.y + rect.height <= limit_h
    assert plan.source.x % 2 == 0
    assert plan.source.width == width or plan.source.width % 2 == 0 or width < 2


def test_return_strips_the_bars_of_fit() -> None:
    assert return_crop((1080, 1920), (512, 512), Fit.FIT) == Rect(0, 112, 512, 288)


def test_return_of_fill_has_the_input_shape() -> None:
    assert return_crop((720, 1280), (480, 832), Fit.FILL) == Rect(0, 6, 832, 468)


def test_return_of_stretch_is_whole() -> None:
    assert return_crop((720, 1280), (512, 512), Fit.STRETCH) == Rect(0, 0, 512, 512)
