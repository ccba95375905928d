"""The show's end of one outlet's process."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable

import numpy as np

from sdv2_live.errors import DeviceError
from sdv2_live.frame import Frame
from sdv2_live.io.outlets.wire import AT, DONE, HELLO, PICTURE, PROBLEM, SEGMENT, Outlet, serve, shape_of
from sdv2_live.system.process import ends_with_this, how_it_ended, uninterrupted
from sdv2_live.system.shm import BufferPool

PLACES = 3  # of pictures: one is shown, one waits, one is written
OPEN_S = 10.0  # a cold disk, and a driver that looks for its devices
END_S = 1.0  # for a process whose pipe has ended to say how
KILLED_S = 0.3  # for one that was killed to be gone; its drivers' threads may take longer, and nobody waits for them


class ClosedByHandError(DeviceError):
    """Somebody has closed the outlet; it is not opened again."""


class OutletProcess:
    """Starts a process that shows pictures. One thread calls `show`, one other `wait`, and `close` either.

    Args:
        opener: makes the outlet, in that process; a module's function or class.
        target: what it is to open.

    Raises:
        DeviceError: it cannot be opened.
    """

    def __init__(self, opener: Callable[[str], Outlet], target: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, opener, target), name=f"outlet {target}", daemon=True)
        with uninterrupted():
            self._process.start()
        ends_with_this(self._process.pid or 0)
        theirs.close()
        self._pool, self._number = BufferPool(0, 0), 0
        try:
            if not self._ours.poll(OPEN_S):
                raise DeviceError(f"it does not open within {OPEN_S:g} s: its driver hangs; restart the machine")
            self.name = json.loads(self._said(HELLO))["name"]
        except DeviceError:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid or 0

    @property
    def lent(self) -> int:
        """Pictures that the process has and has not given back."""
        return self._pool.lent

    def show(self, frame: Frame) -> bool:
        """Pass a picture on. False when the process has as many as it may have. Never waits."""
        try:
            if frame.data.nbytes > self._pool.size:
                self._share(frame.data.nbytes)
            for offset in self._pool.acquire(1):
                np.copyto(self._pool.segment.rows(offset, frame.height, frame.stride), frame.data)
                self._ours.send_bytes(PICTURE + AT.pack(self._number, offset) + shape_of(frame))
                return True
        except OSError:
            pass  # it has ended, as `wait` tells
        return False

    def _share(self, size: int) -> None:
        self._pool, self._number = BufferPool(PLACES, size), self._number + 1
        segment = self._pool.segment
        about = {"number": self._number, "size": segment.size, "name": segment.name}
        self._ours.send_bytes(SEGMENT + json.dumps(about).encode())
        segment.send(self._ours)

    def wait(self, seconds: float) -> bool:
        """Wait for a picture to have been shown, so long at most. Raises DeviceError when the process ends."""
        if not self._ours.poll(seconds):
            return False
        number, offset = AT.unpack(self._said(DONE))
        if number == self._number:
            self._pool.release(offset)
        return True

    def _said(self, kind: bytes) -> bytes:
        try:
            said = self._ours.recv_bytes()
        except (EOFError, OSError) as error:
            self._process.join(END_S)
            how = how_it_ended(self._process.exitcode)
            raise DeviceError(f"its device is gone, or its driver has crashed (its process {how})") from error
        if said[:1] == PROBLEM:
            about = json.loads(said[1:])
            if "closed" in about:
                raise ClosedByHandError("it was closed by hand; start the show again to have it back")
            raise DeviceError(about["problem"])
        assert said[:1] == kind
        return said[1:]

    def close(self) -> None:
        """End the process. Idempotent."""
        if self._process.is_alive():
            self._process.kill()  # no driver is waited for
        self._process.join(KILLED_S)
        self._ours.close()
