"""Spout input: receives one sender of this Windows machine, whenever it comes."""

from __future__ import annotations

import logging
from collections.abc import Collection
from fractions import Fraction
from typing import Any

import numpy as np

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import PollingSource
from sdv2_live.io.rate import MeasuredRate
from sdv2_live.io.spout.lib import load, match_sender
from sdv2_live.system.clock import monotonic, monotonic_ns
from sdv2_live.threads import OneThread

log = logging.getLogger("sdv2_live.spout_in")

POLL_S = 0.002  # between two looks for a new picture; Spout itself can only wait for senders that signal, and few do
LOOK_S = 0.2  # how often a sender that is not there is looked for
UNCOUNTED_S = 1 / 60  # a sender that does not count its frames gives one on every look: take so many


class SpoutSource(PollingSource):
    """Pictures of the sender that `pattern` means (see `match_sender`; "" takes the active one).

    The sender may appear later, vanish, return or change its size: `read` returns None meanwhile. The first picture after that is
    black in many senders and skipped. Spout tells no frame rate: it is measured, and rounded to a usual one. Pictures come as
    8-bit RGBA, whatever the sender's own format: the graphics card converts.

    All of Spout runs on this object's own thread; `read`, `close` and `status` may be called from any.
    """

    def __init__(self, pattern: str, *, ignore: Collection[str] = ()) -> None:
        """Start to look for the sender; an absent one is no error.

        Raises:
            VideoError: there is no Spout.
        """
        super().__init__()
        self.name = f"spout:{pattern}"
        self.received = 0
        self._spout = load()
        self._pattern, self._ignore = pattern, tuple(ignore)
        self._sender: str | None = None
        self._pixels: np.ndarray | None = None  # (height, width * 4): the next picture's place
        self._first = True  # of a new connection or size
        self._linked = False
        self._look_at = self._taken_at = 0.0
        self._rate = MeasuredRate(Fraction(60))
        self._thread = OneThread(self.name)
        self._receiver: Any = self._thread(self._spout.SpoutReceiver)

    @property
    def connected(self) -> str | None:
        """Name of the received sender; None while there is none."""
        return self._sender if self._pixels is not None else None

    @property
    def linked(self) -> bool:
        """True when the sender of the newest picture has been there ever since."""
        return self._linked

    @property
    def status(self) -> str:
        """One phrase for the performer."""
        if self._sender is not None:
            return f"{'connected to' if self._pixels is not None else 'waiting for'} '{self._sender}'"
        return f"searching for '{self._pattern}'" if self._pattern else "searching for any Spout sender"

    def _look(self, left: float) -> Frame | None:
        frame = self._thread(self._received)
        if frame is None:
            self._closing.wait(min(POLL_S, max(left, 0.0)))
        return frame

    def _received(self) -> Frame | None:
        """The sender's next picture. The update flag must be read first: until then a receive succeeds and copies nothing."""
        now = monotonic()
        if self._sender is None and not self._find(now):
            return None
        if self._pixels is not None and not self._receiver.isFrameCountEnabled() and now - self._taken_at < UNCOUNTED_S:
            return None
        received = self._receiver.receiveImage(self._pixels, self._spout.enums.GL_RGBA, False, 0)
        if self._receiver.isUpdated():
            self._resize()
            return None
        if not received:
            self._lose()
            return None
        if self._pixels is None or not (self._receiver.isFrameNew() or not self._receiver.isFrameCountEnabled()):
            return None
        self._taken_at = now
        if self._first:
            self._first = False
            return None
        return self._take()

    def _find(self, now: float) -> bool:
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_S
        names, active = self._receiver.getSenderList(), self._receiver.getActiveSender()
        self._sender = match_sender(self._pattern, names, active, self._ignore)
        if self._sender is None:
            return False
        self._receiver.setReceiverName(self._sender)
        return True

    def _resize(self) -> None:
        width, height = self._receiver.getSenderWidth(), self._receiver.getSenderHeight()
        self._first, self._linked = True, False
        if not width or not height:
            self._pixels = None
            return
        self._pixels = np.empty((height, width * 4), np.uint8)
        log.info("receiving from '%s', %dx%d, DXGI format %d", self._sender, width, height, self._receiver.getSenderFormat())

    def _lose(self) -> None:
        if self._pixels is not None:
            log.warning("Spout sender '%s' is gone: looking for it", self._sender)
        self._receiver.releaseReceiver()
        self._sender = self._pixels = None
        self._linked = False

    def _take(self) -> Frame:
        """Return the picture without a copy, and replace its buffer by a new one."""
        captured_ns = monotonic_ns()
        assert self._pixels is not None
        pixels, self._pixels = self._pixels, np.empty_like(self._pixels)
        self._linked = True
        index, self.received = self.received, self.received + 1
        height, width = pixels.shape[0], pixels.shape[1] // 4
        return Frame(pixels, width, height, PixelFormat.RGBX, self._rate.add(captured_ns / 1e9), captured_ns, index)

    def _release(self) -> None:
        if self._receiver is not None:
            self._thread(self._let_go)
            self._thread.close()

    def _let_go(self) -> None:
        self._receiver.releaseReceiver()
        self._receiver = self._sender = self._pixels = None  # the last reference goes on the thread that made the object
