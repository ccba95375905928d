"""Waiting on conditions, with a deadline, in place of sleeping and hoping."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Under Wine, what imports PyTorch takes minutes to start on a busy machine.
DEADLINE_S = 600.0 if sys.platform == "win32" else 60.0  # far more than is needed: only a failure costs it


def eventually(what: str, condition: Callable[[], T], deadline_s: float = DEADLINE_S) -> T:
    """The first true value of `condition`, polled; the test fails when none came before the deadline."""
    until = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < until, f"gave up waiting for {what}"
        time.sleep(0.005)
    return value
