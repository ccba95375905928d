"""An output in a process of its own, which is started again when it ends or hangs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

from sdv2_live.backoff import Backoff
from sdv2_live.errors import DeviceError
from sdv2_live.frame import Frame
from sdv2_live.io.base import Sink
from sdv2_live.io.outlets.process import ClosedByHandError, OutletProcess
from sdv2_live.io.outlets.wire import Outlet
from sdv2_live.logs import MENDED, TROUBLE
from sdv2_live.system.clock import monotonic
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.outlet")

FIRST_S, MOST_S = 0.5, 10.0  # between two starts of the process
HANG_S = 5.0  # a picture that takes longer hangs
LOOK_S = 0.1


class OutletSink(Sink):
    """Shows the newest frame in another process. `send` copies the frame once and never waits.

    Args:
        name: as the performer wrote it.
        opener: makes the outlet, in its process.
        target: what it is to open.
        hang_s: a picture that takes longer hangs.

    Raises:
        DeviceError: it cannot be opened.
    """

    def __init__(self, name: str, opener: Callable[[str], Outlet], target: str, *, hang_s: float = HANG_S) -> None:
        self.name = name
        self._start = partial(OutletProcess, opener, target)
        self._hang_s = hang_s
        self._dropped = self._failures = 0
        self._trouble = ""
        self._pause = Backoff(FIRST_S, MOST_S)
        self._lock = threading.Lock()  # a frame is passed on, or the process replaced
        self._closing = threading.Event()
        self._process: OutletProcess | None = self._start()
        self.full_name = self._process.name
        self._thread = threading.Thread(target=self._run, name=f"outlet {name}", daemon=True)
        self._thread.start()
        log.info("%s shows the picture on %s", name, self.full_name)

    @property
    def trouble(self) -> str:
        return self._trouble

    @property
    def dropped(self) -> int:
        return self._dropped

    @property
    def failures(self) -> int:
        return self._failures

    @property
    def watched(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        """The number of its process; 0 while there is none."""
        process = self._process
        return process.pid if process is not None else 0

    def send(self, frame: Frame) -> None:
        """Pass one frame on; one for which there is no room is left out. Does nothing while the outlet is away."""
        with self._lock:
            if self._process is not None and not self._process.show(frame):
                self._dropped += 1

    def close(self) -> None:
        self._closing.set()
        ended(self._thread)
        self._let_go()

    def _let_go(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:  # outside the lock: a process may take its time to end, and no frame waits for it
            process.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._watch()
            except ClosedByHandError as error:
                self._fail(error)
                return
            except Exception as error:  # the thread's top: the other outputs go on
                if not isinstance(error, DeviceError):
                    log.exception("%s failed", self.name)
                self._fail(error)

    def _watch(self) -> None:
        """Start the process when its time has come, and watch it show pictures until it ends."""
        if self._process is None:
            if self._closing.wait(self._pause.seconds):
                return
            process = self._start()
            with self._lock:
                self._process = process
        process, shown_at = self._process, monotonic()
        while not self._closing.is_set():
            if process.wait(min(LOOK_S, self._hang_s)):
                shown_at = monotonic()
                self._mend()
            elif not process.lent:
                shown_at = monotonic()
            elif monotonic() - shown_at > self._hang_s:
                raise DeviceError(f"it has shown no picture for {self._hang_s:g} s")

    def _mend(self) -> None:
        self._pause.reset()
        if self._trouble:
            self._trouble = ""
            log.info("%s shows the picture again", self.name, extra={MENDED: self.name})

    def _fail(self, error: Exception) -> None:
        if str(error) != self._trouble:
            self._trouble = str(error)
            again = "" if isinstance(error, ClosedByHandError) else "; it is opened again and again"
            log.warning("%s: %s%s; the show goes on", self.name, error, again, extra={TROUBLE: self.name})
        self._failures += 1
        self._pause.grow()
        self._let_go()
