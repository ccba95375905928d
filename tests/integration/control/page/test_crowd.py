"""Many pages at once, and pages that do not behave: nobody else notices."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack

import aiohttp
import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg
from support.page_rig import BROWSER, JPEG, PageRig, get, serving, told
from support.waiting import DEADLINE_S, eventually

from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.page import previews
from sdv2_live.control.store import ParamStore

CROWD = 20


@pytest.fixture
def rig(store: ParamStore, server: OscServer) -> Iterator[PageRig]:
    with serving(PageRig(store, server)) as rig:
        yield rig


def test_twenty_pages_at_once_have_everything(rig: PageRig, store: ParamStore) -> None:
    changed = rig.lists.add("things", lambda: {"items": store.latest().seed})

    async def page(session: aiohttp.ClientSession, opened: AsyncExitStack) -> None:
        async with session.get(rig.url, headers={"Accept": BROWSER}) as answer:
            assert answer.status == 200
        live = await opened.enter_async_context(session.ws_connect(f"{rig.url}/page/live"))
        values = await opened.enter_async_context(session.ws_connect(rig.url, headers={"Origin": rig.url}))
        await values.send_json({"COMMAND": "LISTEN", "DATA": "/sdv2/seed"})
        assert (await told(live, "things"))["items"] == 42
        await live.send_json({"pictures": {"output": {"width": 480}, "input": {"width": 160}}})
        for _ in range(2):
            assert (await live.receive_bytes())[1:] == JPEG
        assert OscMessage(await values.receive_bytes()).params == [42]
        everybody.append((live, values))

    everybody: list[tuple[aiohttp.ClientWebSocketResponse, aiohttp.ClientWebSocketResponse]] = []

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), AsyncExitStack() as opened:
            session = await opened.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
            await asyncio.gather(*(page(session, opened) for _ in range(CROWD)))
            assert len(rig.page.live.viewers) == CROWD
            store.set("seed", 7, "osc")
            changed()
            for live, values in everybody:
                assert (await told(live, "things"))["items"] == 7
                assert OscMessage(await values.receive_bytes()).params == [7]

    asyncio.run(run())
    assert rig.http.counters.turned_away == rig.http.counters.gave_way == rig.http.counters.unread == 0


def silent(rig: PageRig, path: str) -> socket.socket:
    """A WebSocket that is open, and never read from again."""
    client = socket.create_connection(("127.0.0.1", rig.http.port), DEADLINE_S)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert client.recv(12) == b"HTTP/1.1 101"
    return client


def sent(client: socket.socket, text: str) -> None:
    """Send one WebSocket message, as a client does: masked, here with zeros (RFC 6455, 5.2)."""
    data = text.encode()
    assert len(data) < 126
    client.sendall(bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data)


def test_a_page_that_never_reads_holds_the_newest_alone(rig: PageRig) -> None:
    made = 0
    size = 1 << 20

    def make() -> dict[str, object]:
        nonlocal made
        made += 1
        return {"items": made, "long": "x" * size}

    changed = rig.lists.add("long", make)
    with silent(rig, "/page/live") as client:
        eventually("it is there", lambda: len(rig.page.live.viewers) == 1)
        (viewer,) = rig.page.live.viewers
        sent(client, json.dumps({"pictures": {"output": {}}}))
        eventually("it looks", lambda: bool(rig.pictures.open))
        before = made
        for _ in range(5):
            last = made
            changed()
            rig.pictures.open[0].more()
            eventually("a newer list is made", lambda last=last: made > last)
        assert made >= before + 5
        assert len(viewer._texts) <= 1
        assert len(viewer._newest) <= 1
        assert get(rig, "/", Accept=BROWSER).status == 200
    eventually("it is gone", lambda: not rig.page.live.viewers)


def test_a_stream_that_is_not_read_ends(rig: PageRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "READ_S", 0.2)
    monkeypatch.setattr("support.page_rig.JPEG", JPEG + bytes(1 << 20))  # more than sockets hold
    with socket.create_connection(("127.0.0.1", rig.http.port), DEADLINE_S) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /preview/output.mjpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        eventually("it looks", lambda: len(rig.pictures.looks) == 1)
        eventually("it is given up", lambda: not rig.pictures.open)
    assert get(rig, "/preview/output.jpg").status == 200


def test_a_storm_of_messages_costs_only_its_sender(rig: PageRig) -> None:
    rig.lists.add("things", lambda: {"items": 1})

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), AsyncExitStack() as opened:
            storm, calm = [await opened_page(rig, opened) for _ in range(2)]
            await told(calm, "things")
            for number in range(10_000):
                await storm.send_str('{"seen": "output"}' if number % 2 else "nonsense")
            await calm.send_json({"pictures": {"output": {}}})
            assert (await calm.receive_bytes())[1:] == JPEG
            assert (await told(storm, "mistake"))["text"]

    asyncio.run(run())
    assert rig.http.counters.flooded > 0


async def opened_page(rig: PageRig, opened: AsyncExitStack, path: str = "/page/live") -> aiohttp.ClientWebSocketResponse:
    session = await opened.enter_async_context(aiohttp.ClientSession())
    return await opened.enter_async_context(session.ws_connect(rig.url + path, headers={"Origin": rig.url}))


def test_the_last_of_a_flood_of_values_is_taken_and_a_wrong_one_answered(rig: PageRig, store: ParamStore) -> None:
    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), AsyncExitStack() as opened:
            page = await opened_page(rig, opened, "/")
            for value in range(1001):
                await page.send_bytes(build_msg("/sdv2/noise_scale", [value / 1000]).dgram)
            await page.send_bytes(build_msg("/sdv2/noise_scale", ["a word"]).dgram)
            while (message := OscMessage(await page.receive_bytes())).address != "/sdv2/error":
                pass
            assert "noise_scale" in message.params[0]

    asyncio.run(run())
    assert store.latest().noise_scale == 1.0


def test_pages_are_limited_and_one_host_keeps_no_other_out(rig: PageRig) -> None:
    rig.page.live.places.of_host = 2

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession() as session:
            first, second = await session.ws_connect(f"{rig.url}/page/live"), await session.ws_connect(f"{rig.url}/page/live")
            with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                await session.ws_connect(f"{rig.url}/page/live")
            await first.close()
            await asyncio.to_thread(eventually, "it is gone", lambda: len(rig.page.live.viewers) == 1)
            await (await session.ws_connect(f"{rig.url}/page/live")).close()
            await second.close()

    asyncio.run(run())
    eventually("all are gone", lambda: not rig.page.live.viewers)
