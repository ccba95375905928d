"""One WebSocket client of OSCQuery: the addresses it listens to, and its waiting messages.

Belongs to the control loop.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from aiohttp import ClientError, web

from sdv2_live.control.http.door import Address, HttpCounters
from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.osc.news import RATE, Args, Outbox
from sdv2_live.control.osc.packet import encode
from sdv2_live.control.osc.subscriber import Peer
from sdv2_live.control.oscquery.tree import READ, Node, arguments
from sdv2_live.control.store import ParamStore

log = logging.getLogger("sdv2_live.oscquery")

MAX_WAITING = 256  # answers and commands that a client may leave unread; older ones are dropped
MAX_UNREAD = 1 << 18  # bytes of them


class Client:
    """Sends on a task of its own, so that a slow reader delays no other client."""

    def __init__(
        self,
        stream: web.WebSocketResponse,
        peer: Address,
        store: ParamStore,
        counters: HttpCounters,
    ) -> None:
        self._stream = stream
        self._store = store
        self._counters = counters
        self._listening: set[str] = set()  # addresses
        self._news = Outbox()
        self._waiting: deque[bytes | str] = deque()
        self._unread = 0  # bytes of these
        self._awake = asyncio.Event()
        self.peer = Peer(*peer, self._queue, tcp=True)
        self._task = asyncio.create_task(self._send())

    async def close(self) -> None:
        """Stop sending and close the connection."""
        self._task.cancel()
        await self._stream.close()

    @property
    def waiting(self) -> int:
        """Number of unsent answers and commands, at most MAX_WAITING."""
        return len(self._waiting)

    def command(self, text: str, find: Callable[[str], Node | None], status: Mapping[str, Args]) -> None:
        """Carry out LISTEN or IGNORE. Other commands are ignored, as the proposal allows."""
        try:
            request = json.loads(text)
            command, address = str(request["COMMAND"]).upper(), str(request["DATA"])
        except (ValueError, TypeError, KeyError, RecursionError):
            log.debug("%s:%s sent what is no OSCQuery command", self.peer.host, self.peer.port)
            return
        if command == "IGNORE":
            self._listening.discard(address)
        elif command == "LISTEN" and (node := find(address)) and node["ACCESS"] & READ:
            address = node["FULL_PATH"]
            self._listening.add(address)
            if self._store.names.find(address.removeprefix(ROOT)):
                self._mark(address)
            elif address in status:
                self.tell({address: status[address]})

    def order(self, command: str, data: str) -> None:
        """Send a command of the server, such as PATH_CHANGED."""
        self._queue(json.dumps({"COMMAND": command, "DATA": data}))

    def changed(self, names: Iterable[str]) -> None:
        """Send the new values of these parameters. Triggers may be among them; no client can listen to one."""
        for name in names:
            for spoken in self._store.names.all_of(name):
                self._mark(ROOT + spoken)

    def tell(self, messages: Mapping[str, Args]) -> None:
        """Send those messages that it listens to, with numbers as their nodes describe them."""
        for address, args in messages.items():
            self._mark(address, tuple(arg if isinstance(arg, str) else float(arg) for arg in args))

    def _mark(self, address: str, args: Args | None = None) -> None:
        if address in self._listening:
            self._news.put(address, args)
            self._awake.set()

    def _queue(self, message: bytes | str) -> None:
        self._waiting.append(message)
        self._unread += len(message)
        while len(self._waiting) > MAX_WAITING or self._unread > MAX_UNREAD:
            self._next()
            self._counters.unread += 1
        self._awake.set()

    def _next(self) -> bytes | str:
        message = self._waiting.popleft()
        self._unread -= len(message)
        return message

    async def _send(self) -> None:
        try:
            while True:
                await self._awake.wait()
                self._awake.clear()
                while self._waiting:
                    await self._send_one(self._next())
                for _ in range(len(self._news)):
                    address, args = self._news.take()
                    if args is None:
                        args = arguments(address.removeprefix(ROOT), self._store.latest(), self._store.names)
                    await self._send_one(encode(address, *args))
                await asyncio.sleep(1 / RATE)
        except (ConnectionError, ClientError, RuntimeError) as error:  # it has gone; its reader notices too
            log.debug("%s:%s is gone: %s", self.peer.host, self.peer.port, error)

    async def _send_one(self, message: bytes | str) -> None:
        await (self._stream.send_bytes(message) if isinstance(message, bytes) else self._stream.send_str(message))
