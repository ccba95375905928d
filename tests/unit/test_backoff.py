"""Waits that double."""

from __future__ import annotations

from sdv2_live.backoff import LONGEST, Backoff


def waits(backoff: Backoff, count: int) -> list[float]:
    found = []
    for _ in range(count):
        found.append(backoff.seconds)
        backoff.grow()
    return found


def test_a_wait_doubles_up_to_the_longest_and_begins_again() -> None:
    backoff = Backoff(0.5)
    assert waits(backoff, 8) == [0.5, 1, 2, 4, 8, 16, 16, 16]
    assert backoff.seconds == LONGEST * 0.5
    backoff.reset()
    assert waits(backoff, 2) == [0.5, 1]


def test_the_longest_may_be_said() -> None:
    assert waits(Backoff(3.0, 10.0), 4) == [3, 6, 10, 10]
