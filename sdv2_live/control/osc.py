"""The OSC server: one thread that turns packets into parameter changes.

Whatever arrives, the server lives on: a broken packet, a wrong address or type costs only itself and is counted, logged and
answered on `/sdv2/error`. A bundle's messages reach the same chunk; one with a future time tag waits without holding anything up.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from sdv2_live.control.addresses import ROOT, Setting, meaning
from sdv2_live.control.oscpacket import IMMEDIATELY, Message, encode, read_packet
from sdv2_live.control.params import PARAMS, Kind
from sdv2_live.control.store import ParamStore
from sdv2_live.control.throttle import Throttle
from sdv2_live.errors import ConfigError, ParamError

log = logging.getLogger("sdv2_live.osc")

ERROR = ROOT + "error"  # address, reason
WARNING = ROOT + "warning"  # address, what was clamped
MAX_AHEAD_S = 600.0  # time tags beyond this speak of a wrong clock
MAX_WAITING = 1024  # bundles
RECEIVE_BUFFER = 1 << 20  # bytes: a fader storm during one slow moment
_START_TIMEOUT_S = 5.0

Peer = tuple[Any, ...]  # socket address: host, port, and for IPv6 more


@dataclass(slots=True)
class OscCounters:
    """Totals since start. `refused` counts messages, `malformed` packets or parts of packets that are not OSC, `failures`
    mistakes of the server itself, which are logged in full."""

    packets: int = 0
    messages: int = 0
    refused: int = 0
    malformed: int = 0
    scheduled: int = 0
    failures: int = 0


class OscServer:
    """Listens on UDP and writes to a `ParamStore`.

    The socket is bound on construction, so that a port in use is known before a show starts; `start` begins to listen. Use as a
    context manager, or call `close`, which may be called any number of times.
    """

    def __init__(self, store: ParamStore, host: str = "127.0.0.1", port: int = 9000) -> None:
        """Bind. Raises ConfigError, with the remedy, when the address cannot be had. Port 0 takes any free port."""
        self._store = store
        self._socket = _bind(host, port)
        self.host, self.port = self._socket.getsockname()[:2]
        self.counters = OscCounters()
        self._log_throttle = Throttle(rate=5, burst=20)
        self._reply_throttle = Throttle(rate=20, burst=50)  # also keeps the server from being used as a reflector
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting = 0

    def start(self) -> None:
        """Begin to listen; returns when the server does."""
        self._thread.start()
        self._ready.wait(_START_TIMEOUT_S)
        log.info("OSC on %s:%s", self.host, self.port)

    def close(self) -> None:
        """Stop listening and release the port."""
        loop, stop = self._loop, self._stop
        if self._thread.is_alive() and loop is not None and stop is not None:
            loop.call_soon_threadsafe(stop.set)
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            self.counters.failures += 1
            log.exception("the OSC server stopped")

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(self._report_bug)
        self._transport, _ = await self._loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=self._socket)
        self._ready.set()
        await self._stop.wait()
        self._transport.close()

    def _report_bug(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.counters.failures += 1
        log.error("%s", context.get("message"), exc_info=context.get("exception"))

    def received(self, data: bytes, peer: Peer) -> None:
        """Take in one packet. Runs on the server's thread."""
        self.counters.packets += 1
        packet = read_packet(data)
        for reason in packet.broken:
            self.counters.malformed += 1
            self._tell(peer, ERROR, "", reason)
        for due, messages in packet.groups.items():
            delay = 0.0 if due == IMMEDIATELY else due - time.time()
            if delay <= 0:
                self._apply(messages, peer)
            else:
                self._schedule(delay, messages, peer)

    def _schedule(self, delay: float, messages: list[Message], peer: Peer) -> None:
        assert self._loop is not None
        if delay > MAX_AHEAD_S or self._waiting >= MAX_WAITING:
            why = f"{delay:.0f} s ahead; compare the clocks" if delay > MAX_AHEAD_S else f"but {MAX_WAITING} bundles wait already"
            self._refuse(peer, messages[0].address, f"the bundle's time tag is {why}", len(messages))
            return
        self._waiting += 1
        self.counters.scheduled += 1
        self._loop.call_later(delay, self._apply_late, messages, peer)

    def _apply_late(self, messages: list[Message], peer: Peer) -> None:
        self._waiting -= 1
        self._apply(messages, peer)

    def _apply(self, messages: list[Message], peer: Peer) -> None:
        """Apply what is usable of one bundle as one change."""
        values: dict[str, Any] = {}
        again: list[str] = []  # triggers that the bundle fires more than once
        senders: dict[str, str] = {}
        for message in messages:
            self.counters.messages += 1
            setting = self._meaning(message, peer)
            if setting is None:
                continue
            if setting.name in values and PARAMS[setting.name].kind is Kind.TRIGGER:
                again.append(setting.name)
            values[setting.name] = setting.value
            senders[setting.name] = message.address
        if not values:
            return
        origin = f"osc {peer[0]}:{peer[1]}"
        change = self._store.set_many(values, origin)
        for name in again:
            self._store.trigger(name, origin)
        for name, note in change.notes.items():
            self._tell(peer, WARNING, senders[name], note)

    def _meaning(self, message: Message, peer: Peer) -> Setting | None:
        if message.address in (ERROR, WARNING):
            return None  # never answer an answer: two servers would talk for ever
        try:
            return meaning(message.address, message.args)
        except ParamError as error:
            self._refuse(peer, message.address, str(error))
            return None

    def _refuse(self, peer: Peer, address: str, reason: str, count: int = 1) -> None:
        self.counters.refused += count
        self._tell(peer, ERROR, address, reason)

    def _tell(self, peer: Peer, kind: str, address: str, reason: str) -> None:
        if self._log_throttle.allow():
            more = self._log_throttle.take_suppressed()
            log.warning("%s:%s %s: %s%s", peer[0], peer[1], address, reason, f" ({more} more not shown)" if more else "")
        if self._transport is not None and self._reply_throttle.allow():
            self._transport.sendto(encode(kind, address[:200], reason[:500]), peer)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: OscServer) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        self._server.received(data, addr)

    def error_received(self, exc: Exception) -> None:
        log.debug("OSC: a reply could not be delivered: %s", exc)  # the sender went away; UDP says so at times


def _bind(host: str, port: int) -> socket.socket:
    where = f"osc: {host}:{port}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(
            f"{where}: no such address ({error}); set osc.host to 127.0.0.1 or an address of this machine"
        ) from error
    server = socket.socket(family, kind)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        server.bind(address)
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            what = f"is in use by another program; choose another port, as in --set osc.port={port + 1}"
        else:
            what = f"cannot be opened ({error.strerror}); set osc.host to 127.0.0.1 or an address of this machine"
        raise ConfigError(f"{where} {what}") from error
    server.setblocking(False)
    return server
