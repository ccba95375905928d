"""Cameras and monitors of this machine, and what windows and virtual cameras need."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator

from sdv2_live.config.schema import Config
from sdv2_live.doctor.probe import Check, fail, ok
from sdv2_live.errors import DeviceError
from sdv2_live.io.devices import v4l2
from sdv2_live.io.devices.cameras import device_of, list_cameras
from sdv2_live.io.devices.modes import asked, listed
from sdv2_live.io.devices.monitors import match_monitor
from sdv2_live.io.devices.screens import list_screens, place_of
from sdv2_live.io.outlets.virtual_camera import NO_PACKAGE, match_loopback

SYSTEM = sys.platform
OTHER = "or choose another input.source or output.sink; sdv2-live sources lists what there is"


def installed(package: str) -> bool:
    """True when a package is there; it is not loaded."""
    return importlib.util.find_spec(package) is not None


def look_devices(config: Config) -> Iterator[Check]:
    """cameras, monitors, windows, virtual_camera. No device is opened: a camera can be open once."""
    inputs = [spec for spec in (config.input.source, config.input.backup) if spec]
    yield _cameras([spec.removeprefix("camera:") for spec in inputs if spec.startswith("camera:")])
    screens = [spec.removeprefix("screen:") for spec in inputs if spec.startswith("screen:")]
    windows = [spec.removeprefix("window:") for spec in config.output.sink if spec.startswith("window:")]
    yield _monitors([*(text for text in screens if place_of(text) is None), *windows], wanted=bool(screens or windows))
    yield _windows(wanted=bool(windows))
    yield _virtual_cameras([spec.removeprefix("camera:") for spec in config.output.sink if spec.startswith("camera:")])


def _cameras(wanted: list[str]) -> Check:
    cameras = list_cameras()
    try:
        for text in wanted:
            device_of(asked(text), cameras)
    except DeviceError as error:
        return fail("cameras", str(error), OTHER)
    said = "; ".join(f"{one.name}: {listed(one.modes) or 'its modes cannot be told'}" for one in cameras)
    return ok("cameras", said or "none")


def _monitors(texts: list[str], *, wanted: bool) -> Check:
    try:
        monitors = list_screens()
        for text in texts:
            match_monitor(text.strip(), monitors)
    except DeviceError as error:
        return fail("monitors", str(error), OTHER) if wanted else ok("monitors", "none for screen: and window:")
    return ok("monitors", ", ".join(f"{number} {one.name} {one.size}" for number, one in enumerate(monitors, 1)) or "none")


def _windows(*, wanted: bool) -> Check:
    if installed("sdl2"):
        return ok("windows", "by SDL, on any monitor")
    if wanted:
        return fail("windows", "output.sink is window:, and SDL is not installed", "pip install 'sdv2-live[window]'")
    return ok("windows", "without output windows: their extra is not installed")


def _virtual_cameras(wanted: list[str]) -> Check:
    if SYSTEM != "linux":
        there = installed("pyvirtualcam")
        if wanted and not there:
            return fail("virtual_camera", "output.sink is camera:, and pyvirtualcam is not installed", NO_PACKAGE)
        return ok("virtual_camera", "by pyvirtualcam and OBS" if there else "none: its extra is not installed")
    devices = v4l2.devices()
    try:
        for text in wanted:
            match_loopback(text, devices)
    except DeviceError as error:
        return fail("virtual_camera", str(error), OTHER)
    return ok("virtual_camera", ", ".join(f"{one.name} ({one.path})" for one in devices if one.takes) or "none")
