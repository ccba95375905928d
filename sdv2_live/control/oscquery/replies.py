"""OSCQuery's answers over HTTP: nodes, single attributes of them, HOST_INFO, and refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from sdv2_live.control.http.server import MAX_RATE, REFUSED_S, HttpServer, peer_of
from sdv2_live.control.oscquery.tree import ATTRIBUTES, READ, Node
from sdv2_live.control.oscquery.websockets import Sessions


class Replies:
    """Answers requests for nodes. Belongs to the event loop.

    `node` returns the node at an OSC address, None when there is none; `host_info` returns HOST_INFO; `sessions` serve
    WebSockets.
    """

    def __init__(
        self,
        http: HttpServer,
        node: Callable[[str], Node | None],
        host_info: Callable[[], Mapping[str, Any]],
        sessions: Sessions,
    ) -> None:
        self._http, self._node, self._host_info, self._sessions = http, node, host_info, sessions

    def routes(self) -> list[web.RouteDef]:
        """A route for every path that no other route has."""
        return [web.get("/{path:.*}", self._get)]

    async def _get(self, request: web.Request) -> web.StreamResponse:
        """Answer HOST_INFO always, other requests within their host's rate: one host must not keep the others from an answer."""
        websocket = request.headers.get("Upgrade", "").lower() == "websocket"
        if ("HOST_INFO" in request.query or request.path == "/HOST_INFO") and not websocket:
            return web.json_response(self._host_info())
        if not self._http.access.within_rate(peer_of(request)[0]):
            self._http.counters.flooded += 1
            await asyncio.sleep(REFUSED_S)
            raise web.HTTPTooManyRequests(text=f"more than {MAX_RATE} requests a second\n")
        if websocket:
            return await self._sessions.serve(request)
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
