"""A device that libavdevice opens, and its pictures as frames."""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.video.reformatter import ColorRange as AvRange
from av.video.reformatter import VideoReformatter

from sdv2_live.errors import DeviceError
from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec, Frame, PixelFormat, plausible_rate
from sdv2_live.io.devices.listings import logged
from sdv2_live.io.files.ffmpeg import EXACT, MATRICES, PIX_FMT, RANGES, STREAM_MATRICES, fraction, reason, rows_of
from sdv2_live.system.clock import monotonic_ns

_PACKED = {"bgr0": PixelFormat.BGRX, "bgra": PixelFormat.BGRX, "rgb0": PixelFormat.RGBX, "rgba": PixelFormat.RGBX}
_MATRIX_OF = {number: matrix for matrix, number in STREAM_MATRICES.items()}
_TALKS = ("dshow", "avfoundation")  # their errors are all one, and their logs say why
_BUSY = (errno.EBUSY, errno.EAGAIN)
_FORBIDDEN = (errno.EACCES, errno.EPERM)
_ALLOW = {
    "darwin": "allow it in System Settings, Privacy & Security, {setting}, for the program that starts sdv2-live, such as "
    "Terminal, and start both again",
    "win32": "allow it in Settings, Privacy & security, {setting}: let desktop apps access it",
}
_SETTING = {"camera": {"darwin": "Camera", "win32": "Camera"}, "screen": {"darwin": "Screen Recording", "win32": "Screenshots"}}
_BACK = {"camera": "plug it in again", "screen": "its display does not answer"}
_GROUP = "add yourself to the group of its device file, as in `sudo usermod -aG video $USER`, and log in again"


@dataclass(frozen=True, slots=True)
class Device:
    """What libavdevice is to open.

    Attributes:
        name: for the performer.
        kind: camera or screen.
        format: libavdevice's name of the system's interface, such as v4l2.
        url: which device of it.
        options: as that interface takes them.
    """

    name: str
    kind: str
    format: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict)


class FfmpegCapture:
    """Reads one device. Raises DeviceError where it cannot be opened."""

    def __init__(self, device: Device) -> None:
        self.name = device.name
        self._device = device
        self._picture = Pictures()
        lines: list[str] = []
        try:
            with logged() if device.format in _TALKS else nullcontext(lines) as lines:
                self._container = av.open(device.url, format=device.format, options=dict(device.options))
                self._stream = self._container.streams.video[0]
        except (av.error.FFmpegError, OSError, IndexError, ValueError) as error:
            raise DeviceError(problem(device, error, " ".join(lines))) from error
        self._packets = self._container.demux(self._stream)
        self._rate = plausible_rate(fraction(self._stream.average_rate)) or Fraction(30)

    def read(self) -> Frame | None:
        """The next frame, once the driver gives it. Raises DeviceError when the device is gone."""
        try:
            packet = next(self._packets, None)
            if packet is None or (packet.dts is None and not packet.size):
                raise DeviceError(gone(self._device))
            decoded = packet.decode()
        except BlockingIOError:
            return None
        except av.error.InvalidDataError:  # a damaged picture of a camera that begins, or of a loose plug
            return None
        except (av.error.FFmpegError, OSError) as error:
            raise DeviceError(gone(self._device)) from error
        return self._picture(decoded[-1], self._rate) if decoded else None

    def close(self) -> None:
        """Give the device back."""
        self._container.close()


class Pictures:
    """Makes frames of decoded pictures: packed RGB as it is, all else as UYVY of the device's own matrix and range.

    A device that does not tell them means BT.601, and full range where it sends JPEGs (UVC 1.5, 3.9.2.6).
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, decoded: av.VideoFrame, rate: Fraction) -> Frame:
        """The frame, which arrives now."""
        captured_ns = monotonic_ns()
        packed = _PACKED.get(decoded.format.name)
        if packed is None and (decoded.format.is_rgb or decoded.width % 2):
            return self._rgb(decoded, rate, captured_ns)
        if packed is not None:
            return Frame(rows_of(decoded), decoded.width, decoded.height, packed, rate, captured_ns)
        color = _color(decoded)
        same = {"colorspace": MATRICES[color.matrix], "color_range": RANGES[color.range]}
        uyvy = self._reformatter.reformat(
            decoded,
            format=PIX_FMT[PixelFormat.UYVY],
            interpolation=EXACT,
            **{f"{side}_{key}": value for side in ("src", "dst") for key, value in same.items()},
        )
        return Frame(rows_of(uyvy), uyvy.width, uyvy.height, PixelFormat.UYVY, rate, captured_ns, color=color)

    def _rgb(self, decoded: av.VideoFrame, rate: Fraction, captured_ns: int) -> Frame:
        color = _color(decoded)
        rgbx = self._reformatter.reformat(
            decoded,
            format=PIX_FMT[PixelFormat.RGBX],
            interpolation=EXACT,
            src_colorspace=MATRICES[color.matrix],
            src_color_range=AvRange.JPEG if decoded.format.is_rgb else RANGES[color.range],
            dst_color_range=AvRange.JPEG,
        )
        return Frame(rows_of(rgbx), rgbx.width, rgbx.height, PixelFormat.RGBX, rate, captured_ns)


def _color(decoded: av.VideoFrame) -> ColorSpec:
    full = int(decoded.color_range) == AvRange.JPEG or decoded.format.name.startswith("yuvj")
    matrix = _MATRIX_OF.get(int(decoded.colorspace), ColorMatrix.BT601)
    return ColorSpec(matrix, ColorRange.FULL if full else ColorRange.LIMITED)


def gone(device: Device) -> str:
    """That a device gives no pictures any more, and what to do."""
    return f"{device.name} is gone: {_BACK[device.kind]}"


def problem(device: Device, error: Exception, logs: str = "", system: str = sys.platform) -> str:
    """Why a device cannot be opened, and what to do. logs: what libavdevice has logged meanwhile."""
    number, said = getattr(error, "errno", None), reason(error)
    if number in _BUSY or "already in use" in logs:
        return f"{device.name} is busy: another program has it; close that program"
    if number in _FORBIDDEN or "Cannot use" in logs:  # so macOS says it, of a camera that is there
        allow = _ALLOW.get(system, _GROUP).format(setting=_SETTING[device.kind].get(system, ""))
        return f"this system does not let sdv2-live use {device.name}: {allow}"
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return gone(device)
    return f"{device.name} cannot be opened: {said}; sdv2-live sources lists what there is, with its modes"
