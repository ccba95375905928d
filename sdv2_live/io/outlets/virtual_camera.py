"""A virtual camera: other programs of this machine see the picture as a webcam's.

On Linux FFmpeg writes it to a device of v4l2loopback: PyAV can do so anyway. Elsewhere pyvirtualcam writes it to OBS's virtual
camera. That package is under the GPL (version 2): it is named as an extra, never shipped, and loaded by this process alone, to
which pictures are passed and nothing else.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import av
from av.video.reformatter import ColorRange as AvRange
from av.video.reformatter import Colorspace, VideoReformatter

from sdv2_live.errors import DeviceError
from sdv2_live.frame import ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.io.devices import v4l2
from sdv2_live.io.devices.v4l2 import VideoDevice
from sdv2_live.io.files.ffmpeg import EXACT, MATRICES, PIX_FMT, RANGES, reason, rows_of

LAYOUT = "yuyv422"  # that every program takes from a webcam
NO_LOOPBACK = (
    "there is no virtual camera{}; make one: sudo apt install v4l2loopback-dkms, "
    'sudo modprobe v4l2loopback exclusive_caps=1 card_label="sdv2-live"'
)
NO_PACKAGE = "a virtual camera needs pyvirtualcam here: pip install 'sdv2-live[virtual-camera]', and OBS Studio for its camera"


def virtual_camera(target: str) -> LoopbackCamera | ObsCamera:
    """The virtual camera of a name or number. Raises DeviceError where there is none."""
    if sys.platform == "linux":
        return LoopbackCamera(match_loopback(target, v4l2.devices()))
    return ObsCamera(target)


def match_loopback(target: str, devices: Sequence[VideoDevice]) -> VideoDevice:
    """The virtual camera of a number, a device file, a name or part of one; the first for an empty text. Raises DeviceError."""
    takes = [one for one in devices if one.takes]
    exact = [one for one in takes if target in (str(one.number), one.path, one.name)]
    near = [one for one in takes if target.casefold() in one.name.casefold()]
    for one in exact + near:
        return one
    there = ", ".join(f"'{one.name}'" for one in takes)
    if there:
        raise DeviceError(f"there is no virtual camera '{target}'; there are: {there}")
    raise DeviceError(NO_LOOPBACK.format(f" '{target}'" if target else ""))


class Layout:
    """Makes pictures of one size, layout and colour of all frames."""

    def __init__(self, format: str, size: tuple[int, int] | None = None) -> None:
        self.size = size  # (height, width); that of the first frame, once one came
        self._format = format
        self._reformatter = VideoReformatter()

    def __call__(self, frame: Frame) -> av.VideoFrame:
        """The picture: BT.601 limited where it is Y'CbCr, as programs take webcams; even sides."""
        height, width = self.size = self.size or (frame.height // 2 * 2, frame.width // 2 * 2)
        picture = av.VideoFrame(frame.width, frame.height, PIX_FMT[frame.format])
        row = frame.width * frame.format.bytes_per_pixel
        rows_of(picture)[:, :row] = frame.data[:, :row]
        color = frame.color if frame.format is PixelFormat.UYVY else ColorSpec(range=ColorRange.FULL)
        return self._reformatter.reformat(
            picture,
            width=width,
            height=height,
            format=self._format,
            src_colorspace=MATRICES[color.matrix],
            src_color_range=RANGES[color.range],
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=AvRange.JPEG if self._format == "rgb24" else AvRange.MPEG,
            interpolation=EXACT,
        )


class LoopbackCamera:
    """Writes to a device of v4l2loopback. Its size is the first frame's: programs that read it do not expect another.

    Args:
        muxer: FFmpeg's.
    """

    def __init__(self, device: VideoDevice, muxer: str = "v4l2") -> None:
        self.name = device.name
        self._path, self._muxer = device.path, muxer
        self._layout = Layout(LAYOUT)
        self._container: Any = None
        self._stream: Any = None
        self._sent = 0

    def show(self, frame: Frame) -> None:
        """Write a picture. Raises DeviceError when the device is gone or another program writes to it."""
        picture = self._layout(frame)
        try:
            if self._container is None:
                self._open(picture, frame.rate)
            picture.pts, self._sent = self._sent, self._sent + 1
            self._container.mux(self._stream.encode(picture))
        except (av.error.FFmpegError, OSError) as error:
            raise DeviceError(self._problem(error)) from error

    def _open(self, picture: av.VideoFrame, rate: Fraction) -> None:
        self._container = av.open(self._path, "w", format=self._muxer)
        self._stream = self._container.add_stream("rawvideo", rate=rate)
        self._stream.width, self._stream.height, self._stream.pix_fmt = picture.width, picture.height, LAYOUT

    def _problem(self, error: Exception) -> str:
        if getattr(error, "errno", None) == errno.EBUSY:
            return f"'{self.name}' is busy: another program writes to it; close that program"
        if getattr(error, "errno", None) in (errno.EACCES, errno.EPERM):
            return (
                f"'{self.name}' may not be written: add yourself to its group, `sudo usermod -aG video $USER`, and log in again"
            )
        return f"'{self.name}' takes no picture: {reason(error)}; load v4l2loopback again"

    def look(self) -> bool:
        """Nobody closes it by hand."""
        return True


class ObsCamera:
    """Writes to OBS's virtual camera by pyvirtualcam, on Windows and macOS. Untried here.

    Args:
        target: a device's name; empty for the first.
        load: imports pyvirtualcam.
    """

    def __init__(self, target: str, load: Callable[[], Any] | None = None) -> None:
        self.name = target or "OBS Virtual Camera"
        self._target = target or None
        try:
            self._library = (load or _pyvirtualcam)()
        except ImportError as error:
            raise DeviceError(NO_PACKAGE) from error
        self._layout = Layout("rgb24")
        self._camera: Any = None

    def show(self, frame: Frame) -> None:
        """Write a picture. Raises DeviceError when there is no such camera."""
        picture = self._layout(frame)
        try:
            if self._camera is None:
                self._camera = self._library.Camera(picture.width, picture.height, float(frame.rate), device=self._target)
            self._camera.send(picture.to_ndarray())
        except RuntimeError as error:
            words = f"{self.name} takes no picture: {error}; install OBS Studio, start its virtual camera once, and stop it"
            raise DeviceError(words) from error

    def look(self) -> bool:
        """Nobody closes it by hand."""
        return True


def _pyvirtualcam() -> Any:
    import pyvirtualcam

    return pyvirtualcam
