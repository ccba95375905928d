"""Rate limits for log lines and replies, which a stuck controller could otherwise multiply."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache

from sdv2_live.system.clock import monotonic


class Throttle:
    """A token bucket: `burst` at once, then `rate` a second. Not thread-safe."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._last = clock()
        self.suppressed = 0  # since the last time one was let through

    @property
    def open(self) -> bool:
        """True when one more event may happen now. Reading it uses no token."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._last) * self._rate)
        self._last = now
        return self._tokens >= 1

    def allow(self, worth: int = 1) -> bool:
        """Take `worth` tokens, or return False when none is left. It may take more than are left; the debt is paid off first."""
        if not self.open:
            self.suppressed += 1
            return False
        self._tokens -= worth
        return True

    def take_suppressed(self) -> int:
        """The number of events suppressed since the last call."""
        count, self.suppressed = self.suppressed, 0
        return count


class ThrottledLog:
    """Logs warnings that others can cause: a few at once, then one in five seconds, with the number of those not shown."""

    def __init__(self, log: logging.Logger, rate: float = 0.2, burst: int = 5) -> None:
        self._log = log
        self._throttle = Throttle(rate, burst)

    def warning(self, text: str, *args: object) -> None:
        """Log a warning, unless there were too many."""
        if self._throttle.allow():
            more = self._throttle.take_suppressed()
            self._log.warning(text + (f" ({more} more not shown)" if more else ""), *args)


class Throttles:
    """A `Throttle` for each name. Beyond `most` the least recently used is forgotten, and would begin full again."""

    def __init__(self, rate: float, burst: int, most: int = 256, clock: Callable[[], float] = monotonic) -> None:
        self.of = lru_cache(maxsize=most)(lambda name: Throttle(rate, burst, clock))


class Repeats:
    """Keeps repeated events from filling a log: of each kind the first is told, then one every `period_s`."""

    def __init__(self, period_s: float, most: int = 256, clock: Callable[[], float] = monotonic) -> None:
        self._period_s = period_s
        self._clock = clock
        self._last_of = lru_cache(maxsize=most)(lambda kind: _Last())

    def due(self, kind: Hashable) -> int | None:
        """The number of events of this kind suppressed since the last one told; None to suppress this one too."""
        last, now = self._last_of(kind), self._clock()
        if now - last.told < self._period_s:
            last.quiet += 1
            return None
        last.told, quiet = now, last.quiet
        last.quiet = 0
        return quiet


@dataclass(slots=True)
class _Last:
    told: float = -math.inf
    quiet: int = 0
