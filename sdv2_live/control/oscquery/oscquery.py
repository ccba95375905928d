"""OSCQuery: the address space over HTTP, for programs that build their controls from it (Chataigne, ossia score, MadMapper).

GET answers a node as JSON, `?VALUE` and the like one attribute of it, `?HOST_INFO` the port on which OSC is taken: see `replies`.
A WebSocket on the same port streams values and takes OSC packets: see `websockets`. The content of a node is made in `tree`;
source: the OSCQuery proposal (github.com/Vidvox/OSCQueryProposal).

They are one set of routes of the show's HTTP server: see `http.server`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from aiohttp import web

from sdv2_live.control.http.server import HttpServer
from sdv2_live.control.osc.news import Asked
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.oscquery.announce import announced
from sdv2_live.control.oscquery.replies import Replies
from sdv2_live.control.oscquery.session import Client
from sdv2_live.control.oscquery.tree import EXTENSIONS, Node, find, methods, tree
from sdv2_live.control.oscquery.websockets import Sessions
from sdv2_live.control.store import ParamStore
from sdv2_live.stats import Fill
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.oscquery")

FEEDBACK_ACTIONS = ("subscribe", "unsubscribe", "dump", *Asked)  # which the OSC server carries out by itself
METHODS_S = 0.1

Presets = Callable[[], Sequence[str]]


class Identity(NamedTuple):
    """The server's name for clients. `announce`: by mDNS, so that clients find it by that name."""

    name: str = "sdv2-live"
    announce: bool = False


class OscQuery:
    """Describes the addresses of `osc` and the values in `store`, by routes of `http`, which must run on the loop of `osc`.

    `presets` returns the names of presets; `actions` are those that the show carries out beside subscriptions.
    """

    def __init__(
        self,
        http: HttpServer,
        store: ParamStore,
        osc: OscServer,
        *,
        identity: Identity | None = None,
        presets: Presets = tuple,
        actions: Collection[str] = (),
    ) -> None:
        self.http = http
        self._store = store
        self._osc = osc
        self._identity = identity or Identity()
        self._presets = presets
        self._actions = (*FEEDBACK_ACTIONS, *actions)
        self._described: tuple[float, dict[str, Node]] = -math.inf, {}
        self._sessions = Sessions(store, osc, http, self._method)
        http.add_routes(Replies(http, self.node, self.host_info, self._sessions).routes())
        http.application.cleanup_ctx.append(self._served)
        http.application.on_shutdown.append(self._sessions.close)

    @property
    def clients(self) -> set[Client]:
        """The open WebSockets."""
        return self._sessions.clients

    @property
    def queues(self) -> dict[str, Fill]:
        """Messages for the client with the longest queue."""
        return self._sessions.queues

    def path_changed(self, path: str) -> None:
        """Tell clients to read a node again, such as /sdv2/preset when there is a new preset. Any thread."""
        self._osc.loop.call(self._sessions.path_changed, path)

    async def _served(self, application: web.Application) -> AsyncIterator[None]:
        """Listen to the news and announce the server while it runs."""
        async with AsyncExitStack() as stack:
            self._osc.news.listeners.append(self._sessions)
            stack.callback(self._osc.news.listeners.remove, self._sessions)
            if self._identity.announce:
                await stack.enter_async_context(announced(self._identity.name, self.http.host, self.http.port, self._osc.port))
            log.info("http://%s:%s describes the OSC addresses (OSCQuery)", self.http.host, self.http.port)
            yield

    def node(self, path: str) -> Node | None:
        """The current node at an OSC address, None when there is none."""
        described = self._methods()
        return described.get(path.rstrip("/")) or find(tree(described), path)

    def _method(self, path: str) -> Node | None:
        """The node of an address with a value, at most METHODS_S old: clients listen to one address after the other."""
        now = monotonic()
        if now - self._described[0] >= METHODS_S:
            self._described = now, self._methods()
        return self._described[1].get(path.rstrip("/"))

    def _methods(self) -> dict[str, Node]:
        return methods(
            self._store.latest(),
            presets=self._presets(),
            status=self._osc.news.now(),
            moving=self._osc.news.moving(),
            levels=self._osc.news.levels(),
            actions=self._actions,
            names=self._store.names,
        )

    def host_info(self) -> Mapping[str, Any]:
        """HOST_INFO. OSC_IP is left out: OSC is taken at the address of this request."""
        return {
            "NAME": self._identity.name,
            "OSC_PORT": self._osc.port,
            "OSC_TRANSPORT": "UDP",
            "EXTENSIONS": dict.fromkeys(EXTENSIONS, True),
        }
