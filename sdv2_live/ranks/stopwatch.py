"""The time that a rank's calls take."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from sdv2_live.system.clock import monotonic


class Stopwatch:
    """Adds up calls and their seconds: on a GPU the device's own time, which nothing waits for. Safe from any thread."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._lock = threading.Lock()
        self._calls, self._seconds = 0, 0.0
        self._running: deque[tuple[Any, Any]] = deque()  # events around calls that the device may not have done

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """One call is launched within."""
        if self._device.type == "cuda":
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            yield
            end.record()
            with self._lock:
                self._running.append((begin, end))
            return
        began = monotonic()
        yield
        with self._lock:
            self._calls, self._seconds = self._calls + 1, self._seconds + monotonic() - began

    @property
    def total(self) -> tuple[int, float]:
        """Calls that are done, and their seconds."""
        with self._lock:
            while self._running and self._running[0][1].query():
                begin, end = self._running.popleft()
                self._calls, self._seconds = self._calls + 1, self._seconds + begin.elapsed_time(end) / 1e3
            return self._calls, self._seconds
