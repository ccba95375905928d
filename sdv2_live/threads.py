"""Waits with a limit for threads to end: a hung driver or disk never keeps a show from ending."""

from __future__ import annotations

import logging
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

log = logging.getLogger("sdv2_live.threads")

END_S = 10.0  # more than a busy machine needs for what has nothing to write any more
WRITE_S = 30.0  # a file whose last pictures take longer is never finished

T = TypeVar("T")


def ended(thread: threading.Thread, *, writes: bool = False) -> bool:
    """Wait until a thread has ended: END_S at most, or WRITE_S if it `writes` pictures. Returns True when it has.

    A thread that has not ended is named in the log and left behind. Its resources must be left open: it may still use them.
    """
    within_s = WRITE_S if writes else END_S
    if thread.is_alive():
        thread.join(within_s)
    if thread.is_alive():
        log.error("the thread '%s' did not end within %g s; it is left behind", thread.name, within_s)
    return not thread.is_alive()


def closed(name: str, close: Callable[[], None], *, writes: bool = False) -> bool:
    """Call `close` on a thread named `name` and wait as `ended` does. Returns True when it has ended; raises its exception."""
    thread, done = started(name, close)
    if not ended(thread, writes=writes):
        return False
    done.result()
    return True


def started(name: str, work: Callable[[], T]) -> tuple[threading.Thread, Future[T]]:
    """Start a thread that does the work and ends. Returns it, and the future of its result."""
    done: Future[T] = Future()
    thread = threading.Thread(target=fulfil, args=(done, work), name=name, daemon=True)
    thread.start()
    return thread, done


def fulfil(done: Future[T], work: Callable[[], T]) -> None:
    """Do the work and set its result, or its exception, on the future `done`."""
    try:
        done.set_result(work())
    except BaseException as error:  # noqa: BLE001 (raised again where the result is waited for)
        done.set_exception(error)


class OneThread:
    """Makes every call on one and the same thread, one after the other.

    No executor of the standard library: the interpreter waits for its threads at the end, for ever where a driver hangs.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=_run, args=(self._calls,), name=name, daemon=True)
        self._thread.start()
        weakref.finalize(self, self._calls.put, None)

    def submit(self, call: Callable[..., T], *arguments: Any) -> Future[T]:
        """Make the call there, after all others. Returns its result to come. Not after `close`."""
        done: Future[T] = Future()
        self._calls.put(partial(fulfil, done, partial(call, *arguments)))
        return done

    def __call__(self, call: Callable[..., T], *arguments: Any) -> T:
        """Make the call there and wait for it."""
        return self.submit(call, *arguments).result()

    @property
    def waiting(self) -> int:
        """Calls that have not begun."""
        return self._calls.qsize()

    def close(self) -> None:
        """End the thread, after all calls. Idempotent."""
        self._calls.put(None)
        ended(self._thread)


def _run(calls: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # nothing is kept alive while the thread waits for the next
