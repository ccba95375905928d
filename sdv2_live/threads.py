"""Waits with a limit for threads to end: a hung driver or disk never keeps a show from ending."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

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
