"""The cameras of this machine: listed, found by name or number, and opened in a mode that they have."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import av
from av.device import enumerate_input_devices

from sdv2_live.errors import DeviceError
from sdv2_live.io.devices import v4l2
from sdv2_live.io.devices.ffmpeg import Device, FfmpegCapture
from sdv2_live.io.devices.listings import avfoundation_modes, dshow_modes, said_by
from sdv2_live.io.devices.modes import Asked, Mode, asked, fitting, listed
from sdv2_live.io.devices.source import DeviceSource

USUAL_RATE = Fraction(30)  # asked of a camera that tells no modes
SCREEN = "Capture screen"  # AVFoundation lists screens among the cameras
BUFFER_BYTES = 64 << 20  # of DirectShow: its own 3 MB hold no picture of 1080p


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera.

    Attributes:
        name: as the system calls it.
        number: by which it may be asked for; of Linux that of /dev/videoN, elsewhere its place in the list, from 0.
        format: libavdevice's name of the system's interface.
        url: which device of it.
        modes: what it gives; none where it does not tell.
        loopback: other programs write its pictures.
    """

    name: str
    number: int
    format: str
    url: str
    modes: tuple[Mode, ...] = ()
    loopback: bool = False


def list_cameras(system: str = sys.platform) -> list[Camera]:
    """The cameras of this machine, in the system's order, with their modes."""
    if system == "linux":
        return [Camera(one.name, one.number, "v4l2", one.path, one.modes, one.takes) for one in v4l2.devices() if one.captures]
    format = {"win32": "dshow", "darwin": "avfoundation"}.get(system, "")
    if format not in av.formats_available:
        return []
    return [with_modes(camera) for camera in seen(format, enumerate_input_devices(format))]


def seen(format: str, devices: Sequence[object]) -> list[Camera]:
    """The cameras among the devices that libavdevice enumerates, without their modes."""
    found: list[Camera] = []
    for device in devices:
        name, said, media = (getattr(device, key) for key in ("name", "description", "media_types"))
        if "video" not in media or said.startswith(SCREEN):
            continue
        number = len(found)
        url = f"video={name}" if format == "dshow" else f"{name}:none"
        found.append(Camera(said or name, number, format, url))
    return found


def with_modes(camera: Camera, said: Callable[[str, str], list[str]] = said_by) -> Camera:
    """The camera with the modes that libavdevice lists."""
    read = dshow_modes if camera.format == "dshow" else avfoundation_modes
    return replace(camera, modes=tuple(read(said(camera.format, camera.url))))


def match_camera(name: str, cameras: Sequence[Camera], ignore: Collection[str] = ()) -> Camera | None:
    """The camera that a name or number means; None while there is none.

    A number or device file wins, then the exact name, then the first that contains it in any case. The empty name means the first
    camera into which no program writes, or else the first.

    Args:
        ignore: names of our own virtual cameras, which only their exact names find.
    """
    exact = (
        camera
        for means in (lambda c: str(c.number), lambda c: c.url, lambda c: c.name)
        for camera in cameras
        if means(camera) == name
    )
    others = sorted((camera for camera in cameras if camera.name not in ignore), key=lambda c: c.loopback and not name)
    near = (camera for camera in others if name.casefold() in camera.name.casefold())
    return next(exact, None) or next(near, None)


def device_of(wanted: Asked, cameras: Sequence[Camera], ignore: Collection[str] = ()) -> Device:
    """What is to be opened for what was asked.

    Raises:
        DeviceError: there is no such camera, or it has no such mode.
    """
    camera = match_camera(wanted.name, cameras, ignore)
    if camera is None:
        there = ", ".join(f"'{one.name}'" for one in cameras)
        missing = f"no camera '{wanted.name}'" if wanted.name else "no camera"
        raise DeviceError(f"there is {missing}" + (f"; there are: {there}" if there else "; plug one in, or switch it on"))
    found = fitting(wanted, camera.modes)
    if camera.modes and not found:
        raise DeviceError(f"'{camera.name}' gives no {_said(wanted)}; it gives {listed(camera.modes)} (height first)")
    return Device(camera.name, "camera", camera.format, camera.url, _options(camera.format, wanted, found[0] if found else None))


def _said(wanted: Asked) -> str:
    size = "x".join(str(side) for side in wanted.size or ())
    return size + (f"@{float(wanted.rate):g}" if wanted.rate else "")


def _options(format: str, wanted: Asked, mode: Mode | None) -> dict[str, str]:
    """As libavdevice takes them: width first."""
    size = (mode.height, mode.width) if mode else wanted.size
    rate = (mode.rate if mode else wanted.rate) or USUAL_RATE
    options = {"framerate": f"{rate.numerator}/{rate.denominator}"}
    if size:
        options["video_size"] = f"{size[1]}x{size[0]}"
    if mode and mode.format:
        options[{"v4l2": "input_format"}.get(format, "vcodec" if mode.packed else "pixel_format")] = mode.format
    if format == "dshow":
        options["rtbufsize"] = str(BUFFER_BYTES)
    return options


def open_camera(text: str, *, ignore: Collection[str] = (), silent_s: float = 5.0) -> DeviceSource:
    """The camera of a text, `NAME|NUMBER[@HEIGHTxWIDTH[@FPS]]`, as a source; an absent one is no error."""
    wanted = asked(text)
    return DeviceSource(f"camera:{text}", lambda: FfmpegCapture(device_of(wanted, list_cameras(), ignore)), silent_s=silent_s)
