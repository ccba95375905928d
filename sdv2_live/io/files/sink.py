"""Writing video files, through PyAV (FFmpeg's libraries; no external program)."""

from __future__ import annotations

import logging
import math
import threading
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from sdv2_live.errors import VideoError
from sdv2_live.frame import ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.io.base import Sink
from sdv2_live.io.files.ffmpeg import (
    BT709_PRIMARIES,
    BT709_TRANSFER,
    EXACT,
    MATRICES,
    PIX_FMT,
    RANGES,
    STREAM_MATRICES,
    file_url,
    reason,
    rows_of,
)
from sdv2_live.system.files import check, replace

log = logging.getLogger("sdv2_live.file")

CONTAINERS = {".mp4": "mp4", ".mkv": "matroska"}
FRAGMENTED = {  # an MP4 that can be played as far as it is written; half a second is written at a time
    "movflags": "empty_moov+delay_moov+default_base_moof",
    "frag_duration": "500000",  # microseconds
    "flush_packets": "1",
}
MIN_TICKS = 10_000  # a second, of files whose frames come at their own times
SNAP_S = 0.002  # a frame that is so little beside the constant rate is on it: some containers know milliseconds only


class FileSink(Sink):
    """Writes a file; its extension chooses the container.

    .mp4: H.264, 4:2:0, CRF 16, BT.709 limited range, for every common player; an odd size gains a copy of its last line.
    .mkv: FFV1, lossless in the frames' own colour (RGB, or 4:2:2 for UYVY).

    The first frame fixes size and rate; frames of another size are scaled to it. Data goes to a name ending in ".part", which
    becomes the real one at `close`, so that a half-written file never looks whole. The part that a crash leaves can be played,
    and is renamed when the same file is written again.
    """

    live = False

    def __init__(self, path: str | Path, *, offline: bool = False) -> None:
        """Prepare to write; the first frame opens the streams.

        Args:
            offline: show each frame at its `captured_ns`, counted from the first. Otherwise, for a show, each comes one frame
                time after the last, and an .mp4 is fragmented, so that it plays even if the show is killed.

        Raises:
            VideoError: the extension is unknown, or the folder cannot be written.
        """
        self._path = Path(path)
        self._offline = offline
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
        self._first_ns = 0
        self._a_frame = 1  # ticks
        self._tick = Fraction(1)  # seconds
        self._next = 0  # the tick at which a frame is due at the constant rate
        self._first_dts: int | None = None
        self._failed = self._closed = False
        options = {} if self._lossless or offline else FRAGMENTED
        try:
            check(self._path)
            self._put_aside()
            self._part.write_bytes(b"")  # FFmpeg opens it with the first frame only: too late to choose another folder
            self._container = av.open(file_url(self._part), "w", format=container, options=options)
        except (av.error.FFmpegError, OSError) as error:
            raise VideoError(f"{self._part} cannot be written: {reason(error)}; check the folder's permissions") from error

    def _put_aside(self) -> None:
        """Rename the part that a killed show has left. Raises OSError."""
        if self._part.is_file() and (left := self._part.stat()).st_size:
            ended = datetime.fromtimestamp(left.st_mtime).strftime("%Y%m%d-%H%M%S")
            aside = self._path.with_name(f"{self._path.stem}-{ended}{self._path.suffix}")
            self._part.replace(aside)
            log.warning("%s: was left by a show that was cut short; it is kept as %s", self._part, aside)

    def send(self, frame: Frame) -> None:
        """Encode one frame.

        Raises:
            VideoError: the file cannot be written (disk full); the frames before it stay.
        """
        with self._lock:
            if self._closed:
                return
            if self._failed:
                raise VideoError(f"{self._part} failed earlier and takes no more frames; close it and record to another file")
            try:
                stream = self._stream = self._stream or self._begin(frame)
                picture = self._encodable(frame, stream)
                picture.pts, picture.time_base = self._due(frame), self._tick
                self._mux(stream.encode(picture))
            except (av.error.FFmpegError, OSError) as error:
                raise self._failure(error) from error
            self.written += 1

    def _begin(self, frame: Frame) -> av.VideoStream:
        """Open a stream for the first frame's kind."""
        rate = frame.rate.limit_denominator(100_000)
        stream = self._container.add_stream("ffv1" if self._lossless else "libx264", rate=rate)
        context = stream.codec_context
        self._first_ns = frame.captured_ns
        self._a_frame = math.ceil(MIN_TICKS / rate) if self._offline else 1
        self._tick = context.time_base = 1 / (rate * self._a_frame)
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

    def _finish(self, stream: av.VideoStream) -> None:
        packets = stream.encode(None)
        if packets and packets[-1].dts is not None:  # the last in decoding order lasts as long as the video has yet to go
            packets[-1].duration = self._next + (self._first_dts or 0) - packets[-1].dts
        self._mux(packets)

    def _mux(self, packets: list[av.Packet[av.VideoStream]]) -> None:
        for packet in packets:
            self._first_dts = packet.dts if self._first_dts is None else self._first_dts
            self._container.mux(packet)

    def _due(self, frame: Frame) -> int:
        """The tick at which the frame is shown, later than the previous frame's."""
        due = self._next
        if self._offline:
            own = round(Fraction(frame.captured_ns - self._first_ns, 10**9) / self._tick)
            if abs(own - due) * self._tick > SNAP_S:
                due = max(own, due - self._a_frame + 1)
        self._next = due + self._a_frame
        return due

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
        """Finish the file and give it its name.

        Raises:
            VideoError: that fails; raised once.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                if self._stream is not None and not self._failed:
                    self._finish(self._stream)
                self._container.close()
                if self._stream is None:
                    self._part.unlink(missing_ok=True)
                elif not self._failed:
                    replace(self._part, self._path)
            except (av.error.FFmpegError, OSError) as error:
                if not self._failed:  # else it was told before
                    raise self._failure(error) from error


def _even(frame: Frame) -> np.ndarray:
    """The frame's rows, with its last column and row repeated where the size is odd: 4:2:0 needs even sizes."""
    rows = frame.data[:, : frame.width * frame.format.bytes_per_pixel]
    right, below = frame.width % 2, frame.height % 2  # UYVY is never odd across, so 4 bytes are a pixel where it matters
    if not right and not below:
        return rows
    pixels = np.pad(rows.reshape(frame.height, -1, 4), ((0, below), (0, right), (0, 0)), mode="edge")
    return pixels.reshape(frame.height + below, -1)
