"""OSCQuery: the address space over HTTP, for programs that build their controls from it (Chataigne, ossia score, MadMapper).

GET answers a node as JSON, `?VALUE` and the like one attribute of it, `?HOST_INFO` where OSC is taken: see `replies`. A
WebSocket on the same port streams values and takes OSC packets: see `websockets`. What a node says is in `tree`;
source: the OSCQuery proposal (github.com/Vidvox/OSCQueryProposal).

Runs on a thread of its own, so that a browser never holds up OSC. Who gets a connection is settled in `http.door`, whose requests
are answered in `origin`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiohttp import web

from sdv2_live.control.access import Access
from sdv2_live.control.http.door import IDLE_S, Door, HttpCounters
from sdv2_live.control.http.log import RequestLog
from sdv2_live.control.http.origin import OwnNames
from sdv2_live.control.osc.feedback import Status
from sdv2_live.control.osc.server import OscServer
from sdv2_live.control.osc.sockets import bind_listener
from sdv2_live.control.oscquery.announce import announced
from sdv2_live.control.oscquery.replies import MAX_RATE, REFUSED_S, Page, Requests
from sdv2_live.control.oscquery.session import Client
from sdv2_live.control.oscquery.tree import EXTENSIONS, Node, find, methods, tree
from sdv2_live.control.oscquery.websockets import Sessions
from sdv2_live.control.store import Change, ParamStore
from sdv2_live.stats import Fill
from sdv2_live.system.clock import monotonic
from sdv2_live.system.sockets import Loop
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.oscquery")

FEEDBACK_ACTIONS = ("subscribe", "unsubscribe", "dump")  # which the OSC server carries out by itself
STATUS_PERIOD_S = 0.5
METHODS_S = 0.1
_START_TIMEOUT_S = 10.0
_SHUTDOWN_S = 0.3

Presets = Callable[[], Sequence[str]]


class Identity(NamedTuple):
    """How the server presents itself. `announce`: by mDNS, so that clients find it by its name."""

    name: str = "sdv2-live"
    announce: bool = False


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
        self.counters = HttpCounters()
        self._described: tuple[float, dict[str, Node]] = -math.inf, {}
        self._sessions = Sessions(store, osc, self._method, status, self._access, self.counters)
        names = OwnNames(hosts)
        self._requests = Requests(self.node, self.host_info, self._sessions, pages or {}, names, self._access, self.counters)
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
    def clients(self) -> set[Client]:
        """The WebSockets that are open."""
        return self._sessions.clients

    @property
    def queues(self) -> dict[str, Fill]:
        """Messages for the client that has left the most of them unread."""
        return self._sessions.queues

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
        self._call(self._sessions.path_changed, path)

    def _report_bug(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.counters.failures += 1
        log.error("%s", context.get("message"), exc_info=context.get("exception"))

    def _call(self, function: Callable[..., Any], *args: Any) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has closed: there is nobody left to tell
                self._loop.call_soon_threadsafe(function, *args)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=Loop) as runner:
                runner.run(self._serve())
        except Exception:
            self.counters.failures += 1
            log.exception("OSCQuery stopped; the show goes on without it")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._loop.set_exception_handler(self._report_bug)
        runner = web.AppRunner(
            self._requests.application(),
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
            door = Door(self._socket, runner.server, lambda host: self._access.may_send(host), self.counters)
            stack.callback(door.close)
            self._requests.door = door
            self._socket.listen()
            accepting = asyncio.create_task(door.keep())
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
                door.sweep()
                self._sessions.tell_status()
            await self._sessions.close(_SHUTDOWN_S)

    def node(self, path: str) -> Node | None:
        """The node at an OSC address as it is now, None when there is none."""
        described = self._methods()
        return described.get(path.rstrip("/")) or find(tree(described), path)

    def _method(self, path: str) -> Node | None:
        """The node of what takes or gives a value, at most METHODS_S old: clients listen to one address after the other."""
        now = monotonic()
        if now - self._described[0] >= METHODS_S:
            self._described = now, self._methods()
        return self._described[1].get(path.rstrip("/"))

    def _methods(self) -> dict[str, Node]:
        return methods(
            self._store.latest(),
            presets=self._presets(),
            status=self._status() if self._status is not None else None,
            actions=self._actions,
            names=self._store.names,
        )

    def host_info(self) -> Mapping[str, Any]:
        """HOST_INFO. OSC_IP is left out: OSC is taken at the address at which this was asked."""
        return {
            "NAME": self._identity.name,
            "OSC_PORT": self._osc.port,
            "OSC_TRANSPORT": "UDP",
            "EXTENSIONS": dict.fromkeys(EXTENSIONS, True),
        }

    def _changed(self, change: Change) -> None:
        """Listener of the store; any thread."""
        if self._sessions.changed(change):
            self._call(self._sessions.tell_news)
