"""Waiting for threads to end, and not for ever: what hangs in a driver or a disk shall not keep a show from ending."""

from __future__ import annotations

import logging
import threading

log = logging.getLogger("sdv2_live.threads")

END_S = 10.0  # more than a busy machine needs for what has nothing to write any more


def ended(thread: threading.Thread, within_s: float = END_S) -> bool:
    """Wait for a thread to end, if it was started. Says so where it does not: it is left behind."""
    if thread.is_alive():
        thread.join(within_s)
    if thread.is_alive():
        log.error("the thread '%s' did not end within %g s; it is left behind", thread.name, within_s)
    return not thread.is_alive()
