from __future__ import annotations

import re
from fractions import Fraction

import pytest

from sdv2_live.config.schema import Config, InputConfig, OutputConfig
from sdv2_live.doctor import devices
from sdv2_live.doctor.devices import look_devices
from sdv2_live.doctor.probe import Check
from sdv2_live.errors import DeviceError
from sdv2_live.io.devices import v4l2
from sdv2_live.io.devices.cameras import Camera
from sdv2_live.io.devices.modes import Mode
from sdv2_live.io.devices.monitors import NO_DISPLAY, Monitor
from sdv2_live.io.devices.v4l2 import OUTPUT, VideoDevice

CAMERA = Camera("HD Webcam", 0, "v4l2", "/dev/video0", (Mode(720, 1280, Fraction(30)),))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Linux, with a camera, two monitors, SDL and a virtual camera."""
    monkeypatch.setattr(devices, "SYSTEM", "linux")
    monkeypatch.setattr(devices, "list_cameras", lambda: [CAMERA])
    monkeypatch.setattr(
        devices, "list_screens", lambda: [Monitor("eDP-1", 0, 0, 1920, 1080), Monitor("HDMI-1", 1920, 0, 1280, 720)]
    )
    monkeypatch.setattr(v4l2, "devices", lambda: [VideoDevice("/dev/video7", 7, "Stage", OUTPUT)])
    monkeypatch.setattr(devices, "installed", lambda name: True)
    return monkeypatch


def without_all(machine: pytest.MonkeyPatch) -> None:
    def no_display() -> list[Monitor]:
        raise DeviceError(NO_DISPLAY)

    machine.setattr(devices, "list_cameras", list)
    machine.setattr(devices, "list_screens", no_display)
    machine.setattr(v4l2, "devices", list)
    machine.setattr(devices, "installed", lambda name: False)


def seen(source: str = "ndi:", *sinks: str, backup: str = "") -> dict[str, Check]:
    config = Config(input=InputConfig(source=source, backup=backup), output=OutputConfig(sink=sinks or ("none",)))
    return {check.name: check for check in look_devices(config)}


def test_what_is_there_is_listed(machine: pytest.MonkeyPatch) -> None:
    checks = seen("camera:@720x1280", "window:2", "camera:Stage", backup="screen:1")
    assert {name: check.status.value for name, check in checks.items()} == dict.fromkeys(checks, "ok")
    assert checks["cameras"].detail == "HD Webcam: 720x1280@30"
    assert checks["monitors"].detail == "1 eDP-1 1080x1920, 2 HDMI-1 720x1280"
    assert checks["virtual_camera"].detail == "Stage (/dev/video7)"


def test_what_the_show_does_not_use_may_be_missing(machine: pytest.MonkeyPatch) -> None:
    without_all(machine)
    assert {check.status.value for check in seen().values()} == {"ok"}


@pytest.mark.parametrize(
    ("name", "specs", "says"),
    [
        ("cameras", ("camera:",), "there is no camera; plug one in"),
        ("monitors", ("screen:1,2,30,40",), "there is no display: set DISPLAY"),
        ("monitors", ("ndi:", "window:"), "there is no display: set DISPLAY"),
        ("windows", ("ndi:", "ndi:a", "window:2"), "SDL is not installed"),
        ("virtual_camera", ("ndi:", "camera:Stage"), "there is no virtual camera 'Stage'; make one: .*modprobe v4l2loopback"),
    ],
)
def test_what_the_show_uses_must_be_there(machine: pytest.MonkeyPatch, name: str, specs: tuple[str, ...], says: str) -> None:
    without_all(machine)
    check = seen(*specs)[name]
    assert check.status.value == "fail"
    assert re.search(says, check.detail)
    assert check.remedy


def test_a_mode_and_a_monitor_that_there_are_not_are_told(machine: pytest.MonkeyPatch) -> None:
    checks = seen("camera:HD@480x640", "window:3")
    assert "gives no 480x640; it gives 720x1280@30" in checks["cameras"].detail
    assert "there is no monitor 3; there are: 1 (eDP-1" in checks["monitors"].detail
