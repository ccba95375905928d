"""Opening a source or sink from a text such as `ndi:Camera 1` or `file:clip.mp4`."""

from __future__ import annotations

import difflib
import os
import re
import threading
from collections.abc import Collection
from fractions import Fraction
from pathlib import Path

from sdv2_live.errors import VideoError
from sdv2_live.frame import ColorSpec, Frame
from sdv2_live.io.base import Sink, Source
from sdv2_live.io.devices.cameras import open_camera
from sdv2_live.io.devices.screens import open_screen
from sdv2_live.io.files.sink import FileSink
from sdv2_live.io.files.source import FileSource
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.io.ndi.sink import NdiSink
from sdv2_live.io.ndi.source import NdiSource
from sdv2_live.io.outlets.sink import OutletSink
from sdv2_live.io.outlets.virtual_camera import virtual_camera
from sdv2_live.io.outlets.window import Window
from sdv2_live.io.spout.sink import SpoutSink
from sdv2_live.io.spout.source import SpoutSource
from sdv2_live.io.synthetic import TestSource
from sdv2_live.io.syphon.sink import syphon_sink
from sdv2_live.io.syphon.source import open_syphon

SOURCES = (
    "ndi:NAME",
    "spout:NAME",
    "syphon:NAME",
    "camera:NAME[@HEIGHTxWIDTH[@FPS]]",
    "screen:[MONITOR|x,y,w,h]",
    "file:PATH",
    "test[:HEIGHTxWIDTH]",
    "none",
)
SINKS = ("ndi:NAME", "spout:NAME", "syphon:NAME", "camera:NAME", "window:[MONITOR]", "file:PATH", "none")


class NullSource(Source):
    """A source without frames, for modes that need no input."""

    def __init__(self) -> None:
        self.name = "none"
        self._stop = threading.Event()

    def read(self, timeout: float) -> Frame | None:
        self._stop.wait(timeout)
        return None

    @property
    def ended(self) -> bool:
        return self._stop.is_set()

    def close(self) -> None:
        self._stop.set()


class NullSink(Sink):
    """Counts frames and keeps none. It asks for frames, so that measurements include the whole path."""

    def __init__(self) -> None:
        self.name = "none"
        self.sent = 0

    def send(self, frame: Frame) -> None:
        self.sent += 1

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def open_source(
    spec: str,
    *,
    ndi: NdiSettings | None = None,
    receiver_timeout_s: float = 3.0,
    ignore: Collection[str] = (),
    color: ColorSpec | None = None,
    rate: Fraction = Fraction(30),
    realtime: bool = True,
    loop: bool = True,
) -> Source:
    """Open the source of a text.

    `ndi:NAME` (`ndi:` takes the first found, `ndi:IP:PORT` connects directly), `spout:NAME` (`spout:` takes the active sender),
    `syphon:NAME`,
    `camera:NAME|NUMBER[@HEIGHTxWIDTH[@FPS]]` (`camera:` takes the first), `screen:[MONITOR|x,y,w,h]`, `file:PATH`,
    `test[:HEIGHTxWIDTH]`, `none`.

    Args:
        spec: the text.
        ndi: for NDI, see NdiSource; so is color.
        receiver_timeout_s: for NDI, cameras and screens: without a frame for so long they are opened anew.
        ignore: the names of our own outputs.
        rate: frame rate of the test card.
        realtime: for files, see FileSource; also paces the test card.
        loop: for files, see FileSource.

    Raises:
        VideoError: it cannot be opened.
    """
    scheme, rest = _split(spec, SOURCES, "source")
    match scheme:
        case "ndi":
            return NdiSource(rest, ndi, receiver_timeout_s=receiver_timeout_s, ignore=ignore, color=color)
        case "spout":
            return SpoutSource(rest, ignore=ignore)
        case "syphon":
            return open_syphon(rest, ignore=ignore, silent_s=receiver_timeout_s)
        case "camera":
            return open_camera(rest, ignore=ignore, silent_s=receiver_timeout_s)
        case "screen":
            return open_screen(rest, silent_s=receiver_timeout_s)
        case "file":
            return FileSource(_path(spec, rest), realtime=realtime, loop=loop)
        case "test":
            height, width = _size(spec, rest)
            return TestSource(height, width, rate, realtime=realtime)
    return NullSource()


def open_sink(spec: str, *, ndi: NdiSettings | None = None) -> Sink:
    """Open the sink of a text.

    `ndi:NAME`, `spout:NAME`, `syphon:NAME`, `camera:NAME` (a virtual one; `camera:` takes the first), `window:[MONITOR]`,
    `file:PATH` (.mp4 or .mkv), `none`.

    Raises:
        VideoError: it cannot be opened.
        DeviceError: its device is not there now.
    """
    scheme, rest = _split(spec, SINKS, "sink")
    match scheme:
        case "ndi":
            return NdiSink(rest, ndi)
        case "spout":
            return SpoutSink(rest)
        case "syphon":
            return syphon_sink(rest)
        case "camera":
            return OutletSink(f"camera:{rest}", virtual_camera, rest)
        case "window":
            return OutletSink(f"window:{rest}", Window, rest)
        case "file":
            return FileSink(_path(spec, rest))
    return NullSink()


def _split(spec: str, allowed: tuple[str, ...], kind: str) -> tuple[str, str]:
    """(scheme, text after the colon) of a spec whose scheme is allowed."""
    scheme, _, rest = spec.strip().partition(":")
    choices = [re.split(r"[:\[]", form)[0] for form in allowed]
    if scheme in choices:
        return scheme, rest.strip()
    forms = ", ".join(allowed)
    if re.match(r"\w[\w+.-]+://", spec.strip()):
        way = (
            "bring it in by NDI, for example with OBS Studio" if kind == "source" else "send it on from NDI, for example with OBS"
        )
        raise VideoError(f"'{spec}' is no video {kind}: network streams are not opened here; {way}. Allowed are {forms}")
    meant = _meant(spec.strip(), choices)
    raise VideoError(
        f"'{spec}' is no video {kind}: " + (f"did you mean {meant}? Allowed" if meant else "allowed") + f" are {forms}"
    )


def _meant(spec: str, choices: list[str]) -> str:
    """A guess at the spec meant by a text without a known scheme; empty for no guess."""
    if spec.startswith("/dev/video"):
        return f"camera:{spec}"
    scheme, colon, rest = spec.partition(":")
    near = difflib.get_close_matches(scheme.lower(), choices, 1, 0.5)
    if near and (colon or not (" " in spec or _is_path(spec))):
        return near[0] if near[0] in ("none", "test") and not rest else f"{near[0]}:{rest}"
    return f"file:{spec}" if _is_path(spec) else ""


def _is_path(spec: str) -> bool:
    """True when it looks like a file's path, or is one."""
    return bool(re.search(r"[\\/]|\.\w{2,5}$", spec)) or (bool(spec) and Path(spec).exists())


def _path(spec: str, path: str) -> str:
    if not path:
        raise VideoError(f"'{spec}' names no file; write file:PATH, as in file:clips/dancer.mp4")
    return os.path.expanduser(path)


def _size(spec: str, size: str) -> tuple[int, int]:
    if not size:
        return 512, 512
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
    if match is None:
        raise VideoError(f"'{spec}': the size must be HEIGHTxWIDTH in pixels, as in test:480x832")
    return int(match[1]), int(match[2])
