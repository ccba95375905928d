from __future__ import annotations

import errno
import re
from fractions import Fraction
from typing import Any

import pytest
from support.waiting import eventually

from sdv2_live.errors import DeviceError
from sdv2_live.io.devices import cameras as module
from sdv2_live.io.devices.cameras import Camera, device_of, match_camera
from sdv2_live.io.devices.ffmpeg import Device, problem
from sdv2_live.io.devices.modes import Mode, asked
from sdv2_live.io.open import open_source

THIRTY = Fraction(30)
MODES = (Mode(480, 640, THIRTY, "yuyv422"), Mode(720, 1280, THIRTY, "mjpeg", packed=True))
LOOPBACK = Camera("OBS Virtual Camera", 0, "v4l2", "/dev/video0", loopback=True)
WEBCAM = Camera("HD Webcam: HD Webcam", 2, "v4l2", "/dev/video2", MODES)
USB = Camera("USB 2 Camera", 4, "v4l2", "/dev/video4", MODES)
ALL = (LOOPBACK, WEBCAM, USB)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("", WEBCAM),
        ("2", WEBCAM),
        ("0", LOOPBACK),
        ("/dev/video4", USB),
        ("USB 2 Camera", USB),
        ("webcam", WEBCAM),
        ("camera", LOOPBACK),
        ("7", None),
        ("Gopro", None),
    ],
)
def test_a_camera_is_found_by_number_file_name_or_part(name: str, found: Camera | None) -> None:
    assert match_camera(name, ALL) is found


def test_our_own_virtual_camera_is_no_input_unless_it_is_named() -> None:
    own = [LOOPBACK.name]
    assert match_camera("camera", ALL, own) is USB
    assert match_camera(LOOPBACK.name, ALL, own) is LOOPBACK
    assert match_camera("", [LOOPBACK]) is LOOPBACK


def test_what_is_opened_is_the_best_mode() -> None:
    device = device_of(asked(""), ALL)
    assert (device.name, device.format, device.url) == (WEBCAM.name, "v4l2", "/dev/video2")
    assert device.options == {"framerate": "30/1", "video_size": "1280x720", "input_format": "mjpeg"}
    assert device_of(asked("2@480x640"), ALL).options["input_format"] == "yuyv422"
    assert device_of(asked("OBS@600x800@25"), ALL).options == {"framerate": "25/1", "video_size": "800x600"}


@pytest.mark.parametrize(
    ("text", "there", "says"),
    [
        ("", (), "there is no camera; plug one in, or switch it on"),
        ("Gopro", (WEBCAM, USB), "there is no camera 'Gopro'; there are: 'HD Webcam: HD Webcam', 'USB 2 Camera'"),
        ("USB@481x640", ALL, r"'USB 2 Camera' gives no 481x640; it gives 720x1280@30, 480x640@30 \(height first\)"),
        ("USB@480x640@50", ALL, "gives no 480x640@50; it gives"),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(text: str, there: tuple[Camera, ...], says: str) -> None:
    with pytest.raises(DeviceError, match=says):
        device_of(asked(text), there)


@pytest.mark.parametrize(
    ("number", "kind", "system", "says"),
    [
        (errno.EBUSY, "camera", "linux", "Cam is busy: another program has it; close that program"),
        (errno.EACCES, "camera", "linux", "does not let sdv2-live use Cam: .*sudo usermod -aG video"),
        (errno.EACCES, "camera", "darwin", "System Settings, Privacy & Security, Camera, for the program that starts sdv2-live"),
        (errno.EPERM, "screen", "darwin", "System Settings, Privacy & Security, Screen Recording"),
        (errno.EACCES, "camera", "win32", "Settings, Privacy & security, Camera: let desktop apps"),
        (errno.ENODEV, "camera", "linux", "Cam is gone: plug it in again"),
        (errno.EIO, "camera", "linux", "Cam cannot be opened: .*sdv2-live sources lists"),
    ],
)
def test_why_a_device_does_not_open_is_told_with_the_remedy(number: int, kind: str, system: str, says: str) -> None:
    error = OSError(number, "in the system's words")
    assert re.search(says, problem(Device("Cam", kind, "v4l2", "/dev/video0"), error, system=system))


@pytest.mark.parametrize(
    ("logs", "system", "says"),
    [
        ("Could not run graph (sometimes caused by a device already in use by other application)", "win32", "Cam is busy"),
        ("Failed to create AV capture input device: Cannot use FaceTime HD Camera", "darwin", "Privacy & Security, Camera"),
    ],
)
def test_windows_and_macos_say_why_in_their_logs_alone(logs: str, system: str, says: str) -> None:
    error = OSError(errno.EIO, "Input/output error")
    assert says in problem(Device("Cam", "camera", "dshow", "video=Cam"), error, logs, system)


def test_a_show_may_begin_without_its_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[Any] = []
    monkeypatch.setattr(module, "list_cameras", lambda: there)
    with open_source("camera:") as source:
        assert source.read(0.01) is None
        eventually("the reason", lambda: "there is no camera; plug one in" in getattr(source, "status", ""))
        there.append(Camera("Lavfi", 0, "lavfi", "testsrc2=s=64x48:r=30,realtime"))
        monkeypatch.setattr(module, "_options", lambda *_: {})
        frame = eventually("a picture", lambda: source.read(0.1))
        assert frame is not None
        assert frame.size == (48, 64)
