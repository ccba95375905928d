"""The monitors of this machine: their places on the desktop, the primary one first."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass

from sdv2_live.errors import DeviceError

NO_DISPLAY = (
    "there is no display: set DISPLAY to the one that the show is to use, as in `DISPLAY=:0 sdv2-live run ...`, and let it in "
    "with `xhost +local:` where it belongs to another user"
)


@dataclass(frozen=True, slots=True)
class Monitor:
    """A rectangle of the desktop, in pixels."""

    name: str
    left: int
    top: int
    width: int
    height: int
    primary: bool = False

    @property
    def size(self) -> str:
        """HEIGHTxWIDTH, as sizes are written here."""
        return f"{self.height}x{self.width}"


def in_order(monitors: list[Monitor]) -> list[Monitor]:
    """The primary one, then the others from left to right: the numbers that `screen:` and `window:` take, from 1."""
    return sorted(monitors, key=lambda one: (not one.primary, one.left, one.top))


def match_monitor(text: str, monitors: list[Monitor]) -> Monitor:
    """The monitor of a number from 1, or of a name or part of one; the first for an empty text. Raises DeviceError."""
    if text.isdecimal() and 1 <= int(text) <= len(monitors):
        return monitors[int(text) - 1]
    named = [one for one in monitors if text.casefold() in one.name.casefold()] if not text.isdecimal() else []
    if not named:
        there = ", ".join(f"{number} ({one.name}, {one.size})" for number, one in enumerate(monitors, 1))
        raise DeviceError(f"there is no monitor {text}; there are: {there or 'none'}; plug it in, or choose another")
    return named[0]


def list_monitors(system: str = sys.platform) -> list[Monitor]:
    """The monitors, in order.

    Raises:
        DeviceError: there is no display, or its monitors cannot be told.
    """
    if system == "win32":
        return in_order(_of_windows())
    if system == "linux":
        return in_order(_of_x11())
    return []


class _XMonitor(ctypes.Structure):
    """XRRMonitorInfo of X11/extensions/Xrandr.h."""

    _fields_ = (
        ("name", ctypes.c_ulong),
        *(
            (key, ctypes.c_int)
            for key in ("primary", "automatic", "outputs", "x", "y", "width", "height", "mm_width", "mm_height")
        ),
        ("output_ids", ctypes.c_void_p),
    )


def _of_x11() -> list[Monitor]:
    if not os.environ.get("DISPLAY"):
        raise DeviceError(NO_DISPLAY)
    try:
        x11, randr = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXrandr.so.2")
    except OSError as error:
        raise DeviceError(f"the monitors cannot be told: {error}; install it: sudo apt install libxrandr2") from error
    x11.XOpenDisplay.restype, x11.XGetAtomName.restype = ctypes.c_void_p, ctypes.c_void_p
    randr.XRRGetMonitors.restype = ctypes.POINTER(_XMonitor)
    x11.XDefaultRootWindow.restype = ctypes.c_ulong
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    if not display:
        raise DeviceError(NO_DISPLAY)
    count = ctypes.c_int()
    found = randr.XRRGetMonitors(display, ctypes.c_ulong(x11.XDefaultRootWindow(display)), True, ctypes.byref(count))
    monitors = []
    for one in found[: count.value]:
        atom = ctypes.c_void_p(x11.XGetAtomName(display, ctypes.c_ulong(one.name)))
        name = (ctypes.string_at(atom) if atom else b"").decode(errors="replace")
        x11.XFree(atom)
        monitors.append(Monitor(name, one.x, one.y, one.width, one.height, bool(one.primary)))
    randr.XRRFreeMonitors(found)
    x11.XCloseDisplay(display)
    return monitors


def _of_windows() -> list[Monitor]:
    """By EnumDisplayMonitors and GetMonitorInfoW (Microsoft: "Multiple Display Monitors Functions")."""
    if sys.platform != "win32":
        return []
    from ctypes import wintypes

    class Info(ctypes.Structure):
        _fields_ = (
            ("size", wintypes.DWORD),
            ("monitor", wintypes.RECT),
            ("work", wintypes.RECT),
            ("flags", wintypes.DWORD),
            ("device", wintypes.WCHAR * 32),
        )

    monitors: list[Monitor] = []

    def take(handle: int, _context: int, _rectangle: object, _data: int) -> bool:
        info = Info(size=ctypes.sizeof(Info))
        if ctypes.windll.user32.GetMonitorInfoW(ctypes.c_void_p(handle), ctypes.byref(info)):
            place = info.monitor
            size = place.right - place.left, place.bottom - place.top
            monitors.append(Monitor(info.device.removeprefix("\\\\.\\"), place.left, place.top, *size, bool(info.flags & 1)))
        return True

    kind = ctypes.WINFUNCTYPE(wintypes.BOOL, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(wintypes.RECT), ctypes.c_void_p)
    ctypes.windll.user32.EnumDisplayMonitors(None, None, kind(take), 0)
    return monitors
