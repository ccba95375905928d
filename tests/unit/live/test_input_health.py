"""Whether an input is healthy, by a clock that moves when told."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from support.fakes import FakeClock

from sdv2_live.frame import ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.live.input_health import STEP, Fault, InputHealth

FPS = 30
RANDOM = np.random.default_rng(3)


def picture(value: int = 128, format: PixelFormat = PixelFormat.RGBX, height: int = 96, width: int = 64) -> Frame:
    """One grey, its fourth byte set, as an RGB frame; as UYVY of this luma, without colour."""
    data = np.full((height, width * format.bytes_per_pixel), value, np.uint8)
    data[:, (0 if format is PixelFormat.UYVY else 3) :: (2 if format is PixelFormat.UYVY else 4)] = 128
    return Frame(data, width, height, format)


def slow(value: int, seconds: float) -> Frame:
    """A picture of a source that declares a frame in so many seconds."""
    return replace(picture(value), rate=Fraction(1 / seconds).limit_denominator(1000))


def noisy(value: int, amplitude: int = 2, format: PixelFormat = PixelFormat.UYVY) -> Frame:
    frame = picture(value, format)
    noise = RANDOM.integers(-amplitude, amplitude + 1, frame.data.shape)
    return Frame((frame.data + noise).astype(np.uint8), frame.width, frame.height, format)


class Rig:
    """A watch, and a camera of 30 frames a second before it."""

    def __init__(self, **settings: float) -> None:
        self.clock = FakeClock()
        self.linked = False
        self.watch = InputHealth(since=self.clock.now_ns(), linked=lambda: self.linked, **settings)

    def see(self, frame: Frame, seconds: float) -> Fault | None:
        for _ in range(round(seconds * FPS)):
            self.clock.advance(1 / FPS)
            self.watch.see(frame, self.clock.now_ns())
        return self.fault

    def come(self, frame: Frame, after: float) -> None:
        self.clock.advance(after)
        self.watch.see(frame, self.clock.now_ns())

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


@pytest.mark.parametrize("period", [1.2, 1.5, 4.0, 20.0])
@pytest.mark.parametrize("declared", [None, 1 / 30])
def test_a_slow_input_is_lost_after_some_of_its_own_frame_times(period: float, declared: float | None) -> None:
    rig = Rig(lost_s=1.0)
    for i in range(12):
        rig.come(slow(i, declared or period), period)
        rig.clock.advance(period * 0.99)
        assert (rig.fault is None) == (i > 0 or declared is None)  # a wrong declaration is believed until the second frame
        rig.clock.advance(-period * 0.99)
    rig.clock.advance(2.9 * period)
    assert rig.fault is None
    rig.clock.advance(0.2 * period)
    assert rig.fault is Fault.LOST


def test_a_slow_input_is_steady_in_its_own_time() -> None:
    rig = Rig(lost_s=1.0)
    rig.clock.advance(30)  # it begins later than the show
    for i in range(8):
        rig.come(slow(i, 1.5), 1.5)
    assert rig.steady_s == pytest.approx(7 * 1.5, abs=0.1)


def test_the_pauses_of_one_outage_are_no_spacing() -> None:
    rig = Rig(lost_s=1.0)
    rig.see(picture(), 2)
    rig.clock.advance(60)
    rig.see(picture(), 0.1)
    rig.clock.advance(1.1)
    assert rig.fault is Fault.LOST


def test_a_slow_input_that_moves_with_every_frame_is_neither_frozen_nor_black_between_them() -> None:
    rig = Rig(lost_s=10.0, frozen_s=1.0, black_s=1.0)
    for i in range(8):
        rig.come(slow(100 + 10 * i, 1.5), 1.4)
        rig.clock.advance(1.4)
        assert rig.fault is None
        rig.clock.advance(-1.3)


def test_what_sends_on_change_is_not_lost_while_its_sender_is_connected() -> None:
    rig = Rig(lost_s=1.0)
    rig.linked = True
    for pause in (0.1, 8.0, 3.0, 0.1, 600.0):
        rig.see(picture(), 1.0)  # an animation
        rig.clock.advance(pause)
        assert rig.fault is None
    rig.see(picture(), 1 / FPS)
    assert rig.steady_s > 600  # its silence is no pause
    rig.clock.advance(30)
    rig.linked = False
    assert rig.fault is Fault.LOST
    rig.linked = True
    assert rig.fault is None  # the connection is back, and so its picture still true
    rig.see(picture(), 1 / FPS)
    assert rig.steady_s < 1


def test_a_camera_that_stops_is_lost_though_its_sender_is_connected_unless_nothing_would_take_its_place() -> None:
    for camera_s, fault in ((10.0, Fault.LOST), (float("inf"), None)):
        rig = Rig(lost_s=1.0, camera_s=camera_s)
        rig.linked = True
        rig.see(picture(), 12)
        rig.clock.advance(1.1)
        assert rig.fault is fault
