"""A server with a page, and its clients by aiohttp."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from sdv2_live.control.http.server import HttpServer
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.oscquery.oscquery import OscQuery
from sdv2_live.control.page.lists import Lists
from sdv2_live.control.page.page import Page
from sdv2_live.control.page.ticket import Ticket
from sdv2_live.control.store import ParamStore
from support.waiting import DEADLINE_S

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
JPEG = b"\xff\xd8 a picture \xff\xd9"


@dataclass(eq=False)
class FakeLook:
    """Delivers a picture at each asking."""

    kind: str
    width: int
    rate: float
    deliver: Callable[[bytes], object]
    closed: bool = False

    def more(self) -> None:
        self.deliver(JPEG)

    def close(self) -> None:
        self.closed = True


@dataclass
class FakePictures:
    looks: list[FakeLook] = field(default_factory=list)

    def look(self, kind: str, width: int, rate: float, deliver: Callable[[bytes], object]) -> FakeLook:
        self.looks.append(FakeLook(kind, width, rate, deliver))
        deliver(JPEG)
        return self.looks[-1]

    @property
    def open(self) -> list[FakeLook]:
        return [look for look in self.looks if not look.closed]


class PageRig:
    """A server with a page."""

    def __init__(self, store: ParamStore, osc: OscServer, token: str = "") -> None:
        self.http = HttpServer(osc.loop, osc.host, 0)
        self.query = OscQuery(self.http, store, osc)
        self.lists, self.pictures = Lists(), FakePictures()
        self.page = Page(self.http, self.lists, Ticket(token, self.http.port), self.pictures)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.port}"


@contextmanager
def serving(rig: PageRig) -> Iterator[PageRig]:
    with rig.http:
        yield rig
    assert rig.http.counters.failures == 0
    assert not rig.pictures.open
    assert not rig.page.live.viewers


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    headers: Mapping[str, str]
    body: bytes


@asynccontextmanager
async def asking(rig: PageRig, path: str, **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer to a GET of exactly this path; the deadline is its test."""
    url = URL(rig.url + path, encoded=True)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession() as session, session.get(url, headers=named) as answer:
        yield answer


def get(rig: PageRig, path: str, **headers: str) -> Answer:
    async def run() -> Answer:
        async with asking(rig, path, **headers) as answer:
            return Answer(answer.status, answer.content_type, answer.headers, await answer.read())

    return asyncio.run(run())


def talk(
    rig: PageRig,
    conversation: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[None]],
    path: str = "/page/live",
    **headers: str,
) -> None:
    """Hold a conversation by WebSocket; the deadline is its test."""

    async def run() -> None:
        async with (
            asyncio.timeout(DEADLINE_S),
            aiohttp.ClientSession() as session,
            session.ws_connect(rig.url + path, headers=headers) as stream,
        ):
            await conversation(stream)

    asyncio.run(run())


async def told(stream: aiohttp.ClientWebSocketResponse, kind: str) -> Any:
    """The next list of that kind."""
    while True:
        said = json.loads(await stream.receive_str())
        if said["kind"] == kind:
            return said
