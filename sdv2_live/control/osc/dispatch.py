"""Execution of OSC messages: they change parameters and carry out actions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

from sdv2_live.control.access import Access
from sdv2_live.control.launcher import Launcher
from sdv2_live.control.osc.addresses import ROOT, Call, Setting, expand, resolve
from sdv2_live.control.osc.answers import ERROR, WARNING, Answers
from sdv2_live.control.osc.feedback import Feedback, target_of
from sdv2_live.control.osc.foreign import Question, Relative
from sdv2_live.control.osc.message import Message, UnreadableError
from sdv2_live.control.osc.news import BEAT, LEAD, METERS, PENDING, Asked
from sdv2_live.control.osc.packet import MAX_MESSAGES, encode
from sdv2_live.control.osc.peers import Links
from sdv2_live.control.osc.subscriber import Peer
from sdv2_live.control.osc.subscriptions import Subscriptions
from sdv2_live.control.params import PARAMS, Kind, value_of
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ParamError, Sdv2Error
from sdv2_live.stats import total

MAX_WORK = MAX_MESSAGES  # messages, and addresses that patterns match, of one packet
ACTION_WORK = 20  # messages: an action may set all there is
ARGUMENTS = 20  # that a message has at most; more are worth several messages

TOLD_ONCE = (ERROR, WARNING, BEAT, LEAD, METERS)
TOLD = (ROOT + "applied/", ROOT + "status/", ROOT + "info/", PENDING)  # what shows say and are never told
MAX_OWED = 64  # answers that wait for another thread's work

# Given the message's arguments; raises Sdv2Error for what it cannot do, or ends its future with one when that shows later.
Action = Callable[[tuple[Any, ...]], Future[None] | None]
TimedAction = Callable[[tuple[Any, ...], int], None]  # the same, given also when it was meant, by `system.clock.monotonic_ns`


@dataclass(slots=True)
class OscCounters:
    """Totals since start."""

    packets: int = total("OSC packets read.")
    messages: int = total("OSC messages read.")
    refused: int = total("OSC messages that were answered with an error.")
    malformed: int = total("OSC packets, or parts of them, that could not be read.")
    coalesced: int = total("OSC packets that a later one replaced before they were read.")
    scheduled: int = total("OSC bundles that waited for their time.")
    barred: int = total("OSC packets and connections from outside the allowed networks.")
    flooded: int = total("OSC packets and messages beyond a sender's rate, its share of what may wait, or a packet's limit.")
    given_up: int = total("Subscriptions and connections that made room for new ones, or where nobody was any more.")
    failures: int = total("The OSC server's own mistakes, which are logged in full.")


@dataclass(slots=True)
class _Batch:
    """The requests of one bundle's usable messages."""

    values: dict[str, Any] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)  # of each value, for answers
    said: dict[str, tuple[Any, ...]] = field(default_factory=dict)  # arguments of each address, as they came
    again: list[str] = field(default_factory=list)  # triggers fired more than once
    calls: list[tuple[str, Call]] = field(default_factory=list)
    questions: list[tuple[str, Question]] = field(default_factory=list)

    @property
    def cue(self) -> dict[str, Any]:
        """The cued prompt that this bundle sets; a later take in it depends on that."""
        return {"cue_prompt": self.values["cue_prompt"]} if "cue_prompt" in self.values else {}

    def add(self, address: str, asked: Setting | Call | Question) -> None:
        if isinstance(asked, Call):
            self.calls.append((address, asked))
            return
        if isinstance(asked, Question):
            self.questions.append((address, asked))
            return
        if asked.name in self.values and PARAMS[asked.name].kind is Kind.TRIGGER:
            self.again.append(asked.name)
        self.values[asked.name] = asked.value
        self.addresses[asked.name] = address


class Applier:
    """Applies messages. All methods belong to the server's thread."""

    def __init__(
        self,
        store: ParamStore,
        launcher: Launcher | None,
        actions: Mapping[str, Action],
        timed: Mapping[str, TimedAction],
        counters: OscCounters,
        datagram_peer: Callable[[str, int], Peer],
        access: Access,
        answers: Answers,
        subscriptions: Subscriptions,
    ) -> None:
        self._store = store
        self._set_many = store.set_many if launcher is None else launcher.set_many
        self._actions, self._timed = dict(actions), dict(timed)
        self._counters = counters
        self._datagram_peer = datagram_peer
        self._access = access
        self.answers = answers
        self._subscriptions = subscriptions
        self._links = Links(led=lambda: store.latest().tempo_source != "internal")
        store.add_listener(self._links.changed)
        self._owed: set[tuple[Future[None], Peer]] = set()

    def begin(self, loop: asyncio.AbstractEventLoop, feedback: Feedback) -> None:
        """Receive the running server's parts. Call it before any message is applied."""
        self._loop = loop
        self._feedback = feedback

    def within_rate(self, peer: Peer, messages: int) -> bool:
        """True while a sender is within its rate. If it is not, count `messages` as not read and warn."""
        if self._access.has_rate_left(peer.origin):
            return True
        self._counters.flooded += messages
        self.answers.warn(peer.host, "sends more than osc.max_rate messages a second; the rest are not read")
        return False

    def cut_off(self, peer: Peer, address: str, messages: int) -> None:
        """Report a packet that asks for more than the limit, so that its last `messages` are not read."""
        self._counters.flooded += messages
        reason = f"a packet may ask for {MAX_WORK} changes; its last {messages} messages were not read, send them in several"
        self.answers.tell(peer, ERROR, address, reason)

    def unreadable(self, parts: list[UnreadableError], peer: Peer) -> None:
        """Report the parts of a packet that are not OSC. Each counts as a message of its sender's rate."""
        self._counters.malformed += len(parts)
        self._access.within_rate(peer.origin, len(parts))
        for part in parts:
            self.answers.tell(peer, ERROR, part.address, str(part))

    def apply(self, messages: list[Message], peer: Peer, at_ns: int, work: int = 0) -> int:
        """Apply the usable messages of one bundle as one change, then carry out its actions.

        Args:
            messages: those of the bundle.
            peer: their sender.
            at_ns: when they were meant, by `system.clock.monotonic_ns`: their time tag, or their arrival.
            work: cost of the packet so far, in messages.

        Returns:
            `work` and the bundle's own cost.
        """
        self._subscriptions.heard(peer)
        batch = _Batch()
        for place, message in enumerate(messages):
            if not self.within_rate(peer, len(messages) - place):
                break
            if work >= MAX_WORK:
                self.cut_off(peer, message.address, len(messages) - place)
                break
            own = self._read_message(message, batch, peer)
            self._access.within_rate(peer.origin, own)
            work += own
        self._set(batch, peer, at_ns)
        for address, call in batch.calls:
            self._act(address, call, peer, at_ns)
        for address, question in batch.questions:
            self._answer(address, question, peer)
        return work

    def _set(self, batch: _Batch, peer: Peer, at_ns: int) -> None:
        if self._subscriptions.of(peer):
            self._feedback.said(peer, batch.said)
        try:
            change = self._set_many(batch.values, peer.origin, at_ns)
            for name in batch.again:
                self._set_many({name: True}, peer.origin, at_ns)
        except ParamError as error:  # another writer came between, as with a cue that was taken back
            self.refuse(peer, next(iter(batch.addresses.values())), str(error), len(batch.values))
        else:
            for name, note in change.notes.items():
                self.answers.tell(peer, WARNING, batch.addresses.get(name, ROOT + name), note)

    def _read_message(self, message: Message, batch: _Batch, peer: Peer) -> int:
        """Add one message's requests. Returns its cost, in messages of the sender's rate."""
        self._counters.messages += 1
        if message.address in TOLD_ONCE or message.address.startswith(TOLD):
            self._links.heard(peer)
            return 1  # never answer an answer: two shows would talk for ever
        calls = len(batch.calls)
        addresses: tuple[str, ...] = ()
        try:
            addresses = expand(message.address, self._store.names)
            for address in addresses:
                self._read(replace(message, address=address), batch, peer)
        except ParamError as error:
            self.refuse(peer, message.address, str(error))
        if addresses == (message.address,):
            return 1 + ACTION_WORK * (len(batch.calls) - calls) + len(message.args) // ARGUMENTS
        return len(addresses) + len(message.address) // 2  # a pattern is compared with every address, part by part

    def _read(self, message: Message, batch: _Batch, peer: Peer) -> None:
        """Add the request of a message to one address. Raises ParamError when it cannot be met."""
        asked = resolve(message.address, message.args, self.answers.open_to(peer), self._store.names)
        if isinstance(asked, Relative):
            present = batch.values.get(asked.name, value_of(self._store.latest(), PARAMS[asked.name]))
            asked = Setting(asked.name, asked.of(present))
        if isinstance(asked, Setting) and self._links.passes_on(peer, asked):
            return
        if isinstance(asked, Setting):
            self._store.check(batch.cue | {asked.name: asked.value})
        if asked is not None:
            batch.add(message.address, asked)
            batch.said[message.address] = message.args

    def _act(self, address: str, call: Call, peer: Peer, at_ns: int) -> None:
        name = call.action.name
        try:
            if name == "subscribe":
                self._feedback.subscribe(target_of(call.args, peer, self._datagram_peer), peer)
            elif name == "unsubscribe":
                self._subscriptions.unsubscribe(target_of(call.args, peer, self._datagram_peer), peer)
            elif name == "dump":
                self._feedback.dump(peer)
            elif name in tuple(Asked):
                self._feedback.ask(Asked(name), peer, call.args)
            elif name in self._actions:
                self._owe(address, self._actions[name](call.args), peer)
            elif name in self._timed:
                self._timed[name](call.args, at_ns)
            else:
                raise ParamError(f"{name} is not available in this show: it was started without what that needs")
        except Sdv2Error as error:
            self.refuse(peer, address, str(error))

    def _answer(self, address: str, question: Question, peer: Peer) -> None:
        """Tell a sender a value at the address at which it asked."""
        value = question.answer(value_of(self._store.latest(), PARAMS[question.name]))
        also = question.also_port
        there = [self._datagram_peer(peer.host, also)] if also is not None and not peer.tcp else []
        self.answers.reply(peer, encode(address, float(value)), there)

    def _owe(self, address: str, outcome: Future[None] | None, peer: Peer) -> None:
        """Answer, on the server's thread, an action that failed on another; once for several messages with the same request."""
        if outcome is None or (outcome, peer) in self._owed or len(self._owed) >= MAX_OWED:
            return
        owed = (outcome, peer)
        self._owed.add(owed)

        def answer() -> None:
            self._owed.discard(owed)
            if (error := outcome.exception()) is not None:
                self.refuse(peer, address, str(error))

        outcome.add_done_callback(lambda _: self._loop.call_soon_threadsafe(answer))

    def refuse(self, peer: Peer, address: str, reason: str, count: int = 1) -> None:
        """Tell a sender why its messages are not applied."""
        self._counters.refused += count
        self.answers.tell(peer, ERROR, address, reason)
