"""The input frames of a take: written by `FileSink`, read back byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from sdv2_live.errors import TakeError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.files.ffmpeg import file_url, reason, rows_of
from sdv2_live.io.files.sink import FileSink
from sdv2_live.io.files.source import FileSource
from sdv2_live.takes.format import FrameId, Video, video_name

STORED = {PixelFormat.UYVY: "yuv422p", PixelFormat.BGRX: "bgr0", PixelFormat.RGBX: "bgr0"}  # the A formats: bgra


class VideoWriter:
    """Writes frames in order, to a new file whenever size, layout or colour changes. Raises VideoError (disk full)."""

    def __init__(self, folder: Path, *, lossless: bool) -> None:
        self._folder = folder
        self._lossless = lossless
        self._sink: FileSink | None = None
        self._video: Video | None = None
        self.written = 0  # frames in all files

    def write(self, frame: Frame) -> tuple[FrameId, Video | None]:
        """Write a frame; return its place, and the file if it is a new one."""
        number = self._video.number if self._video else 0
        new = None
        if self._sink is None or Video.of(frame, number) != self._video:
            if self._sink is not None:
                self._sink.close()
                number += 1
            self._sink = FileSink(self._folder / video_name(number, self._lossless))
            new = self._video = Video.of(frame, number)
        rate = f"{frame.rate.numerator}/{frame.rate.denominator}"
        place = FrameId(video=number, frame=self._sink.written, captured_ns=frame.captured_ns, rate=rate, index=frame.index)
        self._sink.send(frame)
        self.written += 1
        return place, new

    def close(self) -> None:
        """Finish the last file."""
        if self._sink is not None:
            self._sink.close()


class VideoReader:
    """Reads the frames of a take back, in the order in which they were written; lossless ones exactly (the X byte aside)."""

    def __init__(self, folder: Path, *, lossless: bool) -> None:
        self._folder = folder
        self._lossless = lossless
        self._frames: Iterator[Frame] = iter(())
        self._at: tuple[int, int] | None = None  # video and position of the frame read last

    def begin(self, video: Video) -> None:
        """Go on with this file. Raises TakeError when it is not there."""
        path = self._folder / video_name(video.number, self._lossless)
        part = path.with_name(path.name + ".part")  # as a recording that was cut short leaves it
        path = path if path.is_file() or not part.is_file() else part
        self._frames = _exact(path, video) if self._lossless else _similar(path)
        self._at = (video.number, -1)

    def read(self, place: FrameId) -> Frame | None:
        """The frame, None where its file ends before it. Raises TakeError for a damaged file or a place out of order."""
        if self._at is None or (place.video, place.frame) != (self._at[0], self._at[1] + 1):
            raise TakeError(f"frame {place.frame} of input {place.video} does not follow on the one before it ({self._at})")
        self._at = (place.video, place.frame)
        frame = next(self._frames, None)
        return place.placed(frame) if frame is not None else None


def _exact(path: Path, video: Video) -> Iterator[Frame]:
    stored = STORED.get(video.format, "bgra")
    try:
        with av.open(file_url(path)) as container:
            for picture in container.decode(video=0):
                if (picture.format.name, picture.height, picture.width) != (stored, video.height, video.width):
                    raise TakeError(
                        f"{path}: holds {picture.width}x{picture.height} {picture.format.name} in place of the "
                        f"{video.width}x{video.height} {stored} that were recorded; it is not this take's file"
                    )
                data = _rows(picture, video.format)
                yield Frame(data, video.width, video.height, video.format, color=video.color)
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise TakeError(f"{path}: cannot be read: {reason(error)}; the take is damaged from here on") from error


def _rows(picture: av.VideoFrame, format: PixelFormat) -> np.ndarray:
    """The bytes that were recorded, (height, width * bytes per pixel)."""
    height, width = picture.height, picture.width
    if format is PixelFormat.UYVY:
        y, u, v = (np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size) for plane in picture.planes)
        rows = np.empty((height, 2 * width), np.uint8)
        rows[:, 0::4], rows[:, 2::4] = u[:, : width // 2], v[:, : width // 2]
        rows[:, 1::2] = y[:, :width]
        return rows
    rows = rows_of(picture)[:, : 4 * width].copy()
    if format in (PixelFormat.RGBX, PixelFormat.RGBA):
        rows[:, 0::4], rows[:, 2::4] = rows[:, 2::4].copy(), rows[:, 0::4].copy()
    return rows


def _similar(path: Path) -> Iterator[Frame]:
    with FileSource(path, realtime=False, loop=False) as source:
        while not source.ended:
            frame = source.read(1.0)
            if frame is not None:
                yield frame
