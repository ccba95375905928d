"""The HTTP server of a show: one port and one application, which OSCQuery, the metrics and any other pages join.

`door` decides which connections are accepted, `origin` which requests are answered.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from sdv2_live.closing import Service
from sdv2_live.control.access import Access
from sdv2_live.control.http.door import IDLE_S, Address, Door, HttpCounters
from sdv2_live.control.http.log import RequestLog
from sdv2_live.control.http.origin import OwnNames, refusal
from sdv2_live.control.loop import ControlLoop
from sdv2_live.control.osc.sockets import bind_listener
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.oscquery")

MAX_RATE = 500  # requests and commands a second of one host; a client reads a tree once and listens to all of it
MAX_BODY = 65_536  # bytes of a request's body; what is answered has none
PAGE_S = 0.1  # for which a page is good: it is answered whatever else is asked, and costs little then
REFUSED_S = 0.05  # until a refusal is sent: whoever goes on asking shall not keep this thread busy with it
SWEEP_S = 0.5  # between looks for connections that are silent
_SHUTDOWN_S = 0.3

Page = Callable[[], tuple[bytes, str]]  # makes a page's body and content type; must not block


def page_route(path: str, make: Page) -> web.RouteDef:
    """The route of a page that is generated at most once in PAGE_S."""
    made, page = -math.inf, (b"", "")

    async def answer(request: web.Request) -> web.Response:
        nonlocal made, page
        if (now := monotonic()) - made >= PAGE_S:
            made, page = now, make()
        return web.Response(body=page[0], headers={"Content-Type": page[1]})

    return web.get(path, answer)


class HttpServer(Service):
    """Serves on one port the routes that others add before it starts. The port is bound on construction.

    `application` is public for the resources that routes need while it runs (`cleanup_ctx`, `on_shutdown`).
    """

    def __init__(
        self,
        loop: ControlLoop,
        host: str,
        port: int = 0,
        *,
        allow: Sequence[str] = (),
        hosts: Sequence[str] = (),
    ) -> None:
        """Bind the port.

        Args:
            loop: the loop that it joins.
            host: address to bind.
            port: 0 takes any free port.
            allow: networks whose hosts may ask; see `Access`.
            hosts: names of this machine beside its own; see `OwnNames`.

        Raises:
            ConfigError: the port is not available; the message has the remedy.
        """
        self.access = Access(allow, MAX_RATE, "osc.allow")
        self._socket = bind_listener(host, port, "oscquery.port")
        self.host, self.port = self._socket.getsockname()[:2]
        self.counters = HttpCounters()
        self.application = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY)
        self._names = OwnNames(hosts)
        self._loop = loop
        self._turn = asyncio.Lock()
        self._door: Door | None = None

    def add_routes(self, routes: Iterable[web.AbstractRouteDef]) -> None:
        """Serve these routes too. Their handlers get only requests that may be answered, one in each round of the loop."""
        self.application.add_routes(routes)

    def start(self) -> None:
        """Begin to serve; returns when the server does."""
        if not self._loop.join(self, "HTTP", self._serving()):
            log.error("not answering on %s:%s; the show goes on without OSCQuery", self.host, self.port)

    def close(self) -> None:
        """Stop answering and release the port."""
        self._loop.leave(self)
        self._socket.close()

    def keep(self, request: web.Request) -> None:
        """Keep the connection of a request open: it is a WebSocket now."""
        assert self._door is not None
        self._door.asked(peer_of(request), keep=True)

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        runner = web.AppRunner(
            self.application,
            access_log=None,
            logger=RequestLog(self.counters),
            keepalive_timeout=IDLE_S,
            lingering_time=REFUSED_S,
            shutdown_timeout=_SHUTDOWN_S,
        )
        self._socket.listen()
        try:
            await runner.setup()
            assert runner.server is not None
            door = self._door = Door(self._socket, runner.server, lambda host: self.access.may_send(host), self.counters)
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(door.keep()), tasks.create_task(self._sweep(door))]
                try:
                    yield
                finally:
                    for task in running:
                        task.cancel()
        finally:
            await runner.cleanup()
            if self._door is not None:
                self._door.close()

    async def _sweep(self, door: Door) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            door.sweep()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
        """Refuse web pages of another origin, and names that are not this machine's; start other requests one at a time."""
        assert self._door is not None
        self._door.asked(peer_of(request))
        if reason := refusal(request.headers, self._names, address_of(request, "sockname")[0]):
            self.counters.foreign += 1
            await asyncio.sleep(REFUSED_S)
            raise web.HTTPForbidden(text=f"{reason}\n")
        async with self._turn:  # one request in a round of the loop: many that come at once hold up nobody else
            await asyncio.sleep(0)
        response: web.StreamResponse = await handler(request)
        return response


def peer_of(request: web.Request) -> Address:
    """Host and port of the client."""
    return address_of(request, "peername")


def address_of(request: web.Request, end: str) -> Address:
    """The host and port of one end of a request's connection."""
    found = request.transport and request.transport.get_extra_info(end)
    if not found:  # the client has gone meanwhile: nobody will read this
        raise web.HTTPBadRequest
    return found[0], found[1]
