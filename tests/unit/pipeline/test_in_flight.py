"""Chunks in flight: handed on in order, two at most; what follows a failed one is waited for and thrown away."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from support.waiting import eventually

from sdv2_live.pipeline.in_flight import AHEAD, Flight


class Chunks:
    """Chunks are numbers. They are done when told; `broken` ones fail."""

    def __init__(self) -> None:
        self.flight: Flight[int] = Flight(self._finish, self._drop)
        self.finished: list[int] = []
        self.dropped: list[int] = []
        self.broken: set[int] = set()
        self.done = threading.Semaphore(0)

    def _finish(self, chunk: int) -> None:
        self._wait(chunk)
        self.finished.append(chunk)

    def _drop(self, chunk: int) -> None:
        self.dropped.append(chunk)
        self._wait(chunk)

    def _wait(self, chunk: int) -> None:
        assert self.done.acquire(timeout=30)
        if chunk in self.broken:
            raise RuntimeError(f"chunk {chunk}")


@pytest.fixture
def chunks() -> Iterator[Chunks]:
    chunks = Chunks()
    yield chunks
    chunks.done.release(100)
    chunks.flight.close()


def test_order_is_kept_and_no_more_than_two_are_launched(chunks: Chunks) -> None:
    for number in range(20):
        if not chunks.flight.room(0):
            assert number - len(chunks.finished) == AHEAD
            chunks.done.release()
            assert chunks.flight.room(30)
        chunks.flight.add(number)
    chunks.done.release(AHEAD)
    chunks.flight.land()
    assert chunks.finished == list(range(20))


def test_what_follows_a_failed_chunk_is_dropped_and_the_failure_told_once(chunks: Chunks) -> None:
    chunks.broken = {1, 2}
    for number in (0, 1):
        chunks.flight.add(number)
    chunks.done.release()
    assert chunks.flight.room(30)
    chunks.flight.add(2)
    chunks.done.release(2)
    with pytest.raises(RuntimeError, match="chunk 1"):
        chunks.flight.land()
    assert (chunks.finished, chunks.dropped) == ([0], [2])
    chunks.flight.land()
    chunks.flight.add(3)
    chunks.done.release()
    chunks.flight.land()
    assert chunks.finished == [0, 3]


def test_a_failure_is_told_as_soon_as_nothing_is_in_flight_any_more(chunks: Chunks) -> None:
    chunks.broken = {0}
    for number in (0, 1):
        chunks.flight.add(number)
    chunks.done.release()
    eventually("the failure", lambda: chunks.dropped == [1])
    chunks.done.release()
    with pytest.raises(RuntimeError, match="chunk 0"):
        chunks.flight.room(30)
    assert chunks.flight.room(0)


def test_clearing_waits_and_forgets(chunks: Chunks) -> None:
    chunks.broken = {0}
    for number in (0, 1):
        chunks.flight.add(number)
    chunks.done.release(2)
    chunks.flight.clear()
    chunks.flight.land()
    assert chunks.dropped == [1]


def test_closing_hands_on_what_is_in_flight(chunks: Chunks) -> None:
    for number in (0, 1):
        chunks.flight.add(number)
    chunks.done.release(2)
    chunks.flight.close()
    chunks.flight.close()
    assert chunks.finished == [0, 1]
