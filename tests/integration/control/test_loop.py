"""Servers that share the control loop: each begins, fails and ends on its own, and none holds up another."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pythonosc.osc_message_builder import build_msg
from support.osc import describing
from support.waiting import DEADLINE_S, eventually

from sdv2_live.control.http.server import HttpServer
from sdv2_live.control.loop import ControlLoop
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.store import ParamStore


class Parts:
    """A loop, what happened on it, and how many mistakes it has outlived."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.failures = 0
        self.loop = ControlLoop(self._failed)

    def _failed(self) -> None:
        self.failures += 1

    def join(self, name: str, *, fails: bool = False) -> bool:
        @asynccontextmanager
        async def serving() -> AsyncIterator[None]:
            if fails:
                raise ValueError("a mistake")
            self.said.append(f"{name} begins on {threading.current_thread().name}")
            try:
                yield
            finally:
                self.said.append(f"{name} ends")

        return self.loop.join(name, name, serving())


@pytest.fixture
def parts() -> Parts:
    return Parts()


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_one_thread_serves_all_until_the_last_has_left(parts: Parts) -> None:
    assert "control" not in threads()
    assert parts.join("a")
    assert parts.join("b")
    parts.loop.leave("a")
    assert parts.said == ["a begins on control", "b begins on control", "a ends"]
    assert "control" in threads()
    parts.loop.leave("b")
    parts.loop.leave("b")
    assert parts.said[-1] == "b ends"
    assert "control" not in threads()
    assert not parts.loop.call(print)
    assert parts.failures == 0


def test_one_that_fails_is_told_and_the_others_are_served(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    assert not parts.join("a", fails=True)
    assert parts.join("b")
    assert parts.failures == 1
    assert "a stopped; the show goes on without it" in caplog.text
    parts.loop.leave("a")
    parts.loop.leave("b")
    assert "control" not in threads()


def test_a_mistake_in_a_call_is_counted_and_outlived(parts: Parts) -> None:
    parts.join("a")
    parts.loop.call(lambda: 1 / 0)
    done = threading.Event()
    parts.loop.call(done.set)
    assert done.wait(DEADLINE_S)
    assert parts.failures == 1
    parts.loop.leave("a")


class Rounds:
    """Counts the rounds of a loop, and notes in which one things happen there."""

    def __init__(self) -> None:
        self.now = 0
        self.seen: list[int] = []
        self.over = False

    def tick(self) -> None:
        self.now += 1
        if not self.over:
            asyncio.get_running_loop().call_soon(self.tick)

    def note(self) -> None:
        self.seen.append(self.now)


@pytest.fixture
def rounds(server: OscServer) -> Iterator[Rounds]:
    rounds = Rounds()
    server.loop.call(rounds.tick)
    yield rounds
    rounds.over = True


def test_of_http_requests_that_come_at_once_one_is_answered_in_a_round(server: OscServer, rounds: Rounds) -> None:
    async def answer(request: web.Request) -> web.Response:
        rounds.note()
        return web.Response(text="yes")

    http = HttpServer(server.loop, server.host)
    http.add_routes([web.get("/asked", answer)])
    request = b"GET /asked HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with http:
        clients = [socket.create_connection((http.host, http.port), DEADLINE_S) for _ in range(10)]
        for client in clients:
            client.sendall(request * 10)
        eventually("all answers", lambda: len(rounds.seen) == 100)
        for client in clients:
            client.close()
    assert len(set(rounds.seen)) == 100


def test_of_a_websockets_messages_that_come_at_once_one_is_read_in_a_round(
    store: ParamStore, server: OscServer, rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    add: Callable[..., Any] = server._input.add
    monkeypatch.setattr(server._input, "add", lambda data, peer: rounds.note() or add(data, peer))

    async def run(port: int) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{port}/") as stream:
            await asyncio.gather(*(stream.send_bytes(build_msg("/sdv2/seed", [number]).dgram) for number in range(200)))
            await asyncio.to_thread(eventually, "all messages", lambda: len(rounds.seen) == 200)

    with describing(store, server) as query:
        asyncio.run(run(query.http.port))
    assert len(set(rounds.seen)) == 200
    eventually("the last value", lambda: store.latest().seed == 199)
