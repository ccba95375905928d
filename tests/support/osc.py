"""Fixtures of the OSC tests: a server, its clients on loopback, and waiting with a deadline."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg

from sdv2_live.control.http.server import HttpServer, Page, page_route
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.oscquery.oscquery import OscQuery
from sdv2_live.control.params import PARAMS, Kind
from sdv2_live.control.store import ParamStore
from support.waiting import DEADLINE_S, eventually

LAST = "/sdv2/" + [name for name, spec in PARAMS.items() if spec.kind is not Kind.TRIGGER][-1]

Wait = Callable[[Callable[[], bool]], None]


class Client:
    """A UDP socket that sends raw packets to the server and reads its answers."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(DEADLINE_S)
        self.port = self.socket.getsockname()[1]
        self.server = ("127.0.0.1", port)

    def raw(self, data: bytes) -> None:
        self.socket.sendto(data, self.server)

    def send(self, address: str, *args: Any) -> None:
        self.raw(build_msg(address, list(args)).dgram)

    def bundle(self, *messages: bytes, at: float = IMMEDIATELY) -> None:
        builder = OscBundleBuilder(at)  # type: ignore[arg-type]  # it takes fractions of seconds
        for message in messages:
            builder.add_content(OscMessage(message))
        self.raw(builder.build().dgram)

    def answer(self) -> tuple[Any, ...]:
        message = OscMessage(self.socket.recv(65536))
        return (message.address, *message.params)

    def until(self, *wanted: Any) -> list[tuple[Any, ...]]:
        """Every answer up to the one that is `wanted`, which comes last."""
        answers = [self.answer()]
        while answers[-1] != wanted:
            answers.append(self.answer())
        return answers

    def dump(self) -> list[tuple[Any, ...]]:
        """Every answer up to the table's last value, as a subscriber is sent all of them first."""
        answers = [self.answer()]
        while answers[-1][0] != LAST:
            answers.append(self.answer())
        return answers


@pytest.fixture
def store() -> ParamStore:
    return ParamStore()


@pytest.fixture
def server(store: ParamStore) -> Iterator[OscServer]:
    with OscServer(store, port=0) as server:
        yield server
    assert server.counters.failures == 0


@contextmanager
def describing(
    store: ParamStore, osc: OscServer, port: int = 0, pages: Mapping[str, Page] | None = None, **settings: Any
) -> Iterator[OscQuery]:
    """A store and its OSC server described over HTTP, beside pages of others."""
    http = HttpServer(osc.loop, osc.host, port)
    query = OscQuery(http, store, osc, **settings)
    http.add_routes(page_route(path, make) for path, make in (pages or {}).items())
    with http:
        yield query


@pytest.fixture
def client_of() -> Iterator[Callable[[int], Client]]:
    """A new client of the server at a port."""
    clients: list[Client] = []

    def make(port: int) -> Client:
        clients.append(Client(port))
        return clients[-1]

    yield make
    for client in clients:
        client.socket.close()


@pytest.fixture
def new_client(server: OscServer, client_of: Callable[[int], Client]) -> Callable[[], Client]:
    return lambda: client_of(server.port)


@pytest.fixture
def client(new_client: Callable[[], Client]) -> Client:
    return new_client()


@pytest.fixture
def wait() -> Wait:
    """Waits until a condition is true; fails when it does not become so."""

    def until(condition: Callable[[], bool]) -> None:
        eventually("the condition", condition)

    return until
