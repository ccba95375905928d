"""The token bucket that keeps log lines and replies within limits."""

from __future__ import annotations

from sdv2_live.control.throttle import Throttle


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
