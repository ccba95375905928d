"""OSCQuery's answers over HTTP: nodes, single attributes of them, HOST_INFO, the pages beside them, and refusals."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from sdv2_live.control.access import Access
from sdv2_live.control.http.door import Address, Door, HttpCounters
from sdv2_live.control.http.origin import OwnNames, refusal
from sdv2_live.control.oscquery.tree import ATTRIBUTES, READ, Node
from sdv2_live.control.oscquery.websockets import Sessions
from sdv2_live.system.clock import monotonic

MAX_RATE = 500  # requests and commands a second of one host; a client reads a tree once and listens to all of it
MAX_BODY = 65_536  # bytes of a request's body; what is answered has none
PAGE_S = 0.1  # for which a page is good: it is answered whatever else is asked, and costs little then
REFUSED_S = 0.05  # until a refusal is sent: whoever goes on asking shall not keep this thread busy with it

Page = Callable[[], tuple[bytes, str]]  # a further page's body and content type; must not block


class _Pages:
    """What is answered beside OSCQuery, by path; each page is made at most every PAGE_S."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = pages
        self._made: dict[str, tuple[float, tuple[bytes, str]]] = {}

    def get(self, path: str) -> tuple[bytes, str] | None:
        """Body and content type, None for an unknown path."""
        now, (made, page) = monotonic(), self._made.get(path, (-math.inf, None))
        if path in self._pages and now - made >= PAGE_S:
            page = self._pages[path]()
            self._made[path] = now, page
        return page


class Requests:
    """Answers every request. Belongs to the event loop of its server.

    node: the node at an OSC address, None when there is none. host_info: HOST_INFO. sessions: take requests for WebSockets.
    pages: by path, what else is answered. door: is told of every request; set before the first one.
    """

    door: Door

    def __init__(
        self,
        node: Callable[[str], Node | None],
        host_info: Callable[[], Mapping[str, Any]],
        sessions: Sessions,
        pages: Mapping[str, Page],
        names: OwnNames,
        access: Access,
        counters: HttpCounters,
    ) -> None:
        self._node, self._host_info, self._sessions = node, host_info, sessions
        self._pages = _Pages(pages)
        self._names = names
        self._access = access
        self._counters = counters

    def application(self) -> web.Application:
        """What aiohttp serves."""
        application = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY)
        application.router.add_get("/{path:.*}", self._get)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
        """Refuse web pages of another origin, and names that are not this machine's."""
        self.door.asked(_peer(request))
        if reason := refusal(request.headers, self._names, _address(request, "sockname")[0]):
            self._counters.foreign += 1
            await asyncio.sleep(REFUSED_S)
            raise web.HTTPForbidden(text=f"{reason}\n")
        response: web.StreamResponse = await handler(request)
        return response

    async def _get(self, request: web.Request) -> web.StreamResponse:
        """Pages and HOST_INFO always, the rest within the rate of a host: nobody else shall be kept from asking how it goes."""
        if page := self._pages.get(request.path):
            return web.Response(body=page[0], headers={"Content-Type": page[1]})
        websocket = request.headers.get("Upgrade", "").lower() == "websocket"
        if ("HOST_INFO" in request.query or request.path == "/HOST_INFO") and not websocket:
            return web.json_response(self._host_info())
        peer = _peer(request)
        if not self._access.within_rate(peer[0]):
            self._counters.flooded += 1
            await asyncio.sleep(REFUSED_S)
            raise web.HTTPTooManyRequests(text=f"more than {MAX_RATE} requests a second\n")
        if websocket:
            return await self._sessions.serve(request, peer, opened=lambda: self.door.asked(peer, keep=True))
        return self._described(request)

    def _described(self, request: web.Request) -> web.StreamResponse:
        wanted = list(request.query)
        if unknown := [name for name in wanted if name not in ATTRIBUTES]:
            raise web.HTTPBadRequest(text=f"there is no attribute {unknown[0][:40]!r}; there are {', '.join(ATTRIBUTES)}\n")
        node = self._node(request.path)
        if node is None:
            raise web.HTTPNotFound(text=f"there is no OSC address {request.path[:200]!r}\n")
        if wanted:
            told = {name: node[name] for name in wanted if name in node and (name != "VALUE" or node["ACCESS"] & READ)}
            node = told or None
        if node is None:
            raise web.HTTPNoContent
        return web.json_response(node)


def _peer(request: web.Request) -> Address:
    return _address(request, "peername")


def _address(request: web.Request, end: str) -> Address:
    """The host and port of one end of its connection."""
    found = request.transport and request.transport.get_extra_info(end)
    if not found:  # the client has gone meanwhile: nobody will read this
        raise web.HTTPBadRequest
    return found[0], found[1]
