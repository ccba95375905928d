"""A sender that floods is read by itself, and what it has dropped is its own."""

from __future__ import annotations

import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from sdv2_live.control.osc.flood_sockets import IDLE, MOST, Aside
from sdv2_live.control.osc.sockets import bind_osc
from sdv2_live.errors import ConfigError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells such sockets apart")


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::1", "::"])
def udp(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with bind_osc(request.param, 0, tcp=False)[0] as udp:
        yield udp


def sender_to(udp: socket.socket, stack: ExitStack) -> socket.socket:
    sender = stack.enter_context(socket.socket(udp.family, socket.SOCK_DGRAM))
    home = "::1" if udp.family is socket.AF_INET6 else "127.0.0.1"
    sender.bind((home, 0))
    sender.connect((home, udp.getsockname()[1]))
    return sender


def waiting(udp: socket.socket) -> Counter[int]:
    """What waits in the common socket: how many datagrams of each port."""
    ports: Counter[int] = Counter()
    with suppress(BlockingIOError):
        while True:
            ports[udp.recvfrom(100)[1][1]] += 1
    return ports


def test_a_flood_leaves_room_for_others_and_ends(udp: socket.socket) -> None:
    with ExitStack() as stack:
        flood, hand = sender_to(udp, stack), sender_to(udp, stack)
        flood_port, hand_port = flood.getsockname()[1], hand.getsockname()[1]
        aside = Aside(udp)
        stack.callback(aside.close)
        aside.put(flood.getsockname())
        for _ in range(20_000):
            with suppress(OSError):
                flood.send(b"x" * 60)
        hand.send(b"y")
        assert waiting(udp) == {hand_port: 1}
        taken: list[object] = []
        aside.read(100, lambda data, sender: taken.append(sender[1]))
        assert taken
        assert set(taken) == {flood_port}
        while len(aside):
            before = len(taken)
            for _ in range(IDLE + 1):
                aside.read(100, lambda data, sender: taken.append(sender[1]))
            assert len(taken) > before or not len(aside)
        flood.send(b"x")
        assert waiting(udp) == {flood_port: 1}


def test_the_port_stays_this_programs_alone(udp: socket.socket) -> None:
    with ExitStack() as stack:
        aside = Aside(udp)
        stack.callback(aside.close)
        for _ in range(MOST + 2):
            aside.put(sender_to(udp, stack).getsockname())
        assert len(aside) == MOST
        with pytest.raises(ConfigError, match="is in use by another program"):
            bind_osc(*udp.getsockname()[:2], tcp=False)
