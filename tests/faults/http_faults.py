"""Faults of those who come by HTTP: connections that say nothing, requests that are none, more OSC than can be read."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import time
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

import aiohttp
from pythonosc.osc_message_builder import build_msg

from faults.faultrig import VALUES, Rig, send_signal
from faults.injection import Fault

STORM_S = 1.0
FREE = 80  # descriptors that the daemon has beside those it uses: 48 are kept for its engine
SILENT = 300
PAGES, UNREAD, MESSAGES = 20, 4, 10_000
NONSENSE = ("", "[" * 2000, '{"seen": 3}', '{"pictures": {"output": {"width": "wide"}}}', '{"seen": "output"}')
MALFORMED = (
    b"\x16\x03\x01\x02\x00hello\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: [\r\nX Y: z\r\n\r\n",
    b"GET /\r\n\r\n",
    b"#bundle\0\r\n\r\n",
)


def address(rig: Rig) -> tuple[str, int]:
    host, port = rig.http.split("//")[1].strip("/").split(":")
    return host, int(port)


def _silent(rig: Rig) -> int:
    """Connections that say nothing, more than the daemon has descriptors, and then the engine is killed."""
    before = resource.prlimit(rig.pid, resource.RLIMIT_NOFILE)
    used = max(int(one.name) for one in Path(f"/proc/{rig.pid}/fd").iterdir())
    resource.prlimit(rig.pid, resource.RLIMIT_NOFILE, (used + FREE, before[1]))
    try:
        with ExitStack() as opened:
            for _ in range(SILENT):
                opened.enter_context(socket.create_connection(address(rig), 5))
            send_signal(rig.engine_pid, signal.SIGKILL)
            killed = time.monotonic_ns()
            rig.painting(1)
    finally:
        resource.prlimit(rig.pid, resource.RLIMIT_NOFILE, before)
    return killed


def _malformed(rig: Rig) -> None:
    lines = len(rig.daemon.log)
    sent = 0
    end = time.monotonic() + STORM_S
    while time.monotonic() < end:
        with socket.create_connection(address(rig), 5) as client, suppress(OSError):
            client.sendall(MALFORMED[sent % len(MALFORMED)])
            client.recv(100)
        sent += 1
    rig.painting(1)
    assert len(rig.daemon.log) - lines < 20


def _binary(rig: Rig) -> None:
    """As much as the daemon takes of messages of 60 kB that nobody can play."""
    packet = build_msg("/sdv2/prompt", ["x" * 60_000]).dgram

    async def flood() -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(rig.http) as stream:
            with suppress(TimeoutError):
                async with asyncio.timeout(STORM_S):
                    while True:
                        await stream.send_bytes(packet)

    asyncio.run(flood())
    rig.set(VALUES)


def _pages(rig: Rig) -> None:
    """Twenty pages that look, four that ask for everything and never read, and one that sends 10,000 messages."""
    live = f"{rig.http.rstrip('/')}/page/live"
    wish = {"pictures": {"output": {"width": 480, "rate": 12}, "input": {"width": 160, "rate": 12}}}

    async def look(stream: aiohttp.ClientWebSocketResponse) -> int:
        seen = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(STORM_S):
                while True:
                    message = await stream.receive()
                    if message.type is aiohttp.WSMsgType.BINARY:
                        seen += 1
                        await stream.send_json({"seen": ("output", "input")[message.data[0]]})
        return seen

    async def storm(page: aiohttp.ClientWebSocketResponse, values: aiohttp.ClientWebSocketResponse) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(STORM_S):
                for number in range(MESSAGES // 2):
                    await page.send_str(NONSENSE[number % len(NONSENSE)])
                    await values.send_bytes(build_msg("/sdv2/mix", [number % 100 / 100]).dgram)

    async def crowd() -> None:
        async with AsyncExitStack() as opened:
            session = await opened.enter_async_context(aiohttp.ClientSession())
            pages = [await opened.enter_async_context(session.ws_connect(live)) for _ in range(PAGES + UNREAD + 1)]
            for page in pages[1:]:
                await page.send_json(wish)
            values = await opened.enter_async_context(session.ws_connect(rig.http))
            seen = asyncio.gather(*map(look, pages[1 : PAGES + 1]))
            await storm(pages[0], values)
            assert min(await seen) > 0, "a page saw nothing"

    asyncio.run(crowd())
    rig.set(VALUES)


FAULTS = (
    Fault("http: twenty pages, some that never read, and one that sends 10,000 messages", _pages),
    Fault("http: silent connections up to the limit of descriptors, and the engine is killed", _silent, ends_engine=True),
    Fault("http: a flood of what is no request", _malformed),
    Fault("http: a flood of OSC on a WebSocket", _binary),
)
