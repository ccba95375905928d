"""The clock, and waits."""

from __future__ import annotations

import threading
import time

from sdv2_live.system.clock import fine_timers, monotonic, monotonic_ns


def test_the_clock_moves_between_two_frames() -> None:
    """time.monotonic does not on Windows, before Python 3.13."""
    assert time.get_clock_info("perf_counter").resolution < 1e-4
    seen = {monotonic_ns()}
    end = time.time() + 5
    while len(seen) < 100 and time.time() < end:
        seen.add(monotonic_ns())
    assert len(seen) == 100
    assert max(seen) - min(seen) < 5e9
    assert abs(monotonic() - monotonic_ns() / 1e9) < 5


def test_waits_last_as_long_as_they_shall() -> None:
    with fine_timers():
        begin = monotonic()
        threading.Event().wait(0.02)
        assert monotonic() - begin >= 0.019
