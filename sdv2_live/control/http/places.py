"""Connections that last: how many there may be, and how a request becomes a WebSocket."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web

from sdv2_live.control.http.server import HttpServer, peer_of

HEARTBEAT_S = 20.0  # between pings; a client that answers none is dropped


class Places:
    """Places for `what`: `most` in all, `of_host` for each host, so that none keeps another out. Belongs to the event loop."""

    def __init__(self, what: str, most: int, of_host: int) -> None:
        self.what, self.most, self.of_host = what, most, of_host
        self._taken: Counter[str] = Counter()  # by host

    @contextmanager
    def one(self, request: web.Request) -> Iterator[None]:
        """Hold a place for a request's host. Raises web.HTTPServiceUnavailable where there is none."""
        host = peer_of(request)[0]
        if self._taken[host] >= self.of_host or self._taken.total() >= self.most:
            raise web.HTTPServiceUnavailable(text=f"{self.most} {self.what} may be open, {self.of_host} of a host; close one\n")
        self._taken[host] += 1
        try:
            yield
        finally:
            self._taken -= Counter([host])

    @asynccontextmanager
    async def websocket(self, request: web.Request, http: HttpServer, max_message: int) -> AsyncIterator[web.WebSocketResponse]:
        """Turn a request into a WebSocket that holds a place. `max_message`: bytes of a message that a client may send."""
        with self.one(request):
            stream = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=max_message, compress=False)
            await stream.prepare(request)
            http.keep(request)
            yield stream
