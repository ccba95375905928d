"""The playback clock of stored or drawn pictures."""

from __future__ import annotations

import threading

from sdv2_live.system.clock import monotonic

LATE_S = 1.0  # later than this, playback goes on from now instead of hurrying after its own past


class PlaybackClock:
    """Maps stream time to real time. `interrupt` ends every wait, from any thread."""

    def __init__(self) -> None:
        self._zero: float | None = None  # the monotonic second at which stream time 0 was due
        self._stop = threading.Event()

    def wait(self, due_s: float, timeout: float) -> bool:
        """True once stream second `due_s` has come; False when it has not within `timeout` seconds."""
        now = monotonic()
        if self._zero is None or now - self._zero - due_s > LATE_S:
            self._zero = now - due_s
        left = self._zero + due_s - now
        if left <= 0:
            return not self._stop.is_set()
        return not self._stop.wait(min(left, max(timeout, 0.0))) and left <= timeout

    def interrupt(self) -> None:
        self._stop.set()
