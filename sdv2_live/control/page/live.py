"""The page's own WebSocket, /page/live: the lists, and pictures for those who ask for them.

The page sends `{"pictures": {"output": {"width": 640, "rate": 12}}}` for what it wants to see from now on, and
`{"seen": "output"}` when it has drawn a picture: only then does it get the next, so that nothing piles up on a slow way.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import WSMsgType, web

from sdv2_live.control.http.places import Places
from sdv2_live.control.http.server import HttpServer, peer_of
from sdv2_live.control.oscquery.websockets import CLOSE_S, MAX_CLIENTS, MAX_OF_HOST
from sdv2_live.control.page.lists import Lists
from sdv2_live.control.page.pictures import Pictures
from sdv2_live.control.page.viewer import Viewer

log = logging.getLogger("sdv2_live.page")

RATE = 5.0  # times a second that a list is told
MAX_MESSAGE = 4096  # bytes of a page's message


class LivePages:
    """All open pages. All members belong to the control loop."""

    def __init__(self, http: HttpServer, lists: Lists, pictures: Pictures | None) -> None:
        self._http, self._lists, self._pictures = http, lists, pictures
        self.places = Places("pages", MAX_CLIENTS, MAX_OF_HOST)
        self.viewers: set[Viewer] = set()

    async def running(self, application: web.Application) -> AsyncIterator[None]:
        """Tell pages of changed lists while the server runs."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        self._lists.wake, self._lists.failed = lambda: loop.call_soon_threadsafe(changed.set), self._failed
        telling = asyncio.create_task(self._tell(changed))
        yield
        self._lists.wake, self._lists.failed = lambda: None, lambda: None
        telling.cancel()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Turn a request into a WebSocket and serve it until it closes."""
        host, port = peer_of(request)
        async with self.places.websocket(request, self._http, MAX_MESSAGE) as stream:
            await self._converse(stream, f"{host}:{port}")
        return stream

    async def close(self, application: web.Application) -> None:
        """Close all WebSockets, within CLOSE_S."""
        if farewells := [asyncio.create_task(viewer.close()) for viewer in self.viewers]:
            await asyncio.wait(farewells, timeout=CLOSE_S)

    async def _converse(self, stream: web.WebSocketResponse, name: str) -> None:
        viewer = Viewer(stream, self._pictures)
        viewer.tell(self._lists.all())
        self.viewers.add(viewer)
        try:
            async for message in stream:
                if not self._http.access.within_rate(name):
                    self._http.counters.flooded += 1
                elif mistake := _mistake(message.data, viewer) if message.type is WSMsgType.TEXT else "this takes JSON texts":
                    viewer.tell({"mistake": json.dumps({"kind": "mistake", "text": mistake})})
                await asyncio.sleep(0)  # one message in a round of the loop, however many have come
        finally:
            self.viewers.discard(viewer)
            await viewer.close()

    def _failed(self) -> None:
        self._http.counters.failures += 1

    async def _tell(self, changed: asyncio.Event) -> None:
        while True:
            await changed.wait()
            changed.clear()
            texts = self._lists.take_changed() if self.viewers else {}
            for viewer in self.viewers if texts else ():
                viewer.tell(texts)
            await asyncio.sleep(1 / RATE)


def _mistake(text: str, viewer: Viewer) -> str:
    """Carry out a message of a page. Returns what is wrong with it, empty for nothing."""
    try:
        asked: Any = json.loads(text)
    except (ValueError, RecursionError):
        return "this is no JSON"
    if isinstance(asked, dict) and "pictures" in asked:
        return viewer.want(asked["pictures"])
    if isinstance(asked, dict) and isinstance(asked.get("seen"), str):
        return viewer.seen(asked["seen"])
    return 'a message is {"pictures": {...}} or {"seen": "output"}'
