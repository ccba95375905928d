"""The token bucket that keeps log lines and replies within limits."""

from __future__ import annotations

from sdv2_live.control.throttle import Repeats, Throttle, Throttles


def test_burst_then_rate() -> None:
    now = [0.0]
    throttle = Throttle(rate=2, burst=3, clock=lambda: now[0])
    assert [throttle.allow() for _ in range(5)] == [True, True, True, False, False]
    assert not throttle.open
    now[0] += 0.5
    assert throttle.open
    assert throttle.open  # asking uses nothing up
    assert [throttle.allow(), throttle.allow()] == [True, False]
    assert throttle.take_suppressed() == 3
    assert throttle.take_suppressed() == 0
    now[0] += 100
    assert [throttle.allow() for _ in range(4)] == [True, True, True, False]


def test_each_name_has_its_own_and_the_one_asked_for_longest_ago_is_forgotten() -> None:
    throttles = Throttles(rate=1, burst=1, most=2, clock=lambda: 0.0)
    assert [throttles.of(name).allow() for name in ("a", "a", "b", "b")] == [True, False, True, False]
    assert [throttles.of(name).allow() for name in ("c", "b", "a")] == [True, False, True]


def test_the_first_of_a_kind_is_told_and_then_one_a_period_with_their_number() -> None:
    now = [0.0]
    repeats = Repeats(10, clock=lambda: now[0])
    told = []
    for _ in range(700):
        told.append(repeats.due("x"))
        now[0] += 1 / 32
    assert [quiet for quiet in told if quiet is not None] == [0, 319, 319]
    assert repeats.due("y") == 0
