"""Ctrl-C, SIGTERM and closed windows, for commands that run until they are stopped."""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from sdv2_live.system.console import STOPS, on_stop

log = logging.getLogger("sdv2_live.stopping")

ASKED = b"\0"  # no signal's number

LAST_WORD_S = 0.1  # for the log, which may be what waits: a terminal that nobody reads takes nothing any more


class Stop:
    """A request to stop, like `threading.Event` but fit for signal handlers.

    A handler runs on the main thread, between two of its instructions. In the middle of `Event.wait`, the handler's `Event.set`
    would wait for ever for the lock that its own thread holds. `SimpleQueue.put` is reentrant (Python library reference,
    `queue`).
    """

    def __init__(self) -> None:
        self._wishes: queue.SimpleQueue[None] = queue.SimpleQueue()

    @classmethod
    def on_signals(cls, within: float | None = None) -> Self:
        """A stop that is set by everything that asks a program to stop, from now on. Call it on the main thread.

        Args:
            within: seconds after a signal in which the process ends, even if something in it hangs.
        """
        stop = cls()
        told: socket.socket | None = None

        def wish(*_: object) -> None:
            stop.set()
            if told is not None:
                with suppress(BlockingIOError):  # it was told often enough
                    told.send(ASKED)

        if within is not None:
            heard, told = socket.socketpair()
            told.setblocking(False)
            # The interpreter tells of a signal there at once; handlers run only when the main thread gets to them.
            signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
            threading.Thread(target=_insist, args=(heard, wish, within), name="stop", daemon=True).start()
        for number in STOPS:
            signal.signal(number, wish)
        on_stop(wish)
        return stop

    def set(self) -> None:
        """Request the stop. Safe from a signal handler or any thread."""
        self._wishes.put(None)

    def is_set(self) -> bool:
        """True when a stop was requested."""
        return not self._wishes.empty()

    def wait(self, timeout: float) -> bool:
        """Wait for it, `timeout` seconds at most, on one thread only. True when it is set."""
        with suppress(queue.Empty):
            self._wishes.get(timeout=max(timeout, 0.0))
            self.set()  # it stays set
        return self.is_set()


def _insist(heard: socket.socket, wish: Callable[..., None], within: float) -> None:
    """End the process `within` seconds after the first request, or signal that `wish` handles."""
    while (number := heard.recv(1)[0]) != ASKED[0] and not (number in STOPS and signal.getsignal(number) is wish):
        pass
    time.sleep(max(within - LAST_WORD_S, 0.0))
    busy = ", ".join(thread.name for thread in threading.enumerate() if thread is not threading.current_thread())
    words = ("it did not end within %g s of the signal, and ends now without waiting for: %s", within, busy)
    last_word = threading.Thread(target=log.error, args=words, daemon=True)
    last_word.start()
    last_word.join(LAST_WORD_S)
    os._exit(0)  # as asked: whoever starts failed programs again shall not start this one
