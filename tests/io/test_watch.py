"""Whether an input is healthy, by a clock that moves when told."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeClock

from sdv2_live.frame import ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.io.watch import STEP, Fault, InputWatch

FPS = 30
RANDOM = np.random.default_rng(3)


def picture(value: int = 128, format: PixelFormat = PixelFormat.RGBX, height: int = 96, width: int = 64) -> Frame:
    """One grey, its fourth byte set, as an RGB frame; as UYVY of this luma, without colour."""
    data = np.full((height, width * format.bytes_per_pixel), value, np.uint8)
    data[:, (0 if format is PixelFormat.UYVY else 3) :: (2 if format is PixelFormat.UYVY else 4)] = 128
    return Frame(data, width, height, format)


def noisy(value: int, amplitude: int = 2, format: PixelFormat = PixelFormat.UYVY) -> Frame:
    frame = picture(value, format)
    noise = RANDOM.integers(-amplitude, amplitude + 1, frame.data.shape)
    return Frame((frame.data + noise).astype(np.uint8), frame.width, frame.height, format)


class Rig:
    """A watch, and a camera of 30 frames a second before it."""

    def __init__(self, **settings: float) -> None:
        self.clock = FakeClock()
        self.watch = InputWatch(since=self.clock.now_ns(), **settings)

    def see(self, frame: Frame, seconds: float) -> Fault | None:
        for _ in range(round(seconds * FPS)):
            self.clock.advance(1 / FPS)
            self.watch.see(frame, self.clock.now_ns())
        return self.fault

    def noise(self, value: int, seconds: float) -> Fault | None:
        for _ in range(round(seconds * FPS)):
            self.see(noisy(value), 1 / FPS)
        return self.fault

    @property
    def fault(self) -> Fault | None:
        return self.watch.fault(self.clock.now_ns())

    @property
    def steady_s(self) -> float:
        return self.watch.steady_s(self.clock.now_ns())


def test_no_frame_for_long_is_lost_and_a_frame_ends_that() -> None:
    rig = Rig(lost_s=1.0)
    assert rig.see(picture(), 2) is None
    rig.clock.advance(0.9)
    assert rig.fault is None
    rig.clock.advance(0.1)
    assert rig.fault is Fault.LOST
    assert rig.see(picture(), 0.1) is None


def test_an_input_that_never_came_is_lost_too() -> None:
    rig = Rig(lost_s=1.0)
    rig.clock.advance(1.5)
    assert rig.fault is Fault.LOST
    assert not rig.watch.came


def test_a_picture_that_stands_still_is_frozen_and_a_still_camera_is_not() -> None:
    rig = Rig(frozen_s=3.0)
    assert rig.noise(120, 10) is None
    assert rig.see(picture(), 2.9) is None
    assert rig.see(picture(), 0.2) is Fault.FROZEN
    assert rig.see(picture(129), 0.1) is None


def test_the_smallest_movement_is_seen_within_as_many_frames_as_rows_are_skipped() -> None:
    rig = Rig(frozen_s=3.0)
    height = STEP * 20
    still = picture(height=height)
    data = still.data.copy()
    data[height // 2, 5] += 1  # one byte of one pixel
    moved = Frame(data, still.width, still.height, still.format)
    for _ in range(4):
        assert rig.see(still, STEP / FPS) is None
        assert rig.see(moved, STEP / FPS) is None
        assert (rig.clock.now_ns() - rig.watch._moved_at) / 1e9 <= STEP / FPS


def test_a_slide_may_stand_for_ever_unless_that_is_looked_for() -> None:
    assert Rig().see(picture(), 60) is None
    assert Rig().see(picture(0), 60) is None


@pytest.mark.parametrize("range", list(ColorRange))
def test_black_counts_with_its_noise_and_a_dim_scene_does_not(range: ColorRange) -> None:
    for frame, black in (
        (noisy(16 if range is ColorRange.LIMITED else 6, 5), True),  # a covered lens
        (noisy(60, 5), False),
    ):
        rig = Rig(black_s=1.0)
        colored = Frame(frame.data, frame.width, frame.height, frame.format, color=ColorSpec(range=range))
        assert rig.see(colored, 1.2) is (Fault.BLACK if black else None)


@pytest.mark.parametrize("format", [PixelFormat.RGBX, PixelFormat.BGRA])
def test_black_is_the_same_in_rgb_and_one_colour_is_enough_light(format: PixelFormat) -> None:
    rig = Rig(black_s=1.0)
    assert rig.see(picture(10, format), 1.2) is Fault.BLACK
    blue = picture(10, format)
    data = blue.data.copy()
    data[:, 2::4] = 90
    assert rig.see(Frame(data, blue.width, blue.height, format), 0.1) is None


def test_one_spot_of_light_is_no_black_picture() -> None:
    rig = Rig(black_s=1.0)
    frame = picture(0, height=96, width=96)
    data = frame.data.copy()
    data[40:56, :24] = 255  # a candle
    assert rig.see(Frame(data, 96, 96, frame.format), 3) is None


def test_steady_begins_anew_with_every_pause_and_every_black_frame() -> None:
    rig = Rig(lost_s=2.0, black_s=5.0)
    rig.noise(120, 3)
    assert rig.steady_s == pytest.approx(3, abs=0.1)
    rig.clock.advance(0.7)  # a pause, too short for a fault
    rig.noise(120, 1)
    assert rig.fault is None
    assert rig.steady_s == pytest.approx(1, abs=0.1)
    rig.see(picture(16, PixelFormat.UYVY), 0.1)
    rig.noise(120, 0.5)
    assert rig.steady_s == pytest.approx(0.5, abs=0.1)


def test_steady_wants_movement_where_that_is_looked_for() -> None:
    rig = Rig(frozen_s=3.0)
    rig.see(picture(), 5)
    assert rig.steady_s < 0.1
    rig.noise(120, 2)
    assert rig.steady_s == pytest.approx(2, abs=0.1)


def test_another_size_or_format_is_movement() -> None:
    rig = Rig(frozen_s=1.0)
    rig.see(picture(), 0.9)
    assert rig.see(picture(width=32), 0.9) is None
    assert rig.see(picture(format=PixelFormat.UYVY), 0.9) is None
    assert rig.see(picture(format=PixelFormat.UYVY), 0.3) is Fault.FROZEN
