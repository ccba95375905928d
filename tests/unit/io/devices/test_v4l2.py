from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from support.devices import Driver, machine_with

from sdv2_live.io.devices.modes import Mode
from sdv2_live.io.devices.v4l2 import CAPTURE, OUTPUT, devices

THIRTY = Fraction(30)
WEBCAM: dict[bytes, dict[tuple[int, ...], list[int]]] = {
    b"YUYV": {(640, 480): [30, 15]},
    b"MJPG": {(1280, 720): [30]},
    b"Z16 ": {(640, 480): [30]},
}


def test_devices_are_listed_with_what_they_capture(tmp_path: Path) -> None:
    webcam, data = Driver("HD Webcam: HD Webcam", CAPTURE, WEBCAM), Driver("HD Webcam: HD Webcam", 0x800000, {b"UVCH": {}})
    opened = machine_with(tmp_path, {"video10": webcam, "video2": data})
    second, tenth = devices(tmp_path, opened)
    assert (second.path, second.number, second.captures) == ("/dev/video2", 2, False)
    assert (tenth.path, tenth.name, tenth.captures, tenth.takes) == ("/dev/video10", "HD Webcam: HD Webcam", True, False)
    assert tenth.modes == (
        Mode(480, 640, THIRTY, "yuyv422"),
        Mode(480, 640, Fraction(15), "yuyv422"),
        Mode(720, 1280, THIRTY, "mjpeg", packed=True),
    )
    assert webcam.closed == data.closed == 1


def test_of_a_range_of_sizes_the_usual_ones_are_taken(tmp_path: Path) -> None:
    any_size = Driver("Grabber", CAPTURE, {b"NV12": {(320, 1280, 2, 240, 720, 2): [30]}})
    (grabber,) = devices(tmp_path, machine_with(tmp_path, {"video0": any_size}))
    assert grabber.modes == (Mode(480, 640, THIRTY, "nv12"), Mode(720, 1280, THIRTY, "nv12"))


def test_a_virtual_camera_takes_pictures(tmp_path: Path) -> None:
    (loopback,) = devices(tmp_path, machine_with(tmp_path, {"video7": Driver("sdv2-live", OUTPUT, {b"YUYV": {}})}))
    assert (loopback.takes, loopback.captures, loopback.modes) == (True, False, ())


def test_a_forbidden_device_is_listed_so_that_opening_it_tells_why(tmp_path: Path) -> None:
    (camera,) = devices(tmp_path, machine_with(tmp_path, {"video0": Driver("Cam", 0, {})}))
    assert (camera.name, camera.captures, camera.modes) == ("Cam", True, ())


def test_a_machine_without_video_devices_has_none(tmp_path: Path) -> None:
    assert devices(tmp_path / "none") == []
