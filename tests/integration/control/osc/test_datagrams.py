"""Reading UDP."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from sdv2_live.control.osc.datagrams import Datagrams
from sdv2_live.system.sockets import Loop


class Haunted(socket.socket):
    """A socket that is told before every datagram that nobody took one of those it has sent, as Windows does (WSAECONNRESET)."""

    def __init__(self, kind: type[OSError]) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM)
        self._kind = kind
        self._told = False

    def recvfrom(self, *args: Any) -> Any:
        self._told = not self._told
        if self._told:
            raise self._kind("the receiver of an earlier message is gone")
        return super().recvfrom(*args)


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("kind", [ConnectionResetError, ConnectionRefusedError, OSError])
def test_a_receiver_that_is_gone_does_not_cut_the_reading_short(loop: Loop, kind: type[OSError]) -> None:
    taken: list[bytes] = []
    with Haunted(kind) as udp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        datagrams = Datagrams(udp, lambda data, _sender: taken.append(data), lambda *_: None)
        sent = [f"{number}".encode() for number in range(20)]
        for data in sent:
            sender.sendto(data, udp.getsockname())
        datagrams.begin(loop)
        loop.call_soon(loop.stop)  # after one look
        loop.run_forever()
        assert taken == sent
        datagrams.end()
