"""A receiver of one NDI source, for looking at what a show takes in and puts out."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from av import VideoFrame
from av.video.reformatter import ColorRange as AvRange
from av.video.reformatter import VideoReformatter

from sdv2_live.frame import ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.io.base import Sink
from sdv2_live.io.files.ffmpeg import EXACT, MATRICES, PIX_FMT, RANGES, rows_of
from sdv2_live.io.ndi.source import NdiSource

KEPT = 90  # frames: three seconds, more than a show is late


class Tap:
    """Receives the NDI source of that full name on a thread of its own; `count` frames so far, the last of them kept."""

    def __init__(self, full_name: str) -> None:
        self.count = 0
        self._kept: deque[Frame] = deque(maxlen=KEPT)
        self._recorder: Sink | None = None
        self._lock = threading.Lock()
        self._source = NdiSource(full_name)
        self._closing = False
        self._thread = threading.Thread(target=self._read, name=f"tap {full_name}", daemon=True)
        self._thread.start()

    def record(self, sink: Sink | None) -> None:
        """Send every frame to `sink` from now on; None ends that, and no frame is sent after it returns."""
        with self._lock:
            self._recorder = sink

    @property
    def newest(self) -> Frame:
        """The last frame that came. Raises IndexError before the first."""
        with self._lock:
            return self._kept[-1]

    def at(self, moment_ns: int) -> Frame:
        """Of the frames kept the one that came nearest to that time. Raises ValueError before the first."""
        with self._lock:
            return min(self._kept, key=lambda frame: abs(frame.captured_ns - moment_ns))

    def close(self) -> None:
        """Stop receiving. Idempotent."""
        self._closing = True
        self._thread.join()
        self._source.close()

    def _read(self) -> None:
        while not self._closing:
            frame = self._source.read(0.25)
            if frame is None:
                continue
            with self._lock:
                self.count += 1
                self._kept.append(frame)
                if self._recorder is not None:
                    self._recorder.send(frame)


def picture(frame: Frame) -> np.ndarray:
    """The frame as RGB, uint8 (height, width, 3)."""
    rows = frame.data[:, : frame.width * frame.format.bytes_per_pixel]
    shell = VideoFrame(frame.width, frame.height, PIX_FMT[frame.format])
    rows_of(shell)[:, : rows.shape[1]] = rows
    color = frame.color if frame.format is PixelFormat.UYVY else ColorSpec(range=ColorRange.FULL)
    rgb = VideoReformatter().reformat(
        shell,
        format="rgb24",
        src_colorspace=MATRICES[color.matrix],
        src_color_range=RANGES[color.range],
        dst_color_range=AvRange.JPEG,
        interpolation=EXACT,
    )
    return rgb.to_ndarray()
