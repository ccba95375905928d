"""Ctrl-C and SIGTERM, for commands that run until they are stopped."""

from __future__ import annotations

import queue
import signal
from contextlib import suppress
from types import FrameType
from typing import Self


class Stop:
    """A wish to stop, as `threading.Event` but fit for signal handlers.

    A handler runs on the main thread, between two of its instructions. Where these are in the midst of `Event.wait`, the
    handler's `Event.set` waits for ever for the lock that its own thread holds. `SimpleQueue.put` is reentrant (Python
    library reference, `queue`).
    """

    def __init__(self) -> None:
        self._wishes: queue.SimpleQueue[None] = queue.SimpleQueue()

    @classmethod
    def on_signals(cls) -> Self:
        """One that SIGINT and SIGTERM set from now on. Call it on the main thread."""
        stop = cls()

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, on_signal)
        return stop

    def set(self) -> None:
        """Wish to stop. From a signal handler or any thread."""
        self._wishes.put(None)

    def is_set(self) -> bool:
        """Whether somebody wishes to stop."""
        return not self._wishes.empty()

    def wait(self, timeout: float) -> bool:
        """Wait for it, `timeout` seconds at most, on one thread only. Whether it is set."""
        with suppress(queue.Empty):
            self._wishes.get(timeout=max(timeout, 0.0))
            self.set()  # it stays set
        return self.is_set()
