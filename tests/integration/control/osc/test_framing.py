"""OSC over TCP: framing, limits, and who gives way."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pythonosc import slip, tcp_client
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg
from support.waiting import DEADLINE_S

from sdv2_live.control.osc import framing
from sdv2_live.control.osc.connections import MAX_CONNECTIONS
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.osc.sockets import keep_alive
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ConfigError


@pytest.fixture
def tcp_server(store: ParamStore) -> Iterator[OscServer]:
    with OscServer(store, port=0, tcp=True) as server:
        yield server
    assert server.counters.failures == 0


@pytest.mark.parametrize("mode", ["1.0", "1.1"])
def test_tcp_takes_both_framings(mode: str, store: ParamStore, tcp_server: OscServer, wait: Any) -> None:
    with tcp_client.SimpleTCPClient("127.0.0.1", tcp_server.port, mode=mode) as client:
        for step in range(50):
            client.send_message("/sdv2/noise_scale", step / 100)
        client.send_message("/sdv2/prompt", "\u2744" * 500)
        wait(lambda: store.latest().prompt == "\u2744" * 500)
    assert store.latest().noise_scale == pytest.approx(0.49)
    assert tcp_server.counters.messages + tcp_server.counters.coalesced == 51


def connect(server: OscServer) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S)
    return connection


def test_tcp_answers_and_feeds_back_on_the_connection(store: ParamStore, tcp_server: OscServer) -> None:
    def packet(address: str, *args: Any) -> bytes:
        data = build_msg(address, list(args)).dgram
        return struct.pack(">I", len(data)) + data

    with connect(tcp_server) as connection, connection.makefile("rb") as stream:

        def answer() -> tuple[Any, ...]:
            message = OscMessage(stream.read(struct.unpack(">I", stream.read(4))[0]))
            return (message.address, *message.params)

        connection.sendall(packet("/sdv2/nothing")[:7])
        connection.sendall(packet("/sdv2/nothing")[7:] + packet("/sdv2/subscribe"))
        assert answer()[:2] == ("/sdv2/error", "/sdv2/nothing")
        assert answer()[0] == "/sdv2/prompt"
        store.set("cue_prompt", "ink", "midi")
        while answer() != ("/sdv2/cue_prompt", "ink"):
            pass


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I", 2**24 - 1) + b"/",
        b"\xc0" + b"x" * 200_000,
        b"\xc0/sdv2/seed\xdbx\xc0",
        b"GET / HTTP/1.1\r\n\r\n" + b"x" * 200_000,
    ],
)
def test_tcp_closes_a_stream_that_is_not_osc(data: bytes, store: ParamStore, tcp_server: OscServer, wait: Any) -> None:
    with connect(tcp_server) as connection:
        try:
            connection.sendall(data)
            while connection.recv(65536):
                pass
        except ConnectionError:
            pass  # closed while more was on its way
    assert tcp_server.counters.malformed == 1
    with connect(tcp_server) as connection:
        connection.sendall(slip.encode(build_msg("/sdv2/seed", 7).dgram))
        wait(lambda: store.latest().seed == 7)


def test_tcp_port_in_use_says_so() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigError, match=r"is in use by another program"):
            OscServer(ParamStore(), port=other.getsockname()[1], tcp=True)


def packet(address: str, *args: Any) -> bytes:
    data = build_msg(address, list(args)).dgram
    return struct.pack(">I", len(data)) + data


def answer(connection: socket.socket) -> tuple[Any, ...]:
    """The next message, framed by its length."""
    with connection.makefile("rb") as stream:
        message = OscMessage(stream.read(struct.unpack(">I", stream.read(4))[0]))
    return (message.address, *message.params)


@pytest.fixture
def connected(tcp_server: OscServer) -> Iterator[Callable[[], socket.socket]]:
    with ExitStack() as opened:
        yield lambda: opened.enter_context(connect(tcp_server))


@pytest.mark.parametrize("first", [b"", b"\0\0", packet("/sdv2/mix", 0.5)])
def test_idle_connections_give_way_to_a_new_one(
    first: bytes, store: ParamStore, tcp_server: OscServer, connected: Any, wait: Any
) -> None:
    idle = [connected() for _ in range(MAX_CONNECTIONS)]
    for number, one in enumerate(idle, 1):  # in turn: systems read from several at once in an order of their own
        one.sendall(first)
        wait(lambda number=number: tcp_server.counters.messages == (number if len(first) > 4 else 0))
    for seed in (7, 8):
        new = connected()
        new.sendall(packet("/sdv2/seed", seed))
        wait(lambda seed=seed: store.latest().seed == seed)
    assert tcp_server.counters.given_up == 2
    gone = f"the connection was closed: {MAX_CONNECTIONS} are served at a time, and it was idle and gave way to a new one"
    assert answer(idle[0]) == ("/sdv2/error", "", gone)


def test_a_player_and_subscribers_do_not_give_way_to_silent_ones(
    store: ParamStore, tcp_server: OscServer, connected: Any, wait: Any
) -> None:
    player, *subscribed = [connected() for _ in range(MAX_CONNECTIONS - 1)]
    player.sendall(packet("/sdv2/seed", 1))
    for one in subscribed:
        one.sendall(packet("/sdv2/subscribe"))
    wait(lambda: tcp_server.counters.messages == MAX_CONNECTIONS - 1)
    for silent in range(3):
        connected()
        wait(lambda silent=silent: tcp_server.counters.given_up == max(0, silent))
    player.sendall(packet("/sdv2/seed", 2))
    wait(lambda: store.latest().seed == 2)
    for one in subscribed:
        assert answer(one)[0] == "/sdv2/prompt"


def test_when_all_are_subscribed_a_new_one_is_told(tcp_server: OscServer, connected: Any, wait: Any) -> None:
    for _ in range(MAX_CONNECTIONS):
        connected().sendall(packet("/sdv2/subscribe"))
    wait(lambda: tcp_server.counters.messages == MAX_CONNECTIONS)
    new = connected()
    closed = f"the connection was closed: {MAX_CONNECTIONS} are served at a time, and all others are subscribed"
    assert answer(new) == ("/sdv2/error", "", closed)
    assert new.recv(1) == b""


@pytest.mark.parametrize("part", [b"\0", b"\0\0\0\x10", packet("/sdv2/seed", 7)[:-1], packet("/sdv2/seed", 7) + b"\0"])
def test_a_packet_that_does_not_end_ends_the_connection(part: bytes, connected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "PACKET_S", 0.1)
    one = connected()
    one.sendall(part)
    assert answer(one) == ("/sdv2/error", "", "the connection was closed: a packet that began did not end within 0.1 s")
    assert one.recv(1) == b""


def test_a_pause_between_packets_does_not(
    store: ParamStore, connected: Any, monkeypatch: pytest.MonkeyPatch, wait: Any, tcp_server: OscServer
) -> None:
    monkeypatch.setattr(framing, "PACKET_S", 0.05)
    framed, slipped = connected(), connected()
    for seed in (1, 2):
        framed.sendall(packet("/sdv2/seed", seed))
        wait(lambda seed=seed: store.latest().seed == seed)
        slipped.sendall(slip.encode(build_msg("/sdv2/seed", seed + 10).dgram))
        wait(lambda seed=seed: store.latest().seed == seed + 10)
        other = connected()
        other.sendall(b"\0")
        assert answer(other)[2].startswith("the connection was closed: a packet")  # so much time has gone by
    assert tcp_server.counters.messages == 4


@pytest.mark.parametrize(
    "data",
    [
        build_msg("/sdv2/seed", [7]).dgram,
        build_msg("/sdv2/seed", [7]).dgram * 3,
        b"#bundle\0" + bytes(8),
        b"/sdv2/seed 7\n",
        b"seed 7\n",
        b"\x10\0\0\0" + build_msg("/sdv2/seed", [7]).dgram,
        b"{}",
    ],
)
def test_a_client_without_framing_is_told_in_plain_osc(
    data: bytes, store: ParamStore, connected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framing, "UNFRAMED_S", 0.1)
    one = connected()
    one.sendall(data)
    with one.makefile("rb") as stream:
        message = OscMessage(stream.read())
    assert message.address == "/sdv2/error"
    assert "give each packet its length in 4 bytes (OSC 1.0), or wrap it in SLIP (OSC 1.1)" in message.params[1]
    assert store.latest().seed == 42


def test_dead_connections_are_found_out() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        keep_alive(one)
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 30
