"""Addresses that are one program's alone, and the loop that serves them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from sdv2_live.system.clock import monotonic
from sdv2_live.system.sockets import Loop, claim, send_whole, taken

KINDS = [socket.SOCK_DGRAM, socket.SOCK_STREAM]


@pytest.fixture(params=KINDS)
def claimed(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, request.param) as server:
        claim(server)
        server.bind(("127.0.0.1", 0))
        if request.param == socket.SOCK_STREAM:
            server.listen()
        yield server


@pytest.mark.parametrize("other", ["a second show", "one that forces its way", "any program"])
def test_a_claimed_address_is_nobody_elses(claimed: socket.socket, other: str) -> None:
    with socket.socket(socket.AF_INET, claimed.type) as second:
        if other == "a second show":
            claim(second)
        elif other == "one that forces its way":
            second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError) as refused:  # noqa: PT011 (its kind is what is tested)
            second.bind(claimed.getsockname())
    assert taken(refused.value)


def test_an_address_of_another_machine_is_not_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, pytest.raises(OSError) as refused:  # noqa: PT011
        server.bind(("192.0.2.1", 0))
    assert not taken(refused.value)


def test_an_address_is_free_again_after_connections() -> None:
    port = 0
    for _ in range(2):
        with socket.socket() as server:
            claim(server)
            server.bind(("127.0.0.1", port))
            port = server.getsockname()[1]
            server.listen()
            with socket.create_connection(server.getsockname()) as client:
                served, _address = server.accept()
                served.close()  # the server's side ends it: its address waits for stragglers
                assert client.recv(1) == b""


def test_the_loop_waits_for_sockets_read_by_hand_and_keeps_the_clock() -> None:
    async def received() -> bytes:
        loop = asyncio.get_running_loop()
        before = monotonic()
        assert before <= loop.time() <= monotonic()
        came: asyncio.Future[bytes] = loop.create_future()
        loop.add_reader(one, lambda: came.set_result(one.recv(9)))
        another.send(b"hello")
        return await came

    one, another = socket.socketpair()
    with closing(one), closing(another), asyncio.Runner(loop_factory=Loop) as runner:
        one.setblocking(False)
        assert runner.run(received()) == b"hello"
        assert isinstance(runner.get_loop(), asyncio.SelectorEventLoop)


def test_the_longest_message_is_sent_whole() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        send_whole(sender)
        sender.sendto(b"x" * 20_000, receiver.getsockname())
        assert len(receiver.recv(65_536)) == 20_000
