"""A screen of this machine, or a part of it, as an input."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.device import enumerate_input_devices

from sdv2_live.errors import DeviceError, VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.devices.cameras import SCREEN
from sdv2_live.io.devices.ffmpeg import Device, FfmpegCapture
from sdv2_live.io.devices.monitors import NO_DISPLAY, Monitor, list_monitors, match_monitor
from sdv2_live.io.devices.source import Capture, DeviceSource
from sdv2_live.system.clock import monotonic, monotonic_ns

RATE = 30  # frames a second; the models paint no more
LOOK_S = 2.0  # between two looks whether the monitor has another size or place
_PLACE = re.compile(r"(-?\d{1,5}),(-?\d{1,5}),(\d{1,5}),(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle of the desktop, in pixels."""

    left: int
    top: int
    width: int
    height: int


def place_of(text: str) -> Place | None:
    """The rectangle `x,y,width,height` of a text; None for another text. Raises VideoError for one without pixels."""
    match = _PLACE.fullmatch(text.replace(" ", ""))
    if match is None:
        if "," in text:
            raise VideoError(f"screen:{text}: a part of the screen is x,y,width,height in pixels, as in screen:0,0,1280,720")
        return None
    place = Place(*(int(number) for number in match.groups()))
    if not place.width or not place.height:
        raise VideoError(f"screen:{text}: width and height must be above 0, as in screen:0,0,1280,720")
    return place


def device_of(text: str, monitors: Callable[[], Sequence[Monitor]], system: str, display: str) -> Device:
    """What libavdevice is to open on Linux and Windows for a text `[MONITOR|x,y,w,h]`. Raises DeviceError."""
    place = place_of(text)
    if place is None:
        found = match_monitor(text, list(monitors()))
        place = Place(found.left, found.top, found.width, found.height)
    options = {"framerate": str(RATE), "video_size": f"{place.width}x{place.height}"}
    name = f"screen:{text}"
    if system == "win32":
        return Device(name, "screen", "gdigrab", "desktop", options | {"offset_x": str(place.left), "offset_y": str(place.top)})
    return Device(name, "screen", "x11grab", f"{display}+{place.left},{place.top}", options)


def mac_device_of(text: str, devices: Sequence[Any]) -> Device:
    """What AVFoundation is to open. Raises DeviceError."""
    screens = [device for device in devices if device.description.startswith(SCREEN)]
    number = int(text or "1")
    if not 1 <= number <= len(screens):
        raise DeviceError(f"there is no monitor {number}; there are {len(screens)}; plug it in, or choose another")
    options = {"framerate": str(RATE), "capture_cursor": "1", "pixel_format": "bgr0"}
    return Device(f"screen:{text}", "screen", "avfoundation", f"{screens[number - 1].name}:none", options)


def open_screen(text: str, *, silent_s: float = 5.0, system: str = sys.platform) -> DeviceSource:
    """The screen of a text `[MONITOR|x,y,width,height]`, as a source; a monitor that is not there yet is no error.

    Raises:
        VideoError: the text means no screen.
        DeviceError: there is no display at all.
    """
    place = place_of(text)
    opener: Callable[[], Capture]
    if system == "darwin":
        if text and not text.isdecimal():
            raise VideoError(f"screen:{text}: on macOS a screen is chosen by its number, as in screen:1")
        opener = lambda: FfmpegCapture(mac_device_of(text, enumerate_input_devices("avfoundation")))  # noqa: E731
    elif system == "win32" and importlib.util.find_spec("dxcam") is not None:
        opener = lambda: DxCapture(text, place)  # noqa: E731
    else:
        display = os.environ.get("DISPLAY", "")
        if system != "win32" and not display:
            raise DeviceError(NO_DISPLAY)
        opener = lambda: ScreenCapture(lambda: device_of(text, list_monitors, system, display))  # noqa: E731
    return DeviceSource(f"screen:{text}", opener, silent_s=silent_s)


class ScreenCapture(FfmpegCapture):
    """Reads one screen until its monitor changes: libavdevice goes on with the rectangle that it began with.

    Raises:
        DeviceError: it cannot be opened.
    """

    def __init__(self, find: Callable[[], Device], clock: Callable[[], float] = monotonic) -> None:
        self._find, self._clock = find, clock
        self._found = find()
        self._look_at = clock() + LOOK_S
        super().__init__(self._found)

    def read(self) -> Frame | None:
        """The next picture. Raises DeviceError when the monitor is gone, or has another size or place."""
        if self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_S
            if self._find() != self._found:
                raise DeviceError(f"{self.name} has another size or place")
        return super().read()


class DxCapture:
    """A monitor of Windows by DXGI's desktop duplication (package dxcam), which costs less than gdigrab. Untried here.

    It tells changes only: the last picture is given again while nothing moves.

    Raises:
        DeviceError: dxcam cannot be used, or there is no such monitor.
    """

    def __init__(self, text: str, place: Place | None) -> None:
        self.name = f"screen:{text}"
        found = match_monitor("" if place else text, list_monitors())
        region = (place.left, place.top, place.left + place.width, place.top + place.height) if place else None
        try:
            import dxcam

            self._camera: Any = dxcam.create(output_idx=list_monitors().index(found), region=region, output_color="BGRA")
            self._camera.start(target_fps=RATE, video_mode=True)
        except Exception as error:  # dxcam raises whatever COM and its own checks do
            raise DeviceError(f"{self.name} cannot be opened by dxcam: {error}; uninstall it, and gdigrab is taken") from error

    def read(self) -> Frame | None:
        """The newest picture, once there is one."""
        pixels = self._camera.get_latest_frame()
        if pixels is None:
            raise DeviceError(f"{self.name} is gone")
        height, width = pixels.shape[:2]
        rows = np.ascontiguousarray(pixels).reshape(height, 4 * width)
        return Frame(rows, width, height, PixelFormat.BGRX, Fraction(RATE), monotonic_ns())

    def close(self) -> None:
        """Give the monitor back."""
        self._camera.stop()
        self._camera.release()


def list_screens(system: str = sys.platform) -> list[Monitor]:
    """The monitors that `screen:` takes, in order. Raises DeviceError where there is no display."""
    if system != "darwin":
        return list_monitors(system)
    if "avfoundation" not in av.formats_available:
        return []
    found = [device for device in enumerate_input_devices("avfoundation") if device.description.startswith(SCREEN)]
    return [Monitor(device.description, 0, 0, 0, 0) for device in found]
