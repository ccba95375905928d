"""Video devices of Linux: which there are, and what they give (linux/videodev2.h; the kernel's "Video for Linux API")."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from sdv2_live.io.devices.modes import Mode

FOLDER = Path("/sys/class/video4linux")
CAPTURE, OUTPUT = 0x1, 0x2  # V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_OUTPUT

_QUERYCAP, _ENUM_FMT, _ENUM_SIZES, _ENUM_INTERVALS = 0x80685600, 0xC0405602, 0xC02C564A, 0xC034564B
_CAPABILITY, _FORMAT = struct.Struct("=16s32s32sIII12x"), struct.Struct("=III32s4sI12x")
_SIZE, _INTERVAL = struct.Struct("=I4sI6I8x"), struct.Struct("=I4sIII6I8x")
_DEVICE_CAPS = 0x80000000
_COMPRESSED = 0x1  # V4L2_FMT_FLAG_COMPRESSED
_DISCRETE = 1
_BUF_CAPTURE = 1  # V4L2_BUF_TYPE_VIDEO_CAPTURE
_NAMES = {  # libavdevice's, by fourcc
    b"YUYV": "yuyv422", b"UYVY": "uyvy422", b"NV12": "nv12", b"YU12": "yuv420p", b"MJPG": "mjpeg", b"JPEG": "mjpeg",
    b"H264": "h264", b"RGB3": "rgb24", b"BGR3": "bgr24", b"BGR4": "bgr0", b"GREY": "gray",
}  # fmt: skip
USUAL = ((480, 640), (720, 1280), (1080, 1920))  # sizes to try of a device that offers a range of them
USUAL_RATES = (Fraction(30), Fraction(60))
MOST = 200  # entries of one list; a driver that never ends one lies

Control = Callable[[int, bytearray], None]  # an ioctl: its request, and the structure that it changes
Opener = Callable[[str], tuple[Control, Callable[[], None]]]


@dataclass(frozen=True, slots=True)
class VideoDevice:
    """A device file.

    Attributes:
        path: such as /dev/video0.
        number: that of its name.
        capabilities: CAPTURE, OUTPUT, and others.
        modes: what it captures.
    """

    path: str
    number: int
    name: str
    capabilities: int
    modes: tuple[Mode, ...] = ()

    @property
    def captures(self) -> bool:
        """True when pictures can be read from it."""
        return bool(self.capabilities & CAPTURE)

    @property
    def takes(self) -> bool:
        """True when pictures can be written to it: it is a virtual camera."""
        return bool(self.capabilities & OUTPUT)


def devices(folder: Path = FOLDER, opened: Opener | None = None) -> list[VideoDevice]:
    """The video devices, in order of their numbers. One that may not be opened is taken for a camera without modes.

    Args:
        opened: opens a device file: gives its ioctl, and what closes it. Raises OSError.
    """
    found = []
    for entry in sorted(folder.glob("video*"), key=_number) if folder.is_dir() else ():
        path, name = f"/dev/{entry.name}", entry.name
        with suppress(OSError):
            name = (entry / "name").read_text(encoding="utf-8", errors="replace").strip() or name
        try:
            control, close = (opened or _opened)(path)
        except OSError:
            found.append(VideoDevice(path, _number(entry), name, CAPTURE))
            continue
        try:
            capabilities = _capabilities(control)
            modes = tuple(_modes(control)) if capabilities & CAPTURE else ()
        except OSError:
            continue  # it is no video device, or it was pulled out just now
        finally:
            close()
        found.append(VideoDevice(path, _number(entry), name, capabilities, modes))
    return found


def _number(entry: Path) -> int:
    digits = entry.name.removeprefix("video")
    return int(digits) if digits.isdecimal() else -1


def _opened(path: str) -> tuple[Control, Callable[[], None]]:
    if sys.platform == "win32":
        raise OSError("there is no Video for Linux on this system")
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def control(request: int, data: bytearray) -> None:
        fcntl.ioctl(descriptor, request, data, True)

    return control, lambda: os.close(descriptor)


def _capabilities(control: Control) -> int:
    data = bytearray(_CAPABILITY.size)
    control(_QUERYCAP, data)
    *_, everything, of_this = _CAPABILITY.unpack(data)
    return int(of_this if everything & _DEVICE_CAPS else everything)


def _modes(control: Control) -> Iterator[Mode]:
    for _, _, flags, _, fourcc, _ in _entries(control, _ENUM_FMT, _FORMAT, lambda i: (i, _BUF_CAPTURE, 0, b"", b"", 0)):
        name = _NAMES.get(fourcc)
        if name is None:
            continue
        for height, width in _sizes(control, fourcc):
            for rate in _rates(control, fourcc, height, width):
                yield Mode(height, width, rate, name, bool(flags & _COMPRESSED))


def _sizes(control: Control, fourcc: bytes) -> Iterator[tuple[int, int]]:
    for _, _, kind, *numbers in _entries(control, _ENUM_SIZES, _SIZE, lambda i: (i, fourcc, 0, *[0] * 6)):
        if kind == _DISCRETE:
            yield numbers[1], numbers[0]
        else:
            least_width, most_width, _, least_height, most_height, _ = numbers
            for height, width in USUAL:
                if least_width <= width <= most_width and least_height <= height <= most_height:
                    yield height, width
            return


def _rates(control: Control, fourcc: bytes, height: int, width: int) -> Iterator[Fraction]:
    first = lambda i: (i, fourcc, width, height, 0, *[0] * 6)  # noqa: E731
    for *_, kind, numerator, denominator, most_numerator, most_denominator, _, _ in _entries(
        control, _ENUM_INTERVALS, _INTERVAL, first
    ):
        if not numerator:
            continue
        shortest = Fraction(numerator, denominator or 1)
        if kind == _DISCRETE:
            yield 1 / shortest
        else:
            longest = Fraction(most_numerator, most_denominator or 1)
            yield from (rate for rate in USUAL_RATES if shortest <= 1 / rate <= longest)
            return


def _entries(
    control: Control, request: int, layout: struct.Struct, asked: Callable[[int], tuple[object, ...]]
) -> Iterator[tuple[Any, ...]]:
    """The entries of one of the driver's lists; it says EINVAL after the last."""
    for index in range(MOST):
        data = bytearray(layout.pack(*asked(index)))
        try:
            control(request, data)
        except OSError:
            return
        yield layout.unpack(data)
