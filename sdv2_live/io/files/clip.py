"""An open video file: its decoded pictures in order, through PyAV (FFmpeg's libraries; no external program)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
from av.stream import Disposition

from sdv2_live.errors import VideoError
from sdv2_live.frame import measured_rate, plausible_rate
from sdv2_live.io.files import hdr
from sdv2_live.io.files.deinterlace import deinterlaced
from sdv2_live.io.files.ffmpeg import file_url, fraction, reason

log = logging.getLogger("sdv2_live.file")

MAX_BAD_PACKETS = 1000  # in a row: then the rest of the file is given up
MEASURED = 100  # frames whose spacing tells the rate where the file does not
STILL_RATE = Fraction(25)  # of a single picture
SHORT = 3  # frames that may be missing at the end: containers round, AVI counts as they are decoded, and edit lists cut


class Picture(NamedTuple):
    """A decoded picture.

    Attributes:
        seconds: its time, counted from the first picture.
    """

    decoded: av.VideoFrame
    seconds: float


class Clip:
    """The pictures of a file's default video stream; a music file's cover is not one.

    Packets that cannot be decoded are skipped. Interlaced frames are deinterlaced, one picture for each.

    Attributes:
        rate: frames per second on average, as the file declares it where that can be true, else as measured.
        pixel_aspect: width of a pixel by its height; None where the file does not say.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            VideoError: the file is missing, unreadable or no video.
        """
        self._path = path
        self.bad_packets = 0
        self._identity = _identity(path) or ()
        self._container = _open(path)
        stream = _video(self._container)
        if stream is None:
            what = "has no video, only a cover picture" if self._container.streams.video else "has no video stream"
            self._container.close()
            raise VideoError(f"{path} {what}; give a file that has one")
        self._stream: av.VideoStream = stream
        self._stream.thread_type = "AUTO"
        self.rate = _rate(path, self._stream)
        self.pixel_aspect = fraction(self._stream.sample_aspect_ratio)
        if (transfer := hdr.TRANSFERS.get(int(self._stream.codec_context.color_trc))) is not None:
            log.info("%s: is HDR (%s); it is shown in BT.709, its highlights compressed", path, transfer)
        self._begin()

    def _begin(self) -> None:
        self._torn = False  # what was read last is no whole packet
        self._shown = 0  # pictures of this round
        self._first_s: float | None = None
        self._end_s = 0.0  # when the last picture's time is over
        self._decoded = deinterlaced(self._decode())

    def read(self) -> Picture | None:
        """The next picture, None at the end."""
        decoded = next(self._decoded, None)
        if decoded is None:
            return None
        a_frame = float(1 / self.rate)
        at = decoded.time if decoded.time is not None else (self._first_s or 0.0) + self._end_s
        self._first_s = at if self._first_s is None else self._first_s
        seconds = max(0.0, at - self._first_s)
        self._end_s = seconds + max(a_frame, float((decoded.duration or 0) * (decoded.time_base or 0)))
        self._shown += 1
        return Picture(decoded, seconds)

    def rewind(self) -> None:
        """Start again.

        Raises:
            VideoError: the file cannot be rewound.
        """
        try:
            self._container.seek(0)
        except av.error.FFmpegError as error:
            raise VideoError(f"{self._path} cannot be played again from its start: {reason(error)}") from error
        self._begin()

    @property
    def shortfall(self) -> str:
        """The missing part of the file, in words, after the last picture; empty when it is whole."""
        stated = _stated_seconds(self._container, self._stream)
        missing = stated - self._end_s > SHORT * max(float(1 / self.rate), self._end_s / max(self._shown, 1))
        if not (self._torn or missing):
            return ""
        of = f"{self._shown} of {self._stream.frames} frames" if self._shown < self._stream.frames else f"{self._shown} frames"
        if missing and self._shown >= self._stream.frames:
            of = f"{self._end_s:.1f} of {stated:.1f} s"
        return f"{self._path} ends after {of}: it is cut short or damaged"

    @property
    def replaced(self) -> bool:
        """True when another file is in its place now, or it was written to."""
        now = _identity(self._path)
        return now is not None and now != self._identity

    @property
    def overwritten(self) -> bool:
        """True when it was written to: the open file has other contents than when it was opened."""
        now = _identity(self._path)
        return now is not None and now != self._identity and now[:2] == self._identity[:2]

    def keep(self) -> None:
        """Accept the file in its place now: it no longer counts as a replacement."""
        self._identity = _identity(self._path) or self._identity

    def close(self) -> None:
        self._container.close()

    def _decode(self) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self._stream)
        bad_in_a_row = 0
        while bad_in_a_row < MAX_BAD_PACKETS:
            try:
                packet = next(packets)
                self._torn = packet.is_corrupt if packet.size else self._torn
                frames = packet.decode()
            except (StopIteration, av.error.EOFError):
                return
            except av.error.FFmpegError as error:
                self._torn = True
                bad_in_a_row, self.bad_packets = bad_in_a_row + 1, self.bad_packets + 1
                if self.bad_packets == 1:
                    log.warning("%s: skipping what cannot be decoded (%s)", self._path, reason(error))
                if isinstance(error, OSError) or self.replaced:
                    return  # the disk failed, or another file is read with this one's index
                packets = self._container.demux(self._stream)  # an error ends the iterator, not the file
                continue
            bad_in_a_row = 0
            yield from frames


def frame_count(path: str | Path) -> int | None:
    """Frames of a file's video as its container states or implies them; None when it does neither.

    Raises:
        VideoError: the file cannot be opened.
    """
    with _open(Path(path)) as container:
        stream = _video(container)
        if stream is None:
            return None
        rate = plausible_rate(fraction(stream.average_rate))
        return stream.frames or (int(_stated_seconds(container, stream) * rate) if rate is not None else 0) or None


def _open(path: Path) -> av.container.InputContainer:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # to open a pipe would wait for who writes to it
            raise VideoError(f"{path} is a pipe or a device; only files are read here: bring its picture in by NDI")
        return av.open(file_url(path))
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"{path} cannot be opened as video: {reason(error)}; check the path and the file") from error


def _video(container: av.container.InputContainer) -> av.VideoStream | None:
    """The stream that players show, None for covers alone."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    return max(streams, key=lambda stream: bool(stream.disposition & Disposition.default), default=None)


def _identity(path: Path) -> tuple[int, ...] | None:
    """The file's identity (two numbers) and version (two more); None while there is no file."""
    try:
        now = path.stat()
    except OSError:
        return None
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns


def _rate(path: Path, stream: av.VideoStream) -> Fraction:
    if (declared := plausible_rate(fraction(stream.average_rate))) is not None:
        return declared
    with _open(path) as container:
        try:
            packets = container.demux(container.streams[stream.index])
            times = [float(p.pts * p.time_base) for p in islice(packets, MEASURED) if p.pts is not None]
        except av.error.FFmpegError:
            times = []  # what is wrong shows when it is decoded
    return measured_rate((max(times) - min(times)) / (len(times) - 1)) if len(times) > 1 else STILL_RATE


def _stated_seconds(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """The video's length as the container states it; 0 where it does not."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if clock := stream.metadata.get("DURATION"):  # Matroska's tag, as in 00:01:02.040000000
        hours, minutes, seconds = clock.split(":")
        begins = (
            float((stream.start_time or 0) * stream.time_base) if stream.time_base else 0.0
        )  # it tells the end, not the length
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - begins
    return container.duration / av.time_base if container.duration and len(container.streams) == 1 else 0.0
