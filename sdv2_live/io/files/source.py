"""Video files as a source."""

from __future__ import annotations

import logging
import threading
from fractions import Fraction
from pathlib import Path

from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import Source
from sdv2_live.io.files.clip import Clip, Picture
from sdv2_live.io.files.decoded import Shown
from sdv2_live.io.playback import PlaybackClock
from sdv2_live.io.still import Still
from sdv2_live.system.clock import monotonic_ns

log = logging.getLogger("sdv2_live.file")

AGAIN_S = 1.0  # between two tries to open a file that broke


class FileSource(Source):
    """Frames of a file's video, as RGBX in square pixels, upright, as players show it; see `Clip` and `Shown`.

    A file that is replaced or written to is reopened for its next round. One that breaks while it loops gives no frames, and is
    reopened until that works.

    Args:
        realtime: give frames when they are due, for live use, with their arrival time as `captured_ns`; a long one is repeated
            meanwhile, see `Still`. Otherwise frames come as fast as they are read, and `captured_ns` is their time in the video,
            from the first frame on.
        loop: start again at the end; otherwise `ended` becomes True after the last frame.
    """

    def __init__(self, path: str | Path, *, realtime: bool = True, loop: bool = True) -> None:
        """Open the file and decode its first frame.

        Raises:
            VideoError: the file is missing, unreadable, no video, or has no frame that can be decoded.
        """
        self._path = Path(path)
        self.name = self.status = f"file:{path}"
        self._realtime, self._loop = realtime, loop
        self._lock = threading.Lock()
        self._clock = PlaybackClock()
        self._finished = self._broken = False
        self._show, self._still = Shown(), Still()
        self._index = 0
        self._passed_s = 0.0  # stream time of the rounds played before this one
        self._due_s = 0.0
        self._told = False  # what is missing of the clip
        self._pending: Picture | None  # None while the file cannot be read
        self._clip, self._pending = _opened(self._path)

    @property
    def rate(self) -> Fraction:
        """Frames per second on average, see `Clip`."""
        return self._clip.rate

    @property
    def bad_packets(self) -> int:
        """Packets of the file that could not be decoded."""
        return self._clip.bad_packets

    @property
    def broken(self) -> bool:
        return self._broken

    @property
    def ended(self) -> bool:
        return self._finished

    def read(self, timeout: float) -> Frame | None:
        """The next frame; None when it is not due within `timeout` seconds, at the end, or after `close`."""
        if self._finished:
            return None
        stays = self._realtime and self._pending is not None  # until the next one is due; a file that broke shows nothing
        wait = self._still.wait_s(monotonic_ns(), timeout) if stays else timeout
        if self._realtime and not self._clock.wait(self._due_s, wait):
            return self._still.again(monotonic_ns()) if stays and not self._finished else None
        with self._lock:
            if self._finished:
                return None
            if self._pending is None:
                self._open_again()
                return None
            frame = self._frame(self._pending)
            self._still.came(frame, frame.captured_ns)
            self._advance()
            return frame

    def _frame(self, picture: Picture) -> Frame:
        pixels = self._show(picture.decoded, self._clip.pixel_aspect)
        height, width = pixels.shape[:2]
        captured_ns = monotonic_ns() if self._realtime else round(self._due_s * 1e9)
        index, self._index = self._index, self._index + 1
        rows = pixels.reshape(height, 4 * width)
        return Frame(rows, width, height, PixelFormat.RGBX, self._clip.rate, captured_ns, index)

    def _advance(self) -> None:
        """Choose the next picture and its time."""
        self._pending = self._clip.read()
        if self._pending is None:
            self._tell_shortfall()
            self._passed_s = self._due_s + float(1 / self._clip.rate)
            if not self._loop:
                self._finished = True
                return
            self._start_again()
        self._due_s = self._passed_s + (self._pending.seconds if self._pending else AGAIN_S)

    def _start_again(self) -> None:
        """Begin the next round: with the file in its place now, else with the old one, else with nothing for now."""
        try:
            if self._clip.replaced:
                self._replace()
            if self._pending is None and not self._clip.overwritten:
                self._clip.rewind()
                self._pending = self._clip.read()
        except VideoError as error:
            log.warning("%s", error)
        if self._pending is None:
            if not self._realtime:
                raise VideoError(f"{self._path} cannot be read any more; check the file and its disk")
            self.status, self._broken = f"{self.name} cannot be read", True
            log.warning("%s cannot be read any more; it is opened anew as soon as that works", self._path)

    def _replace(self) -> None:
        """Take the file in its place now, if it is a video."""
        try:
            self._take(*_opened(self._path))
        except VideoError as error:
            if self._clip.overwritten:
                raise
            log.warning("%s; what was there before goes on", error)
            self._clip.keep()

    def _open_again(self) -> None:
        try:
            self._take(*_opened(self._path))
        except VideoError as error:
            log.debug("%s", error)
            self._due_s += AGAIN_S
        else:
            self._passed_s = self._due_s
            log.info("%s can be read again", self._path)

    def _take(self, clip: Clip, first: Picture) -> None:
        self._clip.close()
        self._clip, self._pending = clip, first
        self.status, self._broken, self._told = self.name, False, False

    def _tell_shortfall(self) -> None:
        if not self._told and (shortfall := self._clip.shortfall):
            log.warning("%s", shortfall)
        self._told = True

    def close(self) -> None:
        self._clock.interrupt()
        with self._lock:
            self._finished, self._pending = True, None
            self._clip.close()


def _opened(path: Path) -> tuple[Clip, Picture]:
    """A clip and its first picture. Raises VideoError."""
    clip = Clip(path)
    first = clip.read()
    if first is None:
        clip.close()
        raise VideoError(f"{path} holds no frame that can be decoded; convert it, for example to H.264 in .mp4")
    return clip, first
