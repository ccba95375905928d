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
    """xcb_randr_monitor_info_t of xcb/randr.h, without the list of outputs that follows it."""

    _fields_ = (
        ("name", ctypes.c_uint32),
        ("primary", ctypes.c_uint8),
        ("automatic", ctypes.c_uint8),
        ("outputs", ctypes.c_uint16),
        *((key, ctypes.c_int16) for key in ("x", "y")),
        *((key, ctypes.c_uint16) for key in ("width", "height")),
    )


class _Iterator(ctypes.Structure):
    """Every iterator of XCB."""

    _fields_ = (("data", ctypes.c_void_p), ("rest", ctypes.c_int), ("index", ctypes.c_int))


def _of_x11() -> list[Monitor]:
    """By XCB, which gives errors back. Xlib, when the display goes in the midst of a call, ends the program."""
    if not os.environ.get("DISPLAY"):
        raise DeviceError(NO_DISPLAY)
    try:
        xcb, randr = ctypes.CDLL("libxcb.so.1"), ctypes.CDLL("libxcb-randr.so.0")
    except OSError as error:
        raise DeviceError(f"the monitors cannot be told: {error}; install it: sudo apt install libxcb-randr0") from error
    for function in (xcb.xcb_connect, xcb.xcb_get_setup, xcb.xcb_get_atom_name_reply, randr.xcb_randr_get_monitors_reply):
        function.restype = ctypes.c_void_p
    xcb.xcb_setup_roots_iterator.restype = randr.xcb_randr_get_monitors_monitors_iterator.restype = _Iterator
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    try:
        if xcb.xcb_connection_has_error(connection):
            raise DeviceError(NO_DISPLAY)
        return _monitors_of(xcb, randr, connection)
    finally:
        xcb.xcb_disconnect(connection)


def _monitors_of(xcb: ctypes.CDLL, randr: ctypes.CDLL, connection: ctypes.c_void_p) -> list[Monitor]:
    setup = ctypes.c_void_p(xcb.xcb_get_setup(connection))
    root = ctypes.c_uint32.from_address(xcb.xcb_setup_roots_iterator(setup).data)  # the first screen's window
    asked = randr.xcb_randr_get_monitors(connection, root, 1)
    reply = randr.xcb_randr_get_monitors_reply(connection, asked, None)
    if not reply:
        raise DeviceError(NO_DISPLAY)
    monitors = []
    entries = randr.xcb_randr_get_monitors_monitors_iterator(ctypes.c_void_p(reply))
    while entries.rest:
        one = _XMonitor.from_address(entries.data)
        name = _atom_name(xcb, connection, one.name)
        monitors.append(Monitor(name, one.x, one.y, one.width, one.height, bool(one.primary)))
        randr.xcb_randr_monitor_info_next(ctypes.byref(entries))
    _free(reply)
    return monitors


def _atom_name(xcb: ctypes.CDLL, connection: ctypes.c_void_p, atom: int) -> str:
    reply = xcb.xcb_get_atom_name_reply(connection, xcb.xcb_get_atom_name(connection, ctypes.c_uint32(atom)), None)
    if not reply:
        return ""
    xcb.xcb_get_atom_name_name.restype = ctypes.c_void_p
    length = xcb.xcb_get_atom_name_name_length(ctypes.c_void_p(reply))
    name = ctypes.string_at(xcb.xcb_get_atom_name_name(ctypes.c_void_p(reply)), length).decode(errors="replace")
    _free(reply)
    return name


def _free(reply: int) -> None:
    ctypes.CDLL(None).free(ctypes.c_void_p(reply))


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
