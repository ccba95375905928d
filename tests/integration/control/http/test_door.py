"""The HTTP port among clients that say nothing, say nonsense, read nothing, or come from elsewhere."""

from __future__ import annotations

import os
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
from support.osc import describing
from support.waiting import DEADLINE_S, eventually

from sdv2_live.control.http import door
from sdv2_live.control.http.door import MAX_OF_HOST, RESERVE
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.oscquery.oscquery import OscQuery
from sdv2_live.control.oscquery.session import MAX_UNREAD
from sdv2_live.control.store import ParamStore

HELLO = b"GET /?HOST_INFO HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDAwMDAwMDAwMDAwMDAwMA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
def query(store: ParamStore, server: OscServer) -> Iterator[OscQuery]:
    with describing(store, server) as query:
        yield query
    assert query.http.counters.failures == 0


@pytest.fixture
def connect(query: OscQuery) -> Iterator[Callable[..., socket.socket]]:
    """A connection to the server, on which this has been sent."""
    with ExitStack() as opened:

        def connection(said: bytes = b"") -> socket.socket:
            client = opened.enter_context(socket.create_connection(("127.0.0.1", query.http.port), DEADLINE_S))
            client.sendall(said)
            return client

        yield connection


def answers(query: OscQuery) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{query.http.port}/?HOST_INFO", timeout=DEADLINE_S) as answer:
        return bool(answer.status == 200)


def closed(client: socket.socket) -> bool:
    """Whether the server ends the connection; waits for it."""
    with suppress(ConnectionError):
        while client.recv(65536):
            pass
    return True


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHo", HELLO], ids=["nothing", "half a request", "a request"])
def test_what_is_idle_gives_way_to_the_next(said: bytes, query: OscQuery, connect: Callable[..., socket.socket]) -> None:
    clients = [connect(said) for _ in range(MAX_OF_HOST)]
    for client in clients if said == HELLO else ():
        assert client.recv(200).startswith(b"HTTP/1.1 200")
    assert answers(query)
    assert query.http.counters.gave_way >= 1
    assert closed(clients[0])


def test_who_has_asked_last_stays(query: OscQuery, connect: Callable[..., socket.socket]) -> None:
    first = connect(HELLO)
    first.recv(4096)
    silent = [connect() for _ in range(MAX_OF_HOST - 1)]
    first.sendall(HELLO)
    assert first.recv(4096).startswith(b"HTTP/1.1 200")
    assert answers(query)
    assert closed(silent[0])
    first.sendall(HELLO)
    assert first.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_websocket_does_not_give_way(query: OscQuery, connect: Callable[..., socket.socket]) -> None:
    stream = connect(UPGRADE)
    assert stream.recv(4096).startswith(b"HTTP/1.1 101")
    for _ in range(2 * MAX_OF_HOST):
        connect()
    assert answers(query)
    assert len(query.clients) == 1


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHo"], ids=["nothing", "half a request"])
def test_a_first_request_has_its_time(
    said: bytes, query: OscQuery, connect: Callable[..., socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "FIRST_REQUEST_S", 0.0)
    assert closed(connect(said))
    assert query.http.counters.late >= 1


def test_who_reads_no_answer_is_dropped(
    query: OscQuery, connect: Callable[..., socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()
    client.settimeout(0.2)
    with suppress(TimeoutError):  # when the answers have filled all buffers
        while True:
            client.sendall(HELLO.replace(b"/?HOST_INFO", b"/") * 100)
    monkeypatch.setattr(door, "IDLE_S", 0.0)
    client.settimeout(DEADLINE_S)
    assert closed(client)


def test_what_a_websocket_does_not_read_is_bounded(query: OscQuery, connect: Callable[..., socket.socket]) -> None:
    stream = connect(UPGRADE)
    stream.recv(4096)
    eventually("the client", lambda: query.clients)
    (client,) = query.clients
    for _ in range(100):
        for _ in range(100):
            client.peer.send(b"x" * 16_000)
        if query.http.counters.unread:
            break
        answers(query)  # everything before has been taken in then
    assert query.http.counters.unread > 0
    assert client.waiting * 16_000 <= MAX_UNREAD
    assert answers(query)


def test_a_barred_host_is_closed_unread(
    query: OscQuery, connect: Callable[..., socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    query.http.access.may_send = lambda host: False  # type: ignore[assignment]
    for _ in range(50):
        assert closed(connect())
    assert query.http.counters.barred == 50
    assert query.http.counters.malformed == 0
    assert 1 <= caplog.text.count("is not in osc.allow") < 10


def read_all(client: socket.socket) -> bytes:
    """What the server says until it ends the connection. Raises ConnectionError where it resets it."""
    return b"".join(iter(lambda: client.recv(4096), b""))


@pytest.mark.parametrize("said", [b"", HELLO, HELLO[:-4], HELLO * 100], ids=["nothing", "a request", "half a request", "many"])
def test_who_is_turned_away_is_told_why(
    said: bytes, query: OscQuery, connect: Callable[..., socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query.http.access, "may_send", lambda host: False)
    answer = read_all(connect(said))
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.endswith(b"this address is not in osc.allow\n")


def test_when_all_connections_are_streams_the_next_is_told_so(
    query: OscQuery, connect: Callable[..., socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sdv2_live.control.http.door.MAX_CONNECTIONS", 1)
    assert connect(UPGRADE).recv(4096).startswith(b"HTTP/1.1 101")
    assert read_all(connect(HELLO)).startswith(b"HTTP/1.1 503 ")


def test_who_is_turned_away_and_goes_on_sending_is_cut_off(
    query: OscQuery, connect: Callable[..., socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query.http.access, "may_send", lambda host: False)
    monkeypatch.setattr("sdv2_live.control.http.door.LEAVE_S", 600.0)
    client = connect()
    with pytest.raises(ConnectionError):
        client.sendall(HELLO * 1_000_000)


def test_who_is_turned_away_and_does_not_close_is_closed(
    query: OscQuery, connect: Callable[..., socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query.http.access, "may_send", lambda host: False)
    monkeypatch.setattr("sdv2_live.control.http.door.LEAVE_S", 0.0)
    client = connect()
    assert read_all(client)

    def reset() -> bool:
        with suppress(ConnectionError):
            client.sendall(b"x")
            return False
        return True

    eventually("it to be closed", reset)


@pytest.mark.skipif(sys.platform == "win32", reason="there sockets are no descriptors")
def test_descriptors_are_left_to_the_engine(query: OscQuery, connect: Callable[..., socket.socket]) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 8 + RESERVE, hard))
    try:
        clients = []
        for _ in range(16):
            clients.append(connect(HELLO))
            assert clients[-1].recv(400).startswith(b"HTTP/1.1 200")
        assert answers(query)
        assert query.http.counters.gave_way >= 8
        assert closed(clients[0])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00garbage\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX Y: z\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\r\nHost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"#bundle\0\0\0\0\0\0\0\0\1",
    ],
)
def test_what_is_no_request_is_a_line_in_the_log(
    said: bytes, query: OscQuery, connect: Callable[..., socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        client = connect(said)
        client.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            assert client.recv(400)[:12] in (b"HTTP/1.0 400", b"HTTP/1.1 400", b"")
    assert answers(query)
    lines = [record for record in caplog.records if record.levelname != "DEBUG"]
    assert len([record for record in lines if "no HTTP request" in record.getMessage()]) <= 6
    assert not [record for record in lines if record.exc_info or "\n" in record.getMessage()]


@pytest.mark.parametrize("header", [b"Host: [", b"Host: 127.0.0.1\r\nOrigin: http://[", b"Host: 127.0.0.1:99999999"])
def test_nonsense_in_a_header_is_refused(header: bytes, query: OscQuery, connect: Callable[..., socket.socket]) -> None:
    client = connect(b"GET / HTTP/1.1\r\n" + header + b"\r\n\r\n")
    assert client.recv(400)[:12] == b"HTTP/1.1 403"


def test_a_request_without_a_host_is_answered(query: OscQuery, connect: Callable[..., socket.socket]) -> None:
    assert connect(b"GET /sdv2/seed HTTP/1.0\r\n\r\n").recv(400)[:12] == b"HTTP/1.0 200"
