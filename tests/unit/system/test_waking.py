"""Waits that another thread can end."""

from __future__ import annotations

import threading

import pytest

from sdv2_live.system.clock import monotonic
from sdv2_live.system.waking import waker


def test_a_wait_ends_at_its_time_or_when_it_is_set() -> None:
    news = waker()
    begun = monotonic()
    assert not news.wait(0.05)
    assert monotonic() - begun >= 0.045
    news.set()
    assert news.wait(60)
    assert news.wait(), "it stays set"
    news.clear()
    assert not news.wait(0)


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_another_thread_ends_it(timeout: float | None) -> None:
    news, waiting = waker(), threading.Event()
    ended: list[bool] = []

    def wait() -> None:
        waiting.set()
        ended.append(news.wait(timeout))

    thread = threading.Thread(target=wait)
    thread.start()
    assert waiting.wait(60)
    news.set()
    thread.join(60)
    assert ended == [True]
