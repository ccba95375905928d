"""What OSC packets do: they change parameters and carry out actions.

Whatever arrives, the server lives on: a broken packet, a wrong address or type costs only itself and is counted, logged and
answered on `/sdv2/error`. A bundle's messages reach the same chunk; one with a future time tag waits without holding anything up.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from sdv2_live.control.addresses import ROOT, Call, Setting, expand, meaning
from sdv2_live.control.oscfeedback import Feedback, Peer, target_of
from sdv2_live.control.oscpacket import IMMEDIATELY, Message, encode, read_packet
from sdv2_live.control.params import PARAMS, Kind, printable
from sdv2_live.control.store import ParamStore
from sdv2_live.control.throttle import Throttle
from sdv2_live.errors import ParamError, Sdv2Error

log = logging.getLogger("sdv2_live.osc")

ERROR = ROOT + "error"  # address, reason
WARNING = ROOT + "warning"  # address, what was clamped
MAX_AHEAD_S = 60.0  # time tags beyond this speak of a wrong clock
MAX_WAITING = 1024  # bundles

MAX_OWED = 64  # answers that wait for another thread's work

# Given the message's arguments; raises Sdv2Error for what it cannot do, or ends its future with one when that shows later.
Action = Callable[[tuple[Any, ...]], Future[None] | None]


@dataclass(slots=True)
class OscCounters:
    """Totals since start. `refused` counts messages, `malformed` packets or parts of packets that are not OSC, `coalesced`
    packets that a later one replaced before they were read, `barred` those of senders outside the allowed networks, `flooded`
    those beyond a sender's rate, `failures` the server's own mistakes, which are logged in full."""

    packets: int = 0
    messages: int = 0
    refused: int = 0
    malformed: int = 0
    coalesced: int = 0
    scheduled: int = 0
    barred: int = 0
    flooded: int = 0
    failures: int = 0


@dataclass(slots=True)
class _Batch:
    """What the usable messages of one bundle ask for."""

    values: dict[str, Any] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)  # of each value, for answers
    again: list[str] = field(default_factory=list)  # triggers fired more than once
    calls: list[tuple[str, Call]] = field(default_factory=list)

    @property
    def cue(self) -> dict[str, Any]:
        """What a later take in the same bundle depends on."""
        return {"cue_prompt": self.values["cue_prompt"]} if "cue_prompt" in self.values else {}

    def add(self, address: str, asked: Setting | Call) -> None:
        if isinstance(asked, Call):
            self.calls.append((address, asked))
            return
        if asked.name in self.values and PARAMS[asked.name].kind is Kind.TRIGGER:
            self.again.append(asked.name)
        self.values[asked.name] = asked.value
        self.addresses[asked.name] = address


class OscInput:
    """Takes in packets. All methods belong to the server's thread."""

    def __init__(
        self,
        store: ParamStore,
        port: int,
        actions: Mapping[str, Action],
        counters: OscCounters,
        datagram_peer: Callable[[str, int], Peer],
    ) -> None:
        self._store = store
        self._port = port
        self._actions = dict(actions)
        self._counters = counters
        self._datagram_peer = datagram_peer
        self._log_throttle = Throttle(rate=5, burst=20)
        self._reply_throttle = Throttle(rate=20, burst=50)  # also keeps the server from being used as a reflector
        self._waiting = 0
        self._owed: set[tuple[Future[None], Peer]] = set()
        self._also: Callable[[Peer], Sequence[Peer]] = lambda peer: ()

    def begin(self, loop: asyncio.AbstractEventLoop, feedback: Feedback) -> None:
        """Give the running server's parts; before any packet."""
        self._loop = loop
        self._feedback = feedback
        self._also = feedback.also

    def received(self, data: bytes, peer: Peer) -> None:
        """Take in one packet. Runs on the server's thread."""
        self._counters.packets += 1
        packet = read_packet(data)
        for reason in packet.broken:
            self._counters.malformed += 1
            self.tell(peer, ERROR, "", reason)
        for due, messages in packet.groups.items():
            if not messages:
                continue  # a bundle may be empty
            delay = 0.0 if due == IMMEDIATELY else due - time.time()
            if delay <= 0:
                self._apply(messages, peer)
            else:
                self._schedule(delay, messages, peer)

    def _schedule(self, delay: float, messages: list[Message], peer: Peer) -> None:
        if delay > MAX_AHEAD_S or self._waiting >= MAX_WAITING:
            why = f"{delay:.0f} s ahead; compare the clocks" if delay > MAX_AHEAD_S else f"but {MAX_WAITING} bundles wait already"
            self._refuse(peer, messages[0].address, f"the bundle's time tag is {why}", len(messages))
            return
        self._waiting += 1
        self._counters.scheduled += 1
        self._loop.call_later(delay, self._apply_late, messages, peer)

    def _apply_late(self, messages: list[Message], peer: Peer) -> None:
        self._waiting -= 1
        self._apply(messages, peer)

    def _apply(self, messages: list[Message], peer: Peer) -> None:
        """Apply what is usable of one bundle as one change, then carry out its actions."""
        batch = _Batch()
        for message in messages:
            self._counters.messages += 1
            if message.address in (ERROR, WARNING):
                continue  # never answer an answer: two servers would talk for ever
            try:
                for address in expand(message.address, self._store.names):
                    self._read(replace(message, address=address), batch)
            except ParamError as error:
                self._refuse(peer, message.address, str(error))
        try:
            change = self._store.set_many(batch.values, peer.origin)
            for name in batch.again:
                self._store.trigger(name, peer.origin)
        except ParamError as error:  # another writer came between, as with a cue that was taken back
            self._refuse(peer, next(iter(batch.addresses.values())), str(error), len(batch.values))
        else:
            for name, note in change.notes.items():
                self.tell(peer, WARNING, batch.addresses.get(name, ROOT + name), note)
        for address, call in batch.calls:
            self._act(address, call, peer)

    def _read(self, message: Message, batch: _Batch) -> None:
        """Add what one message asks for, if it can be done. Raises ParamError."""
        suggest = self._log_throttle.open or self._reply_throttle.open
        asked = meaning(message.address, message.args, suggest, self._store.names)
        if isinstance(asked, Setting):
            self._store.check(batch.cue | {asked.name: asked.value})
        if asked is not None:
            batch.add(message.address, asked)

    def _act(self, address: str, call: Call, peer: Peer) -> None:
        name = call.action.name
        try:
            if name == "subscribe":
                self._feedback.subscribe(self._target(call.args, peer), peer)
            elif name == "unsubscribe":
                self._feedback.unsubscribe(self._target(call.args, peer))
            elif name == "dump":
                self._feedback.dump(peer)
            elif name in self._actions:
                self._owe(address, self._actions[name](call.args), peer)
            else:
                raise ParamError(f"{name} is not available in this show: it was started without what that needs")
        except Sdv2Error as error:
            self._refuse(peer, address, str(error))

    def _owe(self, address: str, outcome: Future[None] | None, peer: Peer) -> None:
        """Answer on the server's thread what could not be done on another; once where several messages asked for the same."""
        if outcome is None or (outcome, peer) in self._owed or len(self._owed) >= MAX_OWED:
            return
        owed = (outcome, peer)
        self._owed.add(owed)

        def answer() -> None:
            self._owed.discard(owed)
            if (error := outcome.exception()) is not None:
                self._refuse(peer, address, str(error))

        outcome.add_done_callback(lambda _: self._loop.call_soon_threadsafe(answer))

    def _target(self, args: tuple[Any, ...], peer: Peer) -> Peer:
        target = target_of(args, peer, self._datagram_peer)
        if not target.tcp and target.port == self._port and ipaddress.ip_address(target.host).is_loopback:
            raise ParamError("this is the server's own address; give the port on which you listen")
        return target

    def _refuse(self, peer: Peer, address: str, reason: str, count: int = 1) -> None:
        self._counters.refused += count
        self.tell(peer, ERROR, address, reason)

    def warn(self, host: str, reason: str) -> None:
        """Log a sentence on a sender, within limits."""
        if self._log_throttle.allow():
            more = self._log_throttle.take_suppressed()
            log.warning("%s %s%s", host, reason, f" ({more} more not shown)" if more else "")

    def tell(self, peer: Peer, kind: str, address: str, reason: str) -> None:
        """Log a sentence on a message and send it back, both within limits."""
        if self._log_throttle.allow():
            more = self._log_throttle.take_suppressed()
            log.warning(
                "%s:%s %s: %s%s", peer.host, peer.port, printable(address), reason, f" ({more} more not shown)" if more else ""
            )
        if self._reply_throttle.allow():
            answer = encode(kind, address[:200], reason[:500])
            for listening in (peer, *self._also(peer)):  # many programs send from one port and listen at another
                listening.send(answer)
