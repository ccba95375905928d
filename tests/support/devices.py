"""Devices that vanish, hang and return, Linux' video devices as a driver describes them, and a display of our own."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from sdv2_live.errors import DeviceError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.system.clock import monotonic_ns

ESCAPE, F = 0xFF1B, 0x66  # keysyms of X11


class FakeCamera:
    """Gives grey pictures while it is plugged in. hangs: a read waits until the camera is told otherwise."""

    def __init__(self) -> None:
        self.plugged, self.size, self.grey = True, (48, 64), 100
        self.hangs = threading.Event()
        self.opened = self.closed = 0
        self._released = threading.Event()

    def open(self) -> OpenCamera:
        """Open it, as a source does. Raises DeviceError while it is unplugged."""
        if not self.plugged:
            raise DeviceError("there is no camera 'Fake'; plug one in, or switch it on")
        self.opened += 1
        return OpenCamera(self)

    def release(self) -> None:
        """End every read that hangs."""
        self.hangs.clear()
        self._released.set()

    def picture(self) -> Frame:
        """The next picture; after a while, as of a camera. Raises DeviceError when it was unplugged."""
        if self.hangs.is_set():
            self._released.wait()
        threading.Event().wait(0.005)
        if not self.plugged:
            raise DeviceError("Fake is gone: plug it in again")
        height, width = self.size
        rows = np.full((height, 4 * width), self.grey, np.uint8)
        return Frame(rows, width, height, PixelFormat.BGRX, captured_ns=monotonic_ns())


class OpenCamera:
    """The fake camera, open."""

    name = "Fake"

    def __init__(self, camera: FakeCamera) -> None:
        self._camera = camera

    def read(self) -> Frame | None:
        return self._camera.picture()

    def close(self) -> None:
        self._camera.closed += 1


class Driver:
    """One device file of Video for Linux: answers the ioctls by which it is listed.

    Args:
        capabilities: of this device file.
        formats: by fourcc, sizes (width, height) with the frames a second at each; a size of six numbers is a range.
    """

    def __init__(self, name: str, capabilities: int, formats: dict[bytes, dict[tuple[int, ...], list[int]]]) -> None:
        self.name, self.capabilities, self.formats = name, capabilities, formats
        self.closed = 0

    def control(self, request: int, data: bytearray) -> None:
        """An ioctl."""
        answers = {0x80685600: self._capability, 0xC0405602: self._format, 0xC02C564A: self._size, 0xC034564B: self._interval}
        try:
            answers[request](data)
        except (IndexError, KeyError) as error:
            raise OSError(errno.EINVAL, "Invalid argument") from error

    def _capability(self, data: bytearray) -> None:
        struct.pack_into("=16s32s32sIII", data, 0, b"uvcvideo", self.name.encode(), b"usb-1", 6, 0x84A00001, self.capabilities)

    def _format(self, data: bytearray) -> None:
        fourcc = list(self.formats)[struct.unpack_from("=I", data)[0]]
        struct.pack_into("=I32s4s", data, 8, int(fourcc == b"MJPG"), b"", fourcc)

    def _size(self, data: bytearray) -> None:
        index, fourcc = struct.unpack_from("=I4s", data)
        size = list(self.formats[fourcc])[index]
        struct.pack_into(f"=I{len(size)}I", data, 8, 1 if len(size) == 2 else 3, *size)

    def _interval(self, data: bytearray) -> None:
        index, fourcc, width, height = struct.unpack_from("=I4sII", data)
        sizes = self.formats[fourcc]
        rates = sizes[width, height] if (width, height) in sizes else next(iter(sizes.values()))
        struct.pack_into("=III", data, 16, 1, 1, rates[index])

    def close(self) -> None:
        """The device file is closed."""
        self.closed += 1


def machine_with(folder: Path, drivers: dict[str, Driver]) -> Callable[[str], tuple[Callable, Callable]]:
    """Lay out /sys/class/video4linux in a folder, and return what opens its device files; one without a driver is forbidden."""
    for number, driver in drivers.items():
        (folder / number).mkdir(parents=True)
        (folder / number / "name").write_text(driver.name + "\n")

    def opened(path: str) -> tuple[Callable, Callable]:
        driver = drivers[path.removeprefix("/dev/")]
        if not driver.formats and driver.capabilities == 0:
            raise PermissionError(errno.EACCES, "Permission denied")
        return driver.control, driver.close

    return opened


class Display:
    """An X server without a screen, and DISPLAY with its name."""

    def __init__(self, size: str = "640x480") -> None:
        if shutil.which("Xvfb") is None:
            pytest.skip("there is no Xvfb (apt install xvfb)")
        self._before = os.environ.get("DISPLAY")
        self.name = ""
        self.start(size)
        os.environ["DISPLAY"] = self.name

    def start(self, size: str = "640x480") -> None:
        """Start it; again under its name after `stop`."""
        number, given = os.pipe()
        command = ["Xvfb", *([self.name] if self.name else []), "-displayfd", str(given), "-screen", "0", f"{size}x24"]
        self.process = subprocess.Popen([*command, "-nolisten", "tcp", "-noreset"], pass_fds=[given], stderr=subprocess.DEVNULL)
        os.close(given)
        with os.fdopen(number) as ready:
            self.name = f":{ready.readline().strip()}"

    def fill(self, rgb: tuple[int, int, int]) -> None:
        """Fill the screen with a colour."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype, x11.XDefaultRootWindow.restype = ctypes.c_void_p, ctypes.c_ulong
        display = ctypes.c_void_p(x11.XOpenDisplay(self.name.encode()))
        root = ctypes.c_ulong(x11.XDefaultRootWindow(display))
        x11.XSetWindowBackground(display, root, ctypes.c_ulong(rgb[0] << 16 | rgb[1] << 8 | rgb[2]))
        x11.XClearWindow(display, root)
        x11.XCloseDisplay(display)

    def pixel(self, left: int, top: int) -> tuple[int, ...]:
        """The colour that is seen at a place."""
        options = {"video_size": "16x16", "draw_mouse": "0"}
        with av.open(f"{self.name}+{left},{top}", format="x11grab", options=options) as screen:
            return tuple(next(screen.decode(video=0)).to_ndarray(format="rgb24")[0, 0].tolist())

    def press(self, key: int) -> None:
        """Press a key, by its keysym, and let it go; on the window below the middle of the screen."""
        x11, test = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXtst.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        display = ctypes.c_void_p(x11.XOpenDisplay(self.name.encode()))
        code = x11.XKeysymToKeycode(display, ctypes.c_ulong(key))
        for down in (1, 0):
            test.XTestFakeKeyEvent(display, code, down, ctypes.c_ulong(0))
        x11.XCloseDisplay(display)

    def stop(self) -> None:
        """End it, as if it was switched off."""
        self.process.terminate()
        self.process.wait()

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._before is None:
            os.environ.pop("DISPLAY", None)
        else:
            os.environ["DISPLAY"] = self._before
