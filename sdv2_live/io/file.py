"""Video files in and out, through PyAV (FFmpeg's libraries; no external program)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange as AvRange
from av.video.reformatter import Colorspace, VideoReformatter

from sdv2_live.errors import VideoError
from sdv2_live.frame import ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.io.base import Sink, Source
from sdv2_live.io.ffmpeg import (
    BT709_PRIMARIES,
    BT709_TRANSFER,
    EXACT,
    MATRICES,
    PIX_FMT,
    RANGES,
    STREAM_MATRICES,
    SWSCALE_MATRICES,
    reason,
    rows_of,
)
from sdv2_live.io.playback import PlaybackClock

log = logging.getLogger("sdv2_live.file")

CONTAINERS = {".mp4": "mp4", ".mkv": "matroska"}
MAX_BAD_PACKETS = 1000  # in a row: then the rest of the file is given up


class FileSource(Source):
    """Frames of a file's first video stream, as RGBX.

    realtime: frames come when they are due, for live use; otherwise as fast as they are read.
    loop: start again at the end; otherwise `ended` becomes True after the last frame.

    Y'CbCr is converted by swscale with the file's own matrix and range; a file that states no matrix is read as BT.709 from
    720 lines on, as BT.601 below, as players do. Alpha is dropped. A quarter-turn in the file's display matrix is applied.
    Packets that cannot be decoded are skipped and counted in `bad_packets`.
    """

    def __init__(self, path: str | Path, *, realtime: bool = True, loop: bool = True) -> None:
        """Raises VideoError for a file that is missing, unreadable, no video, or holds not one decodable frame."""
        self._path = Path(path)
        self.name = f"file:{path}"
        self.bad_packets = 0
        self._realtime, self._loop = realtime, loop
        self._lock = threading.Lock()
        self._clock = PlaybackClock()
        self._closed = self._finished = False
        self._reformatter = VideoReformatter()
        self._index = 0
        self._container = self._open()
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self.rate = Fraction(self._stream.average_rate or self._stream.guessed_rate or 30)
        self._passed_s = 0.0  # stream time of the rounds played before this one
        self._start_s: float | None = None  # presentation time of this round's first frame
        self._due_s = 0.0
        self._decoded = self._decode()
        self._pending = self._next()
        if self._pending is None:
            self.close()
            raise VideoError(f"{path} holds no frame that can be decoded; convert it, for example to H.264 in .mp4")

    def _open(self) -> av.container.InputContainer:
        try:
            container = av.open(str(self._path))
        except (av.error.FFmpegError, OSError) as error:
            raise VideoError(f"{self._path} cannot be opened as video: {reason(error)}; check the path and the file") from error
        if not container.streams.video:
            container.close()
            raise VideoError(f"{self._path} has no video stream; give a file that has one")
        return container

    @property
    def ended(self) -> bool:
        return self._finished

    def read(self, timeout: float) -> Frame | None:
        """The next frame; None when it is not due within `timeout` seconds, at the end, or after `close`."""
        if self._finished or (self._realtime and not self._clock.wait(self._due_s, timeout)):
            return None
        with self._lock:
            if self._closed or self._pending is None:
                return None
            frame = self._convert(self._pending)
            self._index += 1
            self._pending = self._next()
            self._finished = self._pending is None
            return frame

    def _next(self) -> av.VideoFrame | None:
        """The frame to show next, and when it is due."""
        frame = next(self._decoded, None)
        if frame is None and self._loop and self._index:
            self._passed_s, self._start_s = self._due_s + float(1 / self.rate), None
            self._container.seek(0)
            self._decoded = self._decode()
            frame = next(self._decoded, None)
        if frame is not None:
            shown = frame.time if frame.time is not None else (self._start_s or 0.0) + self._due_s + float(1 / self.rate)
            self._start_s = shown if self._start_s is None else self._start_s
            self._due_s = self._passed_s + max(0.0, shown - self._start_s)
        return frame

    def _decode(self) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self._stream)
        bad_in_a_row = 0
        while bad_in_a_row < MAX_BAD_PACKETS:
            try:
                frames = next(packets).decode()
            except (StopIteration, av.error.EOFError):
                return
            except av.error.FFmpegError as error:
                bad_in_a_row, self.bad_packets = bad_in_a_row + 1, self.bad_packets + 1
                if self.bad_packets == 1:
                    log.warning("%s: skipping what cannot be decoded (%s)", self._path, reason(error))
                packets = self._container.demux(self._stream)  # an error ends the iterator, not the file
                continue
            bad_in_a_row = 0
            yield from frames

    def _convert(self, decoded: av.VideoFrame) -> Frame:
        matrix = SWSCALE_MATRICES.get(int(decoded.colorspace), Colorspace.ITU709 if decoded.height >= 720 else Colorspace.ITU601)
        full = int(decoded.color_range) == AvRange.JPEG or decoded.format.name.startswith("yuvj")
        rgb = self._reformatter.reformat(
            decoded,
            format=PIX_FMT[PixelFormat.RGBX],
            src_colorspace=matrix,
            src_color_range=AvRange.JPEG if full else AvRange.MPEG,
            dst_color_range=AvRange.JPEG,
            interpolation=EXACT,
        )
        rows, width = rows_of(rgb), rgb.width
        if turns := round(decoded.rotation / 90) % 4:  # FFmpeg and numpy both count anticlockwise
            pixels = np.rot90(rows[:, : 4 * width].reshape(rgb.height, width, 4), turns)
            width = pixels.shape[1]
            rows = np.ascontiguousarray(pixels).reshape(-1, 4 * width)
        return Frame(rows, width, rows.shape[0], PixelFormat.RGBX, self.rate, time.monotonic_ns(), self._index)

    def close(self) -> None:
        self._clock.interrupt()
        with self._lock:
            if not self._closed:
                self._closed = self._finished = True
                self._pending = None
                self._container.close()


def frame_count(path: str | Path) -> int | None:
    """Frames of a file's first video stream as its container states or implies them, None when it does neither.

    Raises VideoError for a file that cannot be opened.
    """
    try:
        with av.open(str(path)) as container:
            stream = next(iter(container.streams.video), None)
            if stream is None:
                return None
            if stream.frames or stream.average_rate is None:
                return stream.frames or None
            return int(container.duration / av.time_base * stream.average_rate) if container.duration else None
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: cannot be opened as video: {reason(error)}") from error


class FileSink(Sink):
    """Writes a file whose container follows from the extension.

    .mp4: H.264, 4:2:0, CRF 16, BT.709 limited range, for everybody's player; an odd size gains a copy of its last line.
    .mkv: FFV1, lossless in the frames' own colour (RGB, or 4:2:2 for UYVY); a file cut short by a crash still plays.

    The first frame fixes size and rate; frames of another size are scaled to it. Data goes to a name ending in ".part",
    which becomes the real one at `close`, so that a half-written file never looks whole.
    """

    live = False

    def __init__(self, path: str | Path) -> None:
        """Raises VideoError for an extension that is not known or a folder that cannot be written."""
        self._path = Path(path)
        self.name = f"file:{path}"
        self.written = 0
        container = CONTAINERS.get(self._path.suffix.lower())
        if container is None:
            raise VideoError(f"{path}: video is written to {' or '.join(CONTAINERS)}; choose one of these extensions")
        if not self._path.parent.is_dir():
            raise VideoError(f"{path}: the folder {self._path.parent} does not exist; create it or choose another")
        self._part = self._path.with_name(self._path.name + ".part")
        self._lock = threading.Lock()
        self._reformatter = VideoReformatter()
        self._stream: av.VideoStream | None = None
        self._lossless = container == "matroska"
        self._stored = ColorSpec()  # the colour that the file holds
        self._failed = self._closed = False
        try:
            self._part.write_bytes(b"")  # FFmpeg opens it with the first frame only: too late to choose another folder
            self._container = av.open(str(self._part), "w", format=container)
        except (av.error.FFmpegError, OSError) as error:
            raise VideoError(f"{self._part} cannot be written: {reason(error)}; check the folder's permissions") from error

    def send(self, frame: Frame) -> None:
        """Encode one frame. Raises VideoError when the file cannot be written (disk full); what came before stays."""
        with self._lock:
            if self._closed:
                return
            if self._failed:
                raise VideoError(f"{self._part} failed earlier and takes no more frames; close it and record to another file")
            try:
                stream = self._stream = self._stream or self._begin(frame)
                picture = self._encodable(frame, stream)
                picture.pts, picture.time_base = self.written, 1 / stream.codec_context.framerate
                self._container.mux(stream.encode(picture))
            except (av.error.FFmpegError, OSError) as error:
                raise self._failure(error) from error
            self.written += 1

    def _begin(self, frame: Frame) -> av.VideoStream:
        """Open the stream that suits the first frame."""
        rate = frame.rate.limit_denominator(100_000)
        stream = self._container.add_stream("ffv1" if self._lossless else "libx264", rate=rate)
        context = stream.codec_context
        stream.width, stream.height = frame.width, frame.height
        if not self._lossless:
            stream.width, stream.height = frame.width + frame.width % 2, frame.height + frame.height % 2
            stream.pix_fmt, stream.options = "yuv420p", {"crf": "16", "preset": "veryfast"}
        else:
            stream.options = {"level": "3", "g": "1", "slicecrc": "1"}  # every frame on its own, with checksums
            if frame.format is PixelFormat.UYVY:
                stream.pix_fmt, self._stored = "yuv422p", frame.color
            else:
                stream.pix_fmt = "bgra" if frame.format in (PixelFormat.BGRA, PixelFormat.RGBA) else "bgr0"
                self._stored = ColorSpec(range=ColorRange.FULL)
        if stream.pix_fmt.startswith("yuv"):
            context.colorspace, context.color_range = STREAM_MATRICES[self._stored.matrix], int(RANGES[self._stored.range])
        context.color_primaries, context.color_trc = BT709_PRIMARIES, BT709_TRANSFER
        return stream

    def _encodable(self, frame: Frame, stream: av.VideoStream) -> av.VideoFrame:
        """The frame in the stream's size, layout and colour."""
        rows = _even(frame) if not self._lossless else frame.data[:, : frame.width * frame.format.bytes_per_pixel]
        picture = av.VideoFrame(rows.shape[1] // frame.format.bytes_per_pixel, rows.shape[0], PIX_FMT[frame.format])
        rows_of(picture)[:, : rows.shape[1]] = rows
        color = frame.color if frame.format is PixelFormat.UYVY else ColorSpec(range=ColorRange.FULL)
        return self._reformatter.reformat(
            picture,
            width=stream.width,
            height=stream.height,
            format=stream.pix_fmt,
            src_colorspace=MATRICES[color.matrix],
            src_color_range=RANGES[color.range],
            dst_colorspace=MATRICES[self._stored.matrix],
            dst_color_range=RANGES[self._stored.range],
            interpolation=EXACT,
        )

    def _failure(self, error: Exception) -> VideoError:
        self._failed = True
        return VideoError(
            f"{self._part} cannot be written further: {reason(error)}; free some space or choose another folder "
            f"({self.written} frames were written)"
        )

    def close(self) -> None:
        """Finish the file and give it its name. Raises VideoError, once, when that fails."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                if self._stream is not None and not self._failed:
                    self._container.mux(self._stream.encode(None))
                self._container.close()
                if self._stream is None:
                    self._part.unlink(missing_ok=True)
                elif not self._failed:
                    self._part.replace(self._path)
            except (av.error.FFmpegError, OSError) as error:
                if not self._failed:  # else it was told before
                    raise self._failure(error) from error


def _even(frame: Frame) -> np.ndarray:
    """The frame's rows, with its last column and row repeated where the size is odd: 4:2:0 has none such."""
    rows = frame.data[:, : frame.width * frame.format.bytes_per_pixel]
    right, below = frame.width % 2, frame.height % 2  # UYVY is never odd across, so 4 bytes are a pixel where it matters
    if not right and not below:
        return rows
    pixels = np.pad(rows.reshape(frame.height, -1, 4), ((0, below), (0, right), (0, 0)), mode="edge")
    return pixels.reshape(frame.height + below, -1)
