"""Waiting for the engine's process: with a machine that stands still, and with a pipe that closes."""

from __future__ import annotations

import multiprocessing
import queue
import threading
from contextlib import suppress

import pytest
from support.waiting import eventually

from sdv2_live.worker.channel import Channel
from sdv2_live.worker.messages import EncodePrompts, Settle
from sdv2_live.worker.process import Answer, awaited


class Queue(queue.SimpleQueue[Answer | None]):
    """Gives nothing to the first `empty` who ask, and notes for how long they would have waited."""

    def __init__(self, empty: int) -> None:
        self.empty, self.asked = empty, [0.0]

    def get(self, block: bool = True, timeout: float | None = None) -> Answer | None:
        assert timeout is not None
        self.asked.append(timeout)
        if len(self.asked) <= self.empty:
            raise queue.Empty
        return "answer", []


def test_a_wait_that_ends_much_later_than_asked_costs_little_patience() -> None:
    """However long the first one really took, as while the machine slept, the answer may still come."""
    assert awaited(Queue(2), 0.5) == ("answer", [])


@pytest.mark.parametrize("seconds", [0.0, 0.03, 0.5, 7.0])
def test_patience_is_what_was_asked_for(seconds: float) -> None:
    answers = Queue(1000)
    with pytest.raises(queue.Empty):
        awaited(answers, seconds)
    assert sum(answers.asked) == pytest.approx(seconds)


def test_a_pipe_closes_when_nobody_is_sending_and_then_refuses() -> None:
    ours, theirs = multiprocessing.Pipe()
    channel, told = Channel(ours), threading.Event()

    def send() -> None:
        with suppress(OSError):
            channel.send(EncodePrompts(("word " * 100_000,)))  # more than a pipe holds: it blocks
        told.set()

    threads = [threading.Thread(target=work, daemon=True) for work in (send, channel.close)]
    threads[0].start()
    eventually("a sender in the midst", channel._sending.locked)
    threads[1].start()
    assert not ours.closed
    theirs.close()  # as when the other process has ended
    eventually("the end of both", lambda: told.is_set() and ours.closed)
    with pytest.raises(OSError, match="closed"):
        channel.send(Settle())
