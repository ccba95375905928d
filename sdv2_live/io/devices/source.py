"""A camera or a screen as an input: opened again whenever it comes back, for the whole show."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from sdv2_live.backoff import Backoff
from sdv2_live.errors import DeviceError
from sdv2_live.frame import Frame
from sdv2_live.io.base import Source
from sdv2_live.io.rate import MeasuredRate
from sdv2_live.logs import MENDED, TROUBLE
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.device")

FIRST_S, MOST_S = 0.25, 2.0  # between two looks for a device that is not there
PATIENCE_S = 60.0  # longest wait for a device that gives nothing before it is opened anew
END_S = 0.5  # for a driver to give back its thread


class Capture(Protocol):
    """An open device. One thread reads; `close` is for the same."""

    name: str

    def read(self) -> Frame | None:
        """The next frame, once it is there; None when none came in a while.

        Raises:
            DeviceError: the device is gone.
        """

    def close(self) -> None:
        """Give the device back."""


class DeviceSource(Source):
    """Frames of a device that may come later, be unplugged and plugged in again, or change its size.

    It is read on a thread of its own, since drivers wait inside a read for as long as they like. A read that hangs costs that
    thread: after `silent_s` without a frame, ever more patiently, another one opens the device anew. Only the newest frame is
    kept.

    Args:
        name: for the performer.
        open_capture: opens the device; raises DeviceError while it cannot be had.
        silent_s: seconds.
    """

    def __init__(self, name: str, open_capture: Callable[[], Capture], *, silent_s: float = 5.0) -> None:
        self.name = name
        self.received = 0
        self.dropped = 0  # frames overtaken by a newer one before they were read
        self._open = open_capture
        self._problem = ""
        self._shown = ""  # the open device's name
        self._newest: Frame | None = None
        self._came = threading.Condition()
        self._patience = Backoff(silent_s, PATIENCE_S)
        self._closing = threading.Event()
        self._turn = 0  # of the thread that reads now: one of an earlier turn was left behind
        self._alive_at = monotonic()
        self._thread = self._begin()

    def _begin(self) -> threading.Thread:
        self._turn += 1
        thread = threading.Thread(target=self._run, args=(self._turn,), name=f"device {self.name}", daemon=True)
        thread.start()
        return thread

    @property
    def connected(self) -> str | None:
        """Name of the device whose frames are coming in; None while none come."""
        return self._shown or None

    @property
    def status(self) -> str:
        """One phrase for the performer."""
        return f"connected to '{self._shown}'" if self._shown else self._problem or f"opening {self.name}"

    def read(self, timeout: float) -> Frame | None:
        with self._came:
            self._came.wait_for(lambda: self._newest is not None or self._closing.is_set(), timeout)
            frame, self._newest = self._newest, None
        if frame is None and not self._closing.is_set() and monotonic() - self._alive_at > self._patience.seconds:
            log.warning("%s gives nothing: it is opened anew", self.name)
            self._patience.grow()
            self._alive_at = monotonic()
            self._shown, self._problem = "", f"{self.name} gives nothing"
            self._thread = self._begin()
        return frame

    def close(self) -> None:
        self._closing.set()
        with self._came:
            self._came.notify_all()
        self._thread.join(END_S)  # a driver that waits for its next frame for longer is left to it

    def _run(self, turn: int) -> None:
        pause = Backoff(FIRST_S, MOST_S)
        while self._mine(turn):
            try:
                self._read_on(turn, pause)
            except DeviceError as error:
                self._gone(turn, str(error))
            except Exception:  # the thread's top: the show goes on without this device
                log.exception("%s could not be read; it is opened anew", self.name)
                self._gone(turn, f"{self.name} could not be read")
            self._closing.wait(pause.seconds)
            pause.grow()

    def _mine(self, turn: int) -> bool:
        return turn == self._turn and not self._closing.is_set()

    def _read_on(self, turn: int, pause: Backoff) -> None:
        """Read the device until it is gone or this thread is wanted no more."""
        capture = self._open()
        try:
            rate: MeasuredRate | None = None
            while self._mine(turn):
                frame = capture.read()
                if frame is None:
                    continue
                rate = rate or MeasuredRate(frame.rate)
                frame = replace(frame, rate=rate.add(frame.captured_ns / 1e9), index=self.received)
                if not self._mine(turn):
                    return
                self._take(capture.name, frame)
                pause.reset()
        finally:
            capture.close()

    def _take(self, name: str, frame: Frame) -> None:
        self._alive_at = monotonic()
        if not self._shown:
            self._shown, self._problem = name, ""
            self._patience.reset()
            log.info(
                "%s, %dx%d %s at %.4g fps",
                self.status, frame.width, frame.height, frame.format.value, float(frame.rate),
                extra={MENDED: self.name},
            )  # fmt: skip
        with self._came:
            self.dropped += self._newest is not None
            self.received += 1
            self._newest = frame
            self._came.notify_all()

    def _gone(self, turn: int, problem: str) -> None:
        """Tell it, once."""
        if not self._mine(turn):
            return
        self._alive_at = monotonic()  # it answers
        if problem != self._problem:
            log.warning("%s; it is looked for all the time", problem, extra={TROUBLE: self.name})
        self._shown, self._problem = "", problem
