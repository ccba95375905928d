"""Requests to the engine's process that wait for their answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from sdv2_live.system.clock import monotonic
from sdv2_live.worker.deadlines import Deadline
from sdv2_live.worker.messages import Answer

POLL_S = 0.1  # between two looks at the time

T = TypeVar("T")
Read = Callable[[Answer, Sequence[np.ndarray]], T]  # makes the result of an answer and the rows that followed it


@dataclass(slots=True)
class Asked:
    """A request that waits for its answer.

    Attributes:
        waited_s: seconds since its turn came.
    """

    kind: str
    deadline: Deadline
    read: Read[Any]
    result: Future[Any] = field(default_factory=Future)
    waited_s: float = 0.0


class Pending:
    """Requests that wait for their answers: those of one kind are answered in the order of the requests.

    Time in which this process did not run, such as the machine's sleep, does not count as delay.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._watched_at = clock()
        self._lock = threading.Lock()
        self._asked: list[Asked] = []
        self._error: Callable[[], Exception] | None = None  # why nothing is answered any more

    def __len__(self) -> int:
        return len(self._asked)

    def add(self, kind: str, deadline: Deadline, read: Read[T]) -> Future[T]:
        """Register a request before it is sent, and return the future of its result."""
        asked = Asked(kind, deadline, read)
        with self._lock:
            if self._error is None:
                self._asked.append(asked)
                return asked.result
        asked.result.set_exception(self._error())
        return asked.result

    def pop(self, kind: str) -> Asked | None:
        """The request that an answer of this kind belongs to; None when it is no longer awaited."""
        with self._lock:
            found = self._first(kind)
            if found is not None:
                self._asked.remove(found)
            return found

    def extend(self, kind: str, deadline: Deadline) -> None:
        """Give the request that is next of this kind another deadline, which begins now."""
        with self._lock:
            found = self._first(kind)
            if found is not None:
                found.deadline, found.waited_s = deadline, 0.0

    def _first(self, kind: str) -> Asked | None:
        return next((asked for asked in self._asked if asked.kind == kind), None)

    def watch(self) -> str:
        """Count the time since the last call; to be called every POLL_S. Returns what took too long, in words, or ""."""
        now = self._clock()
        passed, self._watched_at = min(now - self._watched_at, POLL_S), now
        with self._lock:
            turns = {asked.kind: asked for asked in reversed(self._asked)}
        for asked in turns.values():
            asked.waited_s += passed
            if asked.waited_s >= asked.deadline.within_s:
                return f"no answer to '{asked.kind}' within {asked.deadline.within_s:.3g} s"
            if asked.waited_s >= asked.deadline.late_s:
                asked.deadline.on_late()
        return ""

    def wait(self, timeout: float) -> None:
        """Wait until every request is answered, at most `timeout` seconds."""
        with self._lock:
            results = [asked.result for asked in self._asked]
        wait(results, timeout)

    def fail(self, error: Callable[[], Exception]) -> None:
        """Fail all waiting requests, and all future ones."""
        with self._lock:
            self._error = error
            asked, self._asked = self._asked, []
        for one in asked:
            one.result.set_exception(error())
