"""Admission to the HTTP port: allowed hosts, the number of connections, and the choice of one to close for a new one.

Every decision falls before a byte is read, so silent or foreign connections use no lasting resources: a process has a limited
number of descriptors, and the engine needs some of them to start again.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from sdv2_live.control.throttle import ThrottledLog
from sdv2_live.stats import total
from sdv2_live.system.descriptors import most_descriptors

Address = tuple[str, int]

log = logging.getLogger("sdv2_live.oscquery")

MAX_CONNECTIONS = 192
MAX_OF_HOST = 32  # beside its WebSockets, which have limits of their own
FIRST_REQUEST_S = 10.0  # to send a whole request in
IDLE_S = 75.0  # between requests
RESERVE = 48  # descriptors that are left to the rest of the show; an engine's start takes about 12
PAUSE_S = 1.0  # after the system had no descriptor
MAX_LEAVING = 16  # connections turned away that are not closed yet: a third of RESERVE
LEAVE_S = 1.0  # for the other end to close, once it is told
MAX_LEFT = 65_536  # bytes that it has sent by then


@dataclass(slots=True)
class HttpCounters:
    """Totals since start."""

    barred: int = total("HTTP connections from outside the allowed networks.")
    gave_way: int = total("HTTP connections that were closed for newer ones.")
    turned_away: int = total("HTTP connections for which there was no place.")
    late: int = total("HTTP connections that were closed for silence.")
    malformed: int = total("What came by HTTP and was no request.")
    foreign: int = total("HTTP requests of other sites' pages, and by other machines' names.")
    tokenless: int = total("HTTP requests for the page without its token.")
    flooded: int = total("HTTP requests and commands beyond their rate.")
    held: int = total("Times that a WebSocket had to wait until OSC had caught up.")
    unread: int = total("Messages for WebSockets that were dropped because their clients do not read.")
    failures: int = total("The HTTP server's own mistakes, which are logged in full.")


@dataclass(slots=True, eq=False)
class Connection:
    """One open connection.

    Attributes:
        since: time of the last request, or of the connection's start before any; seconds of the loop's clock.
        transport: None until it is set up.
        asked: a request has come.
        kept: it is a WebSocket, which is never closed for a new connection.
    """

    host: str
    socket: socket.socket
    since: float
    transport: asyncio.WriteTransport | None = None
    asked: bool = False
    kept: bool = False

    @property
    def gone(self) -> bool:
        """True when its descriptor is free again: a closing transport keeps it until all data is sent."""
        return self.socket.fileno() < 0

    def end(self) -> None:
        """Close it at once and drop unsent data."""
        if self.transport is not None:
            self.transport.abort()


@dataclass(eq=False)
class Door:
    """Accepts connections for `protocol`. All methods belong to the event loop.

    Attributes:
        listener: a socket that listens already.
        protocol: makes the protocol of one connection.
        may_enter: returns True when a host's network is allowed.
    """

    listener: socket.socket
    protocol: Callable[[], asyncio.BaseProtocol]
    may_enter: Callable[[str], bool]
    counters: HttpCounters
    say: ThrottledLog = field(default_factory=lambda: ThrottledLog(log))
    _open: dict[Address, Connection] = field(default_factory=dict)
    _leaving: set[asyncio.Task[None]] = field(default_factory=set)

    async def keep(self) -> None:
        """Accept connections until cancelled; other tasks run after each one."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as leaving:
            while True:
                try:
                    accepted, (host, port, *_) = await loop.sock_accept(self.listener)
                except OSError as error:  # no descriptor is left, or the client is gone already
                    self.say.warning("a connection could not be taken: %s", error.strerror or error)
                    await asyncio.sleep(PAUSE_S)
                    continue
                if refusal := self._refusal(host, accepted):
                    self._turn_away(accepted, refusal, leaving)
                else:
                    await self._take_in(accepted, (host, port))
                await asyncio.sleep(0)

    def close(self) -> None:
        """End all connections."""
        for connection in self._open.values():
            connection.end()
        self._open.clear()

    def asked(self, peer: Address, *, keep: bool = False) -> None:
        """Note a request from this peer. keep: it is a WebSocket from now on, which has limits of its own."""
        if connection := self._open.get(peer):
            connection.since, connection.asked = asyncio.get_running_loop().time(), True
            connection.kept = connection.kept or keep

    def sweep(self) -> None:
        """Close connections that have been silent for too long. Call it regularly."""
        now = asyncio.get_running_loop().time()
        for connection in self._present():
            if not connection.kept and now - connection.since > (IDLE_S if connection.asked else FIRST_REQUEST_S):
                self.counters.late += 1
                connection.end()

    def _refusal(self, host: str, accepted: socket.socket) -> bytes:
        """The answer to a host that gets no connection, empty for one that does; may close another connection to make room."""
        if not self.may_enter(host):
            self.counters.barred += 1
            self.say.warning("%s is not in osc.allow; its HTTP connections are closed unread", host)
            return _answer("403 Forbidden", "this address is not in osc.allow")
        present = self._present()
        idle = [one for one in present if not one.kept]
        own = [one for one in idle if one.host == host]
        if len(own) < MAX_OF_HOST and len(present) < MAX_CONNECTIONS and accepted.fileno() < most_descriptors() - RESERVE:
            return b""
        if not idle:
            self.counters.turned_away += 1
            self.say.warning("%s gets no HTTP connection: %d are open", host, len(present))
            return _answer("503 Service Unavailable", "too many connections; close one of them")
        self.counters.gave_way += 1
        min(own if len(own) >= MAX_OF_HOST else idle, key=lambda one: one.since).end()
        return b""

    async def _take_in(self, accepted: socket.socket, peer: Address) -> None:
        loop = asyncio.get_running_loop()
        connection = self._open[peer] = Connection(peer[0], accepted, loop.time())
        try:
            connection.transport, _ = await loop.connect_accepted_socket(self.protocol, accepted)
        except OSError as error:
            log.debug("%s has gone already: %s", peer[0], error)
            accepted.close()

    def _turn_away(self, accepted: socket.socket, answer: bytes, leaving: asyncio.TaskGroup) -> None:
        """Send the reason and close once it has arrived, or at once when many are leaving."""
        try:
            accepted.send(answer)
            accepted.shutdown(socket.SHUT_WR)
        except OSError as error:
            log.debug("a connection was closed without a word: %s", error)
        if len(self._leaving) < MAX_LEAVING:
            task = leaving.create_task(_see_off(accepted))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
        else:
            accepted.close()

    def _present(self) -> list[Connection]:
        self._open = {peer: one for peer, one in self._open.items() if not one.gone}
        return list(self._open.values())


def _answer(status: str, why: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(why) + 1}\r\n\r\n{why}\n".encode()


async def _see_off(accepted: socket.socket) -> None:
    """Wait for the other end of a refused connection to close it, then close it too; time and bytes are limited.

    Closing it with unread data would reset it, and the other end could lose the answer (RFC 9112, 9.6).
    """
    loop = asyncio.get_running_loop()
    with accepted:
        try:
            async with asyncio.timeout(LEAVE_S):
                left = MAX_LEFT
                while left > 0 and (said := await loop.sock_recv(accepted, MAX_LEFT)):
                    left -= len(said)
        except OSError as error:  # a TimeoutError among them
            log.debug("a connection was turned away, and not closed by its other end: %s", error or "in time")
