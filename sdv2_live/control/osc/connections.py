"""The TCP connections of the OSC server, with a limit on their number.

The system's keepalive detects a dead connection; a connection that begins a packet and does not end it is closed. When all
places are taken, a new connection replaces one without a subscription: of the host that has the most, first one that never
sent a packet, then the one that has been idle longest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sdv2_live.control.access import Access
from sdv2_live.control.osc.answers import ERROR, Answers
from sdv2_live.control.osc.dispatch import OscCounters
from sdv2_live.control.osc.framing import FramingError, OscStream
from sdv2_live.control.osc.reception import OscInput
from sdv2_live.control.osc.sockets import keep_alive, plain
from sdv2_live.control.osc.subscriber import Peer
from sdv2_live.control.osc.subscriptions import Subscriptions

MAX_CONNECTIONS = 16
MAX_UNSENT = 1 << 20  # bytes that a client may leave unread before it is dropped
PAUSE_S = 0.02  # while nothing more of a client is taken in


@dataclass(slots=True, eq=False)
class _Connection:
    peer: Peer
    writer: asyncio.StreamWriter
    since: float  # when its last packet came, or else it
    spoke: bool = False


class Connections:
    """Serves the connections of one server, on its event loop. `ended` is called with each peer that has gone."""

    def __init__(
        self,
        access: Access,
        counters: OscCounters,
        answers: Answers,
        osc_input: OscInput,
        subscriptions: Subscriptions,
        ended: Callable[[Peer], None],
    ) -> None:
        self._access = access
        self._counters = counters
        self._answers = answers
        self._input = osc_input
        self._subscriptions = subscriptions
        self._ended = ended
        self._all: set[_Connection] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one client's packets until either end hangs up."""
        host, port = writer.get_extra_info("peername")[:2]
        keep_alive(writer.get_extra_info("socket"))
        stream = OscStream(reader)
        peer = Peer(plain(host), port, _send(writer, stream), tcp=True)
        one = _Connection(peer, writer, asyncio.get_running_loop().time())
        try:
            if self._may_enter(one):
                self._all.add(one)
                await self._converse(one, stream)
        except FramingError as error:
            self._counters.malformed += 1
            self._answers.tell(peer, ERROR, "", f"the connection was closed: {error}")
        finally:
            self._all.discard(one)
            self._ended(peer)
            writer.close()

    async def _converse(self, one: _Connection, stream: OscStream) -> None:
        async for data in stream.packets():
            one.since, one.spoke = asyncio.get_running_loop().time(), True
            while not self._input.add(data, one.peer):
                await asyncio.sleep(PAUSE_S)  # nothing more is read of the stream meanwhile
        while self._input.waits(one.peer):
            await asyncio.sleep(PAUSE_S)  # the connection takes the answers

    def _may_enter(self, new: _Connection) -> bool:
        if not self._access.may_send(new.peer.host):
            self._counters.barred += 1
            self._answers.warn(new.peer.host, "is not in osc.allow; its connection was closed")
            return False
        if len(self._all) < MAX_CONNECTIONS:
            return True
        hosts = Counter(one.peer.host for one in self._all)
        idle = [one for one in self._all if not self._subscriptions.of(one.peer)]
        gone = max(idle, key=lambda one: (hosts[one.peer.host], not one.spoke, -one.since), default=new)
        self._counters.given_up += 1
        reason = "it was idle and gave way to a new one" if gone is not new else "all others are subscribed"
        text = f"the connection was closed: {MAX_CONNECTIONS} are served at a time, and {reason}"
        self._answers.tell(gone.peer, ERROR, "", text)
        self._all.discard(gone)
        gone.writer.close()
        return gone is not new


def _send(writer: asyncio.StreamWriter, stream: OscStream) -> Callable[[bytes], None]:
    def send(data: bytes) -> None:
        if writer.transport.get_write_buffer_size() > MAX_UNSENT:
            writer.transport.abort()  # it does not read; its connection ends, and with it its subscription
        elif not writer.is_closing():
            writer.write(stream.frame(data))

    return send
