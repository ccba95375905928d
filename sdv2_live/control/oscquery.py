"""OSCQuery: the address space over HTTP, for programs that build their controls from it (Chataigne, ossia score, MadMapper).

GET answers a node as JSON, `?VALUE` and the like one attribute of it, `?HOST_INFO` where OSC is taken. A WebSocket on the same
port streams values (LISTEN, IGNORE), tells of changed nodes (PATH_CHANGED) and takes OSC packets. What a node says is in
`oscquerytree`; source: the OSCQuery proposal (github.com/Vidvox/OSCQueryProposal).

Runs on a thread of its own, so that a browser never holds up OSC. Who gets a connection is settled in `httpdoor`, whose requests
are answered in `origin`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiohttp import WSMsgType, web

from sdv2_live.control.access import Access
from sdv2_live.control.announce import announced
from sdv2_live.control.httpdoor import IDLE_S, Address, Door, HttpCounters
from sdv2_live.control.httplog import RequestLog
from sdv2_live.control.origin import OwnNames, refusal
from sdv2_live.control.osc import OscServer
from sdv2_live.control.oscfeedback import Status
from sdv2_live.control.oscqueryclient import MAX_WAITING, Client
from sdv2_live.control.oscquerytree import ATTRIBUTES, EXTENSIONS, READ, Node, find, methods, tree
from sdv2_live.control.oscsocket import bind_listener
from sdv2_live.control.store import Change, ParamStore
from sdv2_live.stats import Fill
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.oscquery")

FEEDBACK_ACTIONS = ("subscribe", "unsubscribe", "dump")  # which the OSC server carries out by itself
MAX_CLIENTS = 16  # WebSockets
MAX_RATE = 500  # requests and commands a second of one host; a client reads a tree once and listens to all of it
MAX_MESSAGE = 65_536  # bytes of a WebSocket message, as large as a datagram can be
HEARTBEAT_S = 20.0  # between pings; a client that answers none is dropped
STATUS_PERIOD_S = 0.5
PAGE_S = 0.1  # for which a page is good: it is answered whatever else is asked, and costs little then
REFUSED_S = 0.05  # until a refusal is sent: whoever goes on asking shall not keep this thread busy with it
HELD_S = 0.05  # until a client counts as one that OSC cannot keep up with
_START_TIMEOUT_S = 10.0
_SHUTDOWN_S = 0.3

Presets = Callable[[], Sequence[str]]
Page = Callable[[], tuple[bytes, str]]  # a further page's body and content type; must not block


class Identity(NamedTuple):
    """How the server presents itself. `announce`: by mDNS, so that clients find it by its name."""

    name: str = "sdv2-live"
    announce: bool = False


class _Pages:
    """What is answered beside OSCQuery, by path; each page is made at most every PAGE_S."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = pages
        self._made: dict[str, tuple[float, tuple[bytes, str]]] = {}

    def get(self, path: str) -> tuple[bytes, str] | None:
        """Body and content type, None for an unknown path."""
        now, (made, page) = time.monotonic(), self._made.get(path, (-math.inf, None))
        if path in self._pages and now - made >= PAGE_S:
            page = self._pages[path]()
            self._made[path] = now, page
        return page


class OscQueryServer:
    """Describes what `osc` takes and `store` holds. The port is bound on construction; `start` begins to answer.

    Use as a context manager, or call `close`, which may be called any number of times.

    allow: networks whose hosts may ask; see `Access`. hosts: names of this machine beside its own; see `OwnNames`. presets: names
    that can be recalled. status: numbers and words of the show, read-only nodes; must not block. actions: the actions that the
    show carries out beside subscriptions. pages: by path, what else is answered.
    """

    def __init__(
        self,
        store: ParamStore,
        osc: OscServer,
        port: int = 0,
        *,
        identity: Identity | None = None,
        allow: Sequence[str] = (),
        hosts: Sequence[str] = (),
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
        self._actions = (*FEEDBACK_ACTIONS, *actions)
        self._pages = _Pages(pages or {})
        self._names = OwnNames(hosts)
        self.clients: set[Client] = set()
        self.counters = HttpCounters()
        self._connections = 0
        self._news: set[str] = set()  # parameters that have changed since clients were told
        self._lock = threading.Lock()
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
            ended(self._thread)
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

    def _report_bug(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.counters.failures += 1
        log.error("%s", context.get("message"), exc_info=context.get("exception"))

    def _call(self, function: Callable[..., Any], *args: Any) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has closed: there is nobody left to tell
                self._loop.call_soon_threadsafe(function, *args)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            self.counters.failures += 1
            log.exception("OSCQuery stopped; the show goes on without it")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._loop.set_exception_handler(self._report_bug)
        application = web.Application(middlewares=[self._guard], client_max_size=MAX_MESSAGE)
        application.router.add_get("/{path:.*}", self._get)
        runner = web.AppRunner(
            application,
            access_log=None,
            logger=RequestLog(self.counters),
            keepalive_timeout=IDLE_S,
            lingering_time=REFUSED_S,
            shutdown_timeout=_SHUTDOWN_S,
        )
        async with AsyncExitStack() as stack:
            await runner.setup()
            assert runner.server is not None
            stack.push_async_callback(runner.cleanup)
            self._door = Door(self._socket, runner.server, lambda host: self._access.may_send(host), self.counters)
            stack.callback(self._door.close)
            self._socket.listen()
            accepting = asyncio.create_task(self._door.keep())
            stack.callback(accepting.cancel)
            stack.callback(self._store.add_listener(self._changed))
            if self._identity.announce:
                await stack.enter_async_context(announced(self._identity.name, self.host, self.port, self._osc.port))
            self._ready.set()
            log.info("http://%s:%s describes the OSC addresses (OSCQuery)", self.host, self.port)
            stopping = asyncio.create_task(self._stop.wait())
            while not stopping.done():
                await asyncio.wait({accepting, stopping}, timeout=STATUS_PERIOD_S, return_when=asyncio.FIRST_COMPLETED)
                if accepting.done():
                    accepting.result()
                self._door.sweep()
                self._tell_status()
            if farewells := [asyncio.create_task(client.close()) for client in self.clients]:
                await asyncio.wait(farewells, timeout=_SHUTDOWN_S)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
        """Refuse web pages of another origin, and names that are not this machine's."""
        self._door.asked(_peer(request))
        if reason := refusal(request.headers, self._names, _address(request, "sockname")[0]):
            self.counters.foreign += 1
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
            return web.json_response(self.host_info())
        if not self._access.within_rate(_peer(request)[0]):
            self.counters.flooded += 1
            await asyncio.sleep(REFUSED_S)
            raise web.HTTPTooManyRequests(text=f"more than {MAX_RATE} requests a second\n")
        return await self._websocket(request) if websocket else self._node(request)

    def _node(self, request: web.Request) -> web.StreamResponse:
        wanted = list(request.query)
        if unknown := [name for name in wanted if name not in ATTRIBUTES]:
            raise web.HTTPBadRequest(text=f"there is no attribute {unknown[0][:40]!r}; there are {', '.join(ATTRIBUTES)}\n")
        node = self.node(request.path)
        if node is None:
            raise web.HTTPNotFound(text=f"there is no OSC address {request.path[:200]!r}\n")
        if wanted:
            told = {name: node[name] for name in wanted if name in node and (name != "VALUE" or node["ACCESS"] & READ)}
            node = told or None
        if node is None:
            raise web.HTTPNoContent
        return web.json_response(node)

    def node(self, path: str) -> Node | None:
        """The node at an OSC address as it is now, None when there is none."""
        described = methods(
            self._store.latest(),
            presets=self._presets(),
            status=self._status() if self._status is not None else None,
            actions=self._actions,
            names=self._store.names,
        )
        return described.get(path.rstrip("/")) or find(tree(described), path)

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
            stream = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE, compress=False)
            await stream.prepare(request)
            self._door.asked(_peer(request), keep=True)
            await self._converse(stream, Client(stream, _peer(request), self._store, asyncio.get_running_loop(), self.counters))
        finally:
            self._connections -= 1
        return stream

    async def _converse(self, stream: web.WebSocketResponse, client: Client) -> None:
        self.clients.add(client)
        try:
            async for message in stream:
                if message.type is WSMsgType.BINARY:
                    await self._hand_over(message.data, client)
                elif message.type is WSMsgType.TEXT:
                    if self._access.within_rate(f"{client.peer.host}:{client.peer.port}"):
                        client.told(message.data, self.node)
                    else:
                        self.counters.flooded += 1
        finally:
            self.clients.discard(client)
            self._osc.forget(client.peer)
            await client.close()

    async def _hand_over(self, packet: bytes, client: Client) -> None:
        """Have OSC read a packet, and read no further from this client until it has."""
        taken = asyncio.wrap_future(self._osc.receive(packet, client.peer))
        if (await asyncio.wait({taken}, timeout=HELD_S))[1]:
            self.counters.held += 1
            await taken

    def _changed(self, change: Change) -> None:
        """Listener of the store; any thread."""
        if self.clients:
            with self._lock:
                first = not self._news
                self._news |= change.values.keys()
            if first:
                self._call(self._tell_news)

    def _tell_news(self) -> None:
        with self._lock:
            names, self._news = self._news, set()
        for client in self.clients:
            client.mark(names)

    def _tell_status(self) -> None:
        listening = [client for client in self.clients if client.hears_status]
        if listening and self._status is not None:
            news = dict(self._status())
            for client in listening:
                client.mark_status(news)


def _peer(request: web.Request) -> Address:
    return _address(request, "peername")


def _address(request: web.Request, end: str) -> Address:
    """The host and port of one end of its connection."""
    found = request.transport and request.transport.get_extra_info(end)
    if not found:  # the client has gone meanwhile: nobody will read this
        raise web.HTTPBadRequest
    return found[0], found[1]
