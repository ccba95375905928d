"""Spout output: shares the picture with the programs of this Windows machine."""

from __future__ import annotations

import logging
import threading
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import Sink
from sdv2_live.io.files.ffmpeg import EXACT, MATRICES, PIX_FMT, RANGES, rows_of
from sdv2_live.io.spout.lib import load
from sdv2_live.threads import OneThread

log = logging.getLogger("sdv2_live.spout_out")


class SpoutSink(Sink):
    """Shares frames as the Spout sender `name`; Spout itself adds a number when that name is taken.

    RGB frames of any order are sent unchanged, but the fourth byte of the X formats becomes opaque, since receivers take it for
    alpha. UYVY frames (the input of an NDI source, in bypass) are converted first. Spout does not report receivers, so every
    frame is sent.

    All of Spout runs on this object's own thread; methods may be called from any.
    """

    def __init__(self, name: str) -> None:
        """Start to share.

        Raises:
            VideoError: there is no Spout.
        """
        self._spout = load()
        if not name.strip():
            raise VideoError("a Spout output needs a name, as in spout:StreamDiffusion")
        self.name = f"spout:{name}"
        self.full_name = name
        self.sent = 0
        enums = self._spout.enums
        self._orders = {"RGB": enums.GL_RGBA, "BGR": enums.GL_BGRA_EXT}
        self._lock = threading.Lock()
        self._pixels = np.empty((0, 0, 4), np.uint8)
        self._reformatter = VideoReformatter()
        self._thread = OneThread(self.name)
        self._sender: Any = self._thread(self._open)
        log.info("sharing '%s' by Spout", name)

    def _open(self) -> Any:
        sender = self._spout.SpoutSender()
        sender.setSenderName(self.full_name)
        return sender

    def send(self, frame: Frame) -> None:
        """Share one frame. Does nothing after `close`.

        Raises:
            VideoError: Spout cannot share it.
        """
        with self._lock:
            if self._sender is None:
                return
            order = self._fill(frame)
            if not self._thread(self._share, order):
                raise VideoError(
                    f"Spout could not share '{self.full_name}': it needs a graphics card whose driver offers OpenGL, the same "
                    "one that the receiving program uses (Windows: Settings, Display, Graphics); or use ndi: in its place"
                )
            self.sent += 1

    def _fill(self, frame: Frame) -> int:
        """Copy the picture into `_pixels`, contiguous and with alpha, and return its byte order as OpenGL names it."""
        if self._pixels.shape[:2] != frame.size:
            self._pixels = np.empty((*frame.size, 4), np.uint8)
        if frame.format is PixelFormat.UYVY:
            self._pixels[...] = self._converted(frame)
            return int(self._orders["RGB"])
        self._pixels[...] = frame.data[:, : 4 * frame.width].reshape(*frame.size, 4)
        if frame.format in (PixelFormat.BGRX, PixelFormat.RGBX):
            self._pixels[..., 3] = 255
        return int(self._orders[frame.format.name[:3]])

    def _converted(self, frame: Frame) -> np.ndarray:
        picture = av.VideoFrame(frame.width, frame.height, PIX_FMT[frame.format])
        rows_of(picture)[:, : 2 * frame.width] = frame.data[:, : 2 * frame.width]
        rgba = self._reformatter.reformat(
            picture,
            format="rgba",
            src_colorspace=MATRICES[frame.color.matrix],
            src_color_range=RANGES[frame.color.range],
            interpolation=EXACT,
        )
        return rows_of(rgba)[:, : 4 * frame.width].reshape(*frame.size, 4)

    def _share(self, order: int) -> bool:
        height, width = self._pixels.shape[:2]
        shared = bool(self._sender.sendImage(self._pixels, width, height, order, False, 0))
        self._sender.setFrameSync(self.full_name)  # wakes receivers that wait for it
        return shared

    def close(self) -> None:
        with self._lock:
            if self._sender is not None:
                self._thread(self._release)
                self._thread.close()

    def _release(self) -> None:
        self._sender.releaseSender()
        self._sender = None  # the last reference goes on the thread that made the object
