"""What takes a painting's place: when, how much of it, and what it looks like."""

from __future__ import annotations

import numpy as np
import pytest
from support.fakes import fake_frame
from support.pictures import assert_like, bars, with_fourth

from sdv2_live.config.choices import Fallback
from sdv2_live.frame import ColorSpec, Frame, PixelFormat
from sdv2_live.io.pictures import Converter, black_like, blend, slate
from sdv2_live.live.fallback import FallbackMixer

MS = 1_000_000


def cover(instead: Fallback = Fallback.INPUT) -> FallbackMixer:
    return FallbackMixer(instead, hold_s=1.0, fade_s=0.5, text="soon")


def test_it_holds_fades_in_stays_and_fades_out() -> None:
    given = cover()
    assert given.level(0) == 0
    given.lost(0)
    levels = [given.level(ms * MS) for ms in (0, 999, 1250, 1500, 60_000)]
    assert levels == [0, 0, 0.5, 1, 1]
    given.lost(60_000 * MS)  # it is known already
    given.back(61_000 * MS)
    assert [given.level(ms * MS) for ms in (61_000, 61_250, 61_500, 90_000)] == [1, 0.5, 0, 0]


def test_a_return_in_time_leaves_no_trace_and_a_new_loss_goes_on_from_where_it_was() -> None:
    given = cover()
    given.lost(0)
    given.back(500 * MS)
    assert given.level(600 * MS) == given.level(10_000 * MS) == 0
    given.lost(10_000 * MS)
    given.back(12_000 * MS)
    given.lost(12_250 * MS)  # half way back
    assert [given.level(ms * MS) for ms in (12_250, 12_500)] == [0.5, 1]


def test_hold_is_the_painting_alone() -> None:
    given = FallbackMixer(Fallback.HOLD, hold_s=0, fade_s=0)
    given.lost(0)
    assert given.level(10_000 * MS) == 0


@pytest.mark.parametrize("level", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("height", [1, 64, 130])
def test_a_blend_lies_between(level: float, height: int) -> None:
    random = np.random.default_rng(1)
    a, b = (random.integers(0, 256, (height, 40), np.uint8) for _ in range(2))
    exact = a + (b.astype(float) - a) * level
    assert np.abs(blend(a, b, level) - exact).max() <= 1


def frame_of(rgb: np.ndarray, format: PixelFormat) -> Frame:
    height, width = rgb.shape[:2]
    order = "BGR" if format in (PixelFormat.BGRX, PixelFormat.BGRA) else "RGB"
    return Frame(with_fourth(rgb, order).reshape(height, -1), width, height, format)


@pytest.mark.parametrize("to", [PixelFormat.BGRX, PixelFormat.UYVY])
def test_the_input_appears_in_the_paintings_size_layout_and_colours(to: PixelFormat) -> None:
    there, back = Converter(), Converter()
    like = fake_frame(0, 64, 96, format=to)
    seen = there(frame_of(bars(128, 192), PixelFormat.RGBX), like)
    assert (seen.size, seen.format) == (like.size, to)
    again = back(seen, fake_frame(0, 64, 96, format=PixelFormat.RGBX))
    picture = again.data[:, : 96 * 4].reshape(64, 96, 4)[..., :3]
    assert_like(picture, bars(64, 96))


def test_an_input_of_another_shape_is_cropped_in_its_middle() -> None:
    wide = np.zeros((32, 128, 3), np.uint8)
    wide[:, 48:80] = 200  # all that a square shows
    seen = Converter()(frame_of(wide, PixelFormat.RGBX), fake_frame(0, 32, 32, format=PixelFormat.RGBX))
    assert seen.data.reshape(32, 32, 4)[:, 2:-2, :3].min() > 190


def test_without_an_input_the_painting_stays() -> None:
    painted = fake_frame(3)
    assert cover().over(painted, None, 1.0) is painted


def test_black_and_slate_have_the_paintings_layout() -> None:
    painted = fake_frame(200, 64, 96, format=PixelFormat.UYVY)
    black = cover(Fallback.BLACK).over(painted, None, 1.0)
    assert np.array_equal(black.data, black_like(painted).data)
    given = cover(Fallback.SLATE)
    still = given.over(painted, None, 1.0)
    assert (still.size, still.format, still.color) == (painted.size, painted.format, ColorSpec())
    luma = still.data[:, 1::2]
    assert luma[0, 0] < 45  # dark
    assert luma.max() > luma[0, 0] + 50  # with something written on it
    half = given.over(painted, None, 0.5).data[0, 1]
    assert luma[0, 0] < half < 200


def test_a_slate_may_be_wordless_and_of_any_size() -> None:
    for size in ((16, 16), (1080, 1920)):
        assert len(np.unique(slate(size, "").data)) <= 4
        assert slate(size, "zwölf Minuten Pause").size == size
