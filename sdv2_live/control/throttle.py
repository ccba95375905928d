"""Limits on how often something may happen: log lines and replies that a stuck controller could otherwise multiply."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable


class Throttle:
    """A token bucket: `burst` at once, then `rate` a second. Not thread-safe."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._last = clock()
        self.suppressed = 0  # since the last time one was let through

    @property
    def open(self) -> bool:
        """Whether one more may happen now; asking uses nothing up."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._last) * self._rate)
        self._last = now
        return self._tokens >= 1

    def allow(self) -> bool:
        """Whether one more may happen now; if so, it has."""
        if not self.open:
            self.suppressed += 1
            return False
        self._tokens -= 1
        return True

    def take_suppressed(self) -> int:
        """How many were held back since this was last asked."""
        count, self.suppressed = self.suppressed, 0
        return count


class ThrottledLog:
    """Warnings that others can cause: a few at once, then one in five seconds, with the number of those not shown."""

    def __init__(self, log: logging.Logger, rate: float = 0.2, burst: int = 5) -> None:
        self._log = log
        self._throttle = Throttle(rate, burst)

    def warning(self, text: str, *args: object) -> None:
        """Log it, unless there were too many."""
        if self._throttle.allow():
            more = self._throttle.take_suppressed()
            self._log.warning(text + (f" ({more} more not shown)" if more else ""), *args)
