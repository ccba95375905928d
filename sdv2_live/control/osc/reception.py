"""The order in which OSC packets are read: each in its sender's turn, a bundle of the future when its time has come.

The server survives any input: a broken packet, a wrong address or type costs only itself and is counted, logged and answered
on `/sdv2/error`. Messages are executed in `dispatch`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from functools import lru_cache

from sdv2_live.control.access import MAX_SENDERS
from sdv2_live.control.names import ParamNames
from sdv2_live.control.osc.answers import WARNING
from sdv2_live.control.osc.dispatch import Applier, OscCounters
from sdv2_live.control.osc.fair_queue import OVERHEAD, Turn, Turns, faders_of
from sdv2_live.control.osc.feedback import Feedback
from sdv2_live.control.osc.message import Message
from sdv2_live.control.osc.packet import IMMEDIATELY, read_packet
from sdv2_live.control.osc.subscriber import Peer
from sdv2_live.control.throttle import Repeats
from sdv2_live.stats import Fill
from sdv2_live.system.clock import monotonic, monotonic_ns

log = logging.getLogger("sdv2_live.osc")

MAX_AHEAD_S = 60.0  # time tags beyond this speak of a wrong clock
AHEAD_S = 1.0  # beyond what programs that send ahead leave for the way
LATE_S = 1.0  # a time tag so long past says nothing of the moment: the bundle was held up, or the clock is wrong
MANY_AHEAD = 3  # bundles of one sender, one after the other
HINT_S = 10.0  # between two hints to one sender
MESSAGE_BYTES = 500  # of a packet that are worth a message whatever is in them
TURNS_S = 0.01  # of reading at a stretch; then whatever else has come is taken in


@dataclass(slots=True)
class _Clock:
    """The offset of a sender's clock. ahead: number of bundles in a row that came well before their time."""

    ahead: int = 0


class OscInput:
    """Queues and reads packets. All methods but `queues` belong to the server's thread."""

    def __init__(self, applier: Applier, counters: OscCounters, names: ParamNames) -> None:
        self._applier = applier
        self._counters = counters
        self._turns = Turns(faders_of(names))
        self._reading: asyncio.Handle | None = None
        self._clock_of = lru_cache(maxsize=MAX_SENDERS)(lambda sender: _Clock())
        self._hints = Repeats(HINT_S)

    def begin(self, loop: asyncio.AbstractEventLoop, feedback: Feedback) -> None:
        """Receive the running server's parts. Call it before any packet is added."""
        self._loop = loop
        self._applier.begin(loop, feedback)

    @property
    def queues(self) -> dict[str, Fill]:
        """Bytes that wait to be read, and bytes of bundles that wait for their time, each of the sender that has the most."""
        return {"osc": self._turns.room.fill, "osc_ahead": self._turns.ahead.fill}

    def add(self, data: bytes, peer: Peer) -> bool:
        """Queue a packet; returns False when too much of its sender waits already."""
        added = self._turns.add(peer, data)
        self._counters.coalesced = self._turns.coalesced
        self._read_on()
        return added

    def waits(self, peer: Peer) -> bool:
        """True while a packet of the sender waits to be read."""
        return self._turns.waits(peer)

    def _read_on(self) -> None:
        self._reading = self._reading or self._loop.call_soon(self._take_turns)

    def _take_turns(self) -> None:
        self._reading = None
        end = monotonic() + TURNS_S
        while (turn := self._turns.next()) is not None:
            try:
                self._turns.did(turn.peer, self.read(turn))
            except Exception:  # as at a thread's top: one packet is lost, those that came with it are read
                self._counters.failures += 1
                log.exception("a packet from %s could not be read", turn.peer.host)
            if monotonic() >= end:
                self._read_on()
                return

    def read(self, turn: Turn) -> int:
        """Read one packet, or the messages of a bundle whose time has come. Returns the work done, in messages."""
        peer, item, arrived_ns = turn
        if not isinstance(item, bytes):
            return self._applier.apply(item, peer, arrived_ns)
        if not self._applier.within_rate(peer, 1):
            return 0
        self._counters.packets += 1
        packet = read_packet(item)
        self._applier.unreadable(packet.broken, peer)
        if packet.left_out:
            self._applier.cut_off(peer, "", packet.left_out)
        work = 0
        for due, messages in packet.groups.items():
            if not messages:
                continue  # a bundle may be empty
            delay = 0.0 if due == IMMEDIATELY else due - time.time()
            if due != IMMEDIATELY:
                self._compare_clocks(delay, messages[0].address, peer)
            at_ns = arrived_ns if due == IMMEDIATELY or delay < -LATE_S else monotonic_ns() + round(delay * 1e9)
            if delay <= 0:
                work = self._applier.apply(messages, peer, at_ns, work)
            else:
                self._schedule(delay, messages, peer, at_ns)
        return max(work, packet.read, len(item) // MESSAGE_BYTES, 1)

    def _compare_clocks(self, delay: float, address: str, peer: Peer) -> None:
        """Warn a sender whose bundles keep coming well before their time: its every move shows late."""
        clock = self._clock_of(peer.origin)
        clock.ahead = clock.ahead + 1 if delay > AHEAD_S else 0
        if clock.ahead >= MANY_AHEAD and delay <= MAX_AHEAD_S and self._hints.due(peer.origin) is not None:
            reason = f"the time tags of your bundles are {delay:.1f} s ahead, and so long they wait; compare the clocks"
            self._applier.answers.tell(peer, WARNING, address, reason)

    def _schedule(self, delay: float, messages: list[Message], peer: Peer, due_ns: int) -> None:
        size = sum(message.size + OVERHEAD for message in messages)
        if delay > MAX_AHEAD_S:
            why = f"is {delay:.0f} s ahead; compare the clocks"
        elif not self._turns.ahead.take(peer, size):
            why = "has not come, and as much of this sender waits already as may wait"
        else:
            self._counters.scheduled += 1
            self._loop.call_later(delay, self._fall_due, messages, peer, size, due_ns)
            return
        self._applier.refuse(peer, messages[0].address, f"the bundle's time tag {why}", len(messages))

    def _fall_due(self, messages: list[Message], peer: Peer, size: int, due_ns: int) -> None:
        self._turns.add_due(peer, messages, size, due_ns)
        self._read_on()
