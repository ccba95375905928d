"""A pipe to the engine's process that closes while somebody sends."""

from __future__ import annotations

import multiprocessing
import threading
from contextlib import suppress

import pytest
from support.waiting import eventually

from sdv2_live.worker.channel import Channel
from sdv2_live.worker.messages import EncodePrompts, Settle


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
