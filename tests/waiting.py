"""Waiting on conditions, with a deadline, in place of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 60.0  # far more than a busy machine needs: it costs time only where a test fails


def eventually(what: str, condition: Callable[[], T], deadline_s: float = DEADLINE_S) -> T:
    """The first true value of `condition`, polled; the test fails when none came before the deadline."""
    until = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < until, f"gave up waiting for {what}"
        time.sleep(0.005)
    return value
