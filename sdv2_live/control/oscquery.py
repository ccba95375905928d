"""OSCQuery: the address space over HTTP, for programs that build their controls from it (Chataigne, ossia score, MadMapper).

GET answers a node as JSON, `?VALUE` and the like one attribute of it, `?HOST_INFO` where OSC is taken. A WebSocket on the same
port streams values (LISTEN, IGNORE), tells of changed nodes (PATH_CHANGED) and takes OSC packets. What a node says is in
`oscquerytree`; source: the OSCQuery proposal (github.com/Vidvox/OSCQueryProposal).

Runs on a thread of its own, so that a browser never holds up OSC. Answers this machine and the networks of `osc.allow` only,
and no web page of another origin: a page that the performer happens to have open could otherwise play the show.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from aiohttp import WSMsgType, web

from sdv2_live.control.access import Access
from sdv2_live.control.announce import announced
from sdv2_live.control.osc import OscServer
from sdv2_live.control.oscfeedback import Status
from sdv2_live.control.oscqueryclient import MAX_WAITING, Client
from sdv2_live.control.oscquerytree import ATTRIBUTES, EXTENSIONS, NO_VALUE, WRITE, Node, find, tree
from sdv2_live.control.oscsocket import bind_listener
from sdv2_live.control.store import Change, ParamStore
from sdv2_live.stats import Fill

log = logging.getLogger("sdv2_live.oscquery")

MAX_CLIENTS = 16  # WebSockets
MAX_RATE = 500  # requests and commands a second of one host; a client reads a tree once and listens to all of it
MAX_MESSAGE = 65_536  # bytes of a WebSocket message, as large as a datagram can be
HEARTBEAT_S = 20.0  # between pings; a client that answers none is dropped
STATUS_PERIOD_S = 0.5
_START_TIMEOUT_S = 10.0
_SHUTDOWN_S = 1.0

Presets = Callable[[], Sequence[str]]
Page = Callable[[], tuple[bytes, str]]  # a further page's body and content type; must not block


class Identity(NamedTuple):
    """How the server presents itself. `announce`: by mDNS, so that clients find it by its name."""

    name: str = "sdv2-live"
    announce: bool = False


class OscQueryServer:
    """Describes what `osc` takes and `store` holds. The port is bound on construction; `start` begins to answer.

    Use as a context manager, or call `close`, which may be called any number of times.

    allow: networks whose hosts may ask; see `Access`. presets: names that can be recalled. status: numbers and words of the
    show, read-only nodes; must not block. actions: the actions that the show carries out. pages: by path, what else is answered.
    """

    def __init__(
        self,
        store: ParamStore,
        osc: OscServer,
        port: int = 0,
        *,
        identity: Identity | None = None,
        allow: Sequence[str] = (),
        presets: Presets = tuple,
        status: Status | None = None,
        actions: Collection[str] = (),
        pages: Mapping[str, Page] | None = None,
    ) -> None:
        """Bind to the host of `osc`. Raises ConfigError, with the remedy, when the port cannot be had; 0 takes any free port."""
        self._access = Access(allow, MAX_RATE, "osc.allow")
        self._socket = bind_listener(osc.host, port, "oscquery.port")
        self.host, self.port = self._socket.getsockname()[:2]
        self._store = store
        self._osc = osc
        self._identity = identity or Identity()
        self._presets = presets
        self._status = status
        self._actions = tuple(actions)
        self._pages = dict(pages or {})
        self.clients: set[Client] = set()
        self.failures = 0
        self._connections = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="oscquery", daemon=True)

    def start(self) -> None:
        """Begin to answer; returns when the server does."""
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT_S):
            log.error("not answering on %s:%s; the show goes on without OSCQuery", self.host, self.port)

    @property
    def queues(self) -> dict[str, Fill]:
        """Messages for the client that has left the most of them unread."""
        return {"oscquery": Fill(max((client.waiting for client in tuple(self.clients)), default=0), MAX_WAITING)}

    def close(self) -> None:
        """Stop answering and release the port."""
        if self._thread.is_alive() and self._stop is not None:
            self._call(self._stop.set)
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def path_changed(self, path: str) -> None:
        """Have clients read a node again, such as /sdv2/preset when there is a new preset. Any thread."""

        def tell() -> None:
            for client in self.clients:
                client.command("PATH_CHANGED", path)

        self._call(tell)

    def _call(self, function: Callable[..., Any], *args: Any) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has closed: there is nobody left to tell
                self._loop.call_soon_threadsafe(function, *args)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            self.failures += 1
            log.exception("OSCQuery stopped; the show goes on without it")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        application = web.Application(middlewares=[self._guard], client_max_size=MAX_MESSAGE)
        application.router.add_get("/{path:.*}", self._get)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        async with AsyncExitStack() as stack:
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.SockSite(runner, self._socket).start()
            stack.callback(self._store.add_listener(self._changed))
            if self._identity.announce:
                await stack.enter_async_context(announced(self._identity.name, self.host, self.port, self._osc.port))
            self._ready.set()
            log.info("http://%s:%s describes the OSC addresses (OSCQuery)", self.host, self.port)
            while not self._stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), STATUS_PERIOD_S)
                self._tell_status()
            for client in list(self.clients):
                await client.close()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
        """Refuse other networks than the OSC server takes, and web pages of another origin."""
        if not self._access.may_send(_peer(request)[0]):
            raise web.HTTPForbidden(text="this address is not in osc.allow\n")
        if not _own_name(request.host) or not _same_origin(request):
            raise web.HTTPForbidden(text="web pages of another origin are not answered\n")
        if not self._access.within_rate(_peer(request)[0]):
            raise web.HTTPTooManyRequests(text=f"more than {MAX_RATE} requests a second\n")
        response: web.StreamResponse = await handler(request)
        return response

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request)
        if request.path in self._pages:
            body, content_type = self._pages[request.path]()
            return web.Response(body=body, headers={"Content-Type": content_type})
        if "HOST_INFO" in request.query:
            return web.json_response(self.host_info())
        wanted = list(request.query)
        if unknown := [name for name in wanted if name not in ATTRIBUTES]:
            raise web.HTTPBadRequest(text=f"there is no attribute {unknown[0][:40]!r}; there are {', '.join(ATTRIBUTES)}\n")
        node = find(self.tree(), request.path)
        if node is None:
            raise web.HTTPNotFound(text=f"there is no OSC address {request.path[:200]!r}\n")
        if "VALUE" in wanted and node["ACCESS"] in (NO_VALUE, WRITE):
            raise web.HTTPNoContent
        return web.json_response({name: node[name] for name in wanted if name in node} if wanted else node)

    def tree(self) -> Node:
        """Every node as it is now."""
        status = self._status() if self._status is not None else {}
        known = self._store.names
        return tree(self._store.latest(), presets=self._presets(), status=status, actions=self._actions, names=known)

    def host_info(self) -> Mapping[str, Any]:
        """HOST_INFO. OSC_IP is left out: OSC is taken at the address at which this was asked."""
        return {
            "NAME": self._identity.name,
            "OSC_PORT": self._osc.port,
            "OSC_TRANSPORT": "UDP",
            "EXTENSIONS": dict.fromkeys(EXTENSIONS, True),
        }

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if self._connections >= MAX_CLIENTS:
            raise web.HTTPServiceUnavailable(text=f"{MAX_CLIENTS} clients are connected; close one of them\n")
        self._connections += 1
        try:
            stream = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE)
            await stream.prepare(request)
            await self._converse(stream, Client(stream, *_peer(request), self._store, asyncio.get_running_loop()))
        finally:
            self._connections -= 1
        return stream

    async def _converse(self, stream: web.WebSocketResponse, client: Client) -> None:
        self.clients.add(client)
        try:
            async for message in stream:
                if message.type is WSMsgType.TEXT and self._access.within_rate(client.peer.host):
                    client.told(message.data, self.tree)
                elif message.type is WSMsgType.BINARY:
                    self._osc.receive(message.data, client.peer)
        finally:
            self.clients.discard(client)
            self._osc.forget(client.peer)
            await client.close()

    def _changed(self, change: Change) -> None:
        """Listener of the store; any thread."""
        if self.clients:
            self._call(self._mark, tuple(change.values))

    def _mark(self, names: tuple[str, ...]) -> None:
        for client in self.clients:
            client.mark(names)

    def _tell_status(self) -> None:
        listening = [client for client in self.clients if client.hears_status]
        if listening and self._status is not None:
            news = dict(self._status())
            for client in listening:
                client.mark_status(news)


def _peer(request: web.Request) -> tuple[str, int]:
    assert request.transport is not None
    host, port = request.transport.get_extra_info("peername")[:2]
    return host, port


def _own_name(host: str) -> bool:
    """Whether a Host header means this machine by address or by its own name, and not by a name that somebody pointed here."""
    name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    with suppress(ValueError):
        ipaddress.ip_address(name.partition("%")[0])
        return True
    own = socket.gethostname().lower()
    return name in ("localhost", own, own.partition(".")[0]) or name.endswith(".local")


def _same_origin(request: web.Request) -> bool:
    origin = request.headers.get("Origin")  # browsers send it, programs do not
    return origin is None or urlsplit(origin).netloc.lower() == request.host.lower()
