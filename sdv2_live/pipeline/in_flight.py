"""Chunks that are being painted while the loop gets the next one ready."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from sdv2_live.stats import Fill
from sdv2_live.threads import ended

AHEAD = 2  # chunks in flight at most: one is finished while the next is begun

Chunk = TypeVar("Chunk")


class Flight(Generic[Chunk]):
    """Hands every chunk on in the order in which they were launched, on a thread of its own. One thread launches.

    finish: waits for a chunk and hands it on. drop: waits for one that began on what a failed one left, and throws it away.
    """

    def __init__(self, finish: Callable[[Chunk], None], drop: Callable[[Chunk], object]) -> None:
        self._finish, self._drop = finish, drop
        self._changed = threading.Condition()
        self._chunks: deque[Chunk] = deque()  # the first is being waited for
        self._failure: Exception | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine-flight", daemon=True)

    @property
    def fill(self) -> Fill:
        """How many are in flight."""
        return Fill(len(self._chunks), AHEAD)

    def add(self, chunk: Chunk) -> None:
        """Take over a chunk that was launched."""
        with self._changed:
            self._chunks.append(chunk)
            self._changed.notify_all()
        if not self._thread.is_alive():
            self._thread.start()

    def room(self, timeout: float) -> bool:
        """Wait until one more may be launched; False when `timeout` seconds were not enough. Raises what a chunk failed with."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._chunks) < AHEAD or self._failure is not None, timeout)
            if self._failure is None:
                return len(self._chunks) < AHEAD
        self.land()
        return True

    def land(self) -> None:
        """Wait until all are done. Raises what one failed with, once."""
        with self._changed:
            self._changed.wait_for(lambda: not self._chunks)
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def clear(self) -> None:
        """Wait until all are done. What one failed with is forgotten: that something has failed is known already."""
        with self._changed:
            self._changed.wait_for(lambda: not self._chunks)
            self._failure = None

    def close(self) -> None:
        """Hand on what is in flight, and end. What fails now is nobody's concern any more. Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        ended(self._thread)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._chunks or self._closing)
                if not self._chunks:
                    return
                chunk, failed = self._chunks[0], self._failure is not None
            try:
                (self._drop if failed else self._finish)(chunk)
            except Exception as error:  # noqa: BLE001 (the thread's top; raised again where chunks are launched)
                self._failure = self._failure or error
            with self._changed:
                self._chunks.popleft()
                self._changed.notify_all()
