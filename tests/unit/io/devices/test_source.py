from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from support.devices import FakeCamera
from support.waiting import eventually

from sdv2_live.errors import DeviceError
from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.io.devices.ffmpeg import Device, FfmpegCapture
from sdv2_live.io.devices.source import DeviceSource


def lavfi(graph: str) -> Device:
    """A device that libavdevice makes of a filter graph."""
    return Device("Lavfi", "camera", "lavfi", graph)


@pytest.fixture
def camera() -> Iterator[FakeCamera]:
    one = FakeCamera()
    yield one
    one.release()


@pytest.fixture
def source(camera: FakeCamera) -> Iterator[DeviceSource]:
    with DeviceSource("camera:Fake", camera.open) as one:
        yield one


def next_frame(source: DeviceSource) -> Frame:
    frame = eventually("a picture", lambda: source.read(0.05))
    assert frame is not None
    return frame


def first_picture(graph: str) -> Frame:
    capture = FfmpegCapture(lavfi(graph))
    try:
        frame = capture.read()
        assert frame is not None
        return frame
    finally:
        capture.close()


@pytest.mark.parametrize(
    ("layout", "range", "red"),
    [
        ("yuyv422", ColorRange.LIMITED, (90, 81, 240, 81)),
        ("nv12", ColorRange.LIMITED, (90, 81, 240, 81)),
        ("yuvj422p", ColorRange.FULL, (85, 76, 255, 76)),
    ],
)
def test_a_cameras_colours_keep_their_matrix_and_range(layout: str, range: ColorRange, red: tuple[int, ...]) -> None:
    frame = first_picture(f"color=c=red:s=64x48,format={layout}")
    assert (frame.format, frame.size) == (PixelFormat.UYVY, (48, 64))
    assert frame.color == ColorSpec(ColorMatrix.BT601, range)
    assert np.abs(frame.data[:, :128].reshape(-1, 4).astype(int) - red).max() <= 1


@pytest.mark.parametrize(
    ("layout", "kept"),
    [("bgr0", PixelFormat.BGRX), ("bgra", PixelFormat.BGRX), ("rgba", PixelFormat.RGBX), ("rgb24", PixelFormat.RGBX)],
)
def test_rgb_stays_rgb(layout: str, kept: PixelFormat) -> None:
    frame = first_picture(f"color=c=0x102030:s=64x48,format={layout}")
    assert frame.format is kept
    pixel = [0x10, 0x20, 0x30] if kept is PixelFormat.RGBX else [0x30, 0x20, 0x10]
    assert frame.data[20, 40:43].tolist() == pixel


def test_an_odd_width_comes_as_rgb() -> None:
    frame = first_picture("color=c=red:s=63x48,format=yuv444p")
    assert (frame.format, frame.size) == (PixelFormat.RGBX, (48, 63))
    assert np.abs(frame.data[20, 40:43].astype(int) - (255, 0, 0)).max() <= 3


def test_a_device_gives_its_own_rate_and_numbers_its_frames() -> None:
    with DeviceSource("camera:", lambda: FfmpegCapture(lavfi("testsrc2=s=64x48:r=25,realtime"))) as source:
        frames = [next_frame(source) for _ in range(3)]
        assert source.connected == "Lavfi"
    assert [frame.rate for frame in frames] == [25, 25, 25]
    assert frames[0].index < frames[1].index < frames[2].index
    assert frames[0].captured_ns < frames[1].captured_ns < frames[2].captured_ns


def test_a_device_that_cannot_be_opened_raises_one_sentence() -> None:
    with pytest.raises(DeviceError, match=r"Lavfi cannot be opened: .*sdv2-live sources lists"):
        FfmpegCapture(lavfi("nonsense=1"))


@pytest.mark.skipif(sys.platform != "linux", reason="v4l2 is Linux' own")
def test_a_device_file_that_is_gone_is_told() -> None:
    with pytest.raises(DeviceError, match=r"Cam is gone: plug it in again"):
        FfmpegCapture(Device("Cam", "camera", "v4l2", "/dev/no such video"))


def test_a_camera_that_ends_is_opened_again() -> None:
    opened = []

    def open_capture() -> FfmpegCapture:
        opened.append(FfmpegCapture(lavfi("testsrc2=s=64x48:r=30:d=0.1")))
        return opened[-1]

    with DeviceSource("camera:", open_capture) as source:
        next_frame(source)
        eventually("the end", lambda: source.read(0.01) is None and not source.connected)
        assert source.status == "Lavfi is gone: plug it in again"
        eventually("a second turn", lambda: len(opened) > 1)
        next_frame(source)


def test_an_unplugged_camera_comes_back_without_a_restart(
    camera: FakeCamera, source: DeviceSource, caplog: pytest.LogCaptureFixture
) -> None:
    assert next_frame(source).size == (48, 64)
    assert source.status == "connected to 'Fake'"
    camera.plugged = False
    eventually("the loss", lambda: source.read(0.01) is None and not source.connected)
    eventually("the reason", lambda: source.status.startswith("there is no camera"))
    assert not source.broken
    assert not source.ended
    camera.plugged, camera.size = True, (96, 32)
    assert eventually("the new size", lambda: (frame := source.read(0.05)) and frame.size == (96, 32))
    assert camera.closed == 1
    assert caplog.text.count("there is no camera") == 1  # told once, however often it was looked for


def test_the_newest_picture_is_given_and_the_others_are_counted(camera: FakeCamera, source: DeviceSource) -> None:
    eventually("pictures that nobody read", lambda: source.dropped >= 3)
    camera.grey = 200
    before = source.received
    eventually("newer ones", lambda: source.received > before + 1)
    assert next_frame(source).data[0, 0] == 200


def test_a_read_that_hangs_costs_no_more_than_its_thread(camera: FakeCamera) -> None:
    with DeviceSource("camera:Fake", camera.open, silent_s=0.05) as source:
        next_frame(source)
        camera.hangs.set()
        eventually("another try", lambda: source.read(0.01) is None and camera.opened > 1)
        assert source.status == "camera:Fake gives nothing"
        camera.release()
        next_frame(source)
        eventually("the thread left behind to give its device back", lambda: camera.closed >= 1)


def test_close_waits_for_no_driver(camera: FakeCamera, source: DeviceSource) -> None:
    next_frame(source)
    camera.hangs.set()
    source.close()
    eventually("nothing more", lambda: source.read(600) is None)
