"""Feedback to the subscribers of the OSC server: it passes on the show's `news`.

A value is sent only to a subscriber that does not hold it, and few messages are sent at a time: TouchOSC drops bursts. Belongs
to the control loop.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sdv2_live.control.coerce import coerce
from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.osc.news import RATE, Args, Asked, News
from sdv2_live.control.osc.packet import encode
from sdv2_live.control.osc.subscriber import Peer, Subscriber
from sdv2_live.control.osc.subscriptions import Subscriptions
from sdv2_live.control.params import PARAMS, Kind, ParamSpec, Value, value_of
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ParamError
from sdv2_live.stats import Fill
from sdv2_live.wording import shown

_SWITCH = ParamSpec("the request", Kind.BOOL, False, "")
BURST = 8  # messages a flush and subscriber
CONFIRM_S = (0.1, 0.4)


class Feedback:
    """Keeps the subscribers of one server informed: a listener of `news`."""

    def __init__(self, store: ParamStore, loop: asyncio.AbstractEventLoop, subscriptions: Subscriptions, news: News) -> None:
        self._store = store
        self._loop = loop
        self._subscriptions = subscriptions
        self._news = news
        kept = (name for name, spec in PARAMS.items() if spec.kind is not Kind.TRIGGER)
        self._addresses = [ROOT + spoken for name in kept for spoken in store.names.told(name)]
        self._flush_due: asyncio.TimerHandle | None = None
        self._last_flush = 0.0

    @property
    def listening(self) -> bool:
        """True when there is a subscriber. Any thread."""
        return len(self._subscriptions) > 0

    @property
    def queues(self) -> dict[str, Fill]:
        """Messages for the subscriber with the longest queue; an address waits once. Any thread."""
        longest = max((len(subscriber.pending) for subscriber in self._subscriptions), default=0)
        addresses = sum(len(self._store.names.told(name)) for name in PARAMS)
        return {"osc_feedback": Fill(longest, 2 * addresses + len(self._news.status))}  # its value, and which chunk applied it

    def subscribe(self, target: Peer, sender: Peer) -> None:
        """Send everything to `target` from now on, beginning with all values. Raises ParamError when that is not allowed."""
        self._mark_all(self._subscriptions.subscribe(target, sender))

    def configured(self, target: Peer) -> None:
        """Subscribe a target of the configuration, which needs no permission."""
        if subscriber := self._subscriptions.configured(target):
            self._mark_all(subscriber)

    def dump(self, sender: Peer) -> None:
        """Send all values again to the subscriptions of `sender`. Raises ParamError when it has none."""
        for subscriber in self._own(sender):
            subscriber.start_over()
            self._mark_all(subscriber)

    def _own(self, sender: Peer) -> Sequence[Subscriber]:
        own = self._subscriptions.of(sender)
        if not own:
            raise ParamError(f"nothing is subscribed from here; send {ROOT}subscribe first")
        return own

    def said(self, peer: Peer, messages: Mapping[str, tuple[Any, ...]]) -> None:
        """Note values, by address, that a peer has sent: it holds them already. Call it before they are set."""
        for subscriber in self._subscriptions.of(peer):
            for address, args in messages.items():
                if address in self._addresses and subscriber.says(address, args, self._loop.time()):
                    self._confirm_later(subscriber, address)

    def changed(self, values: Mapping[str, Value], origin: str) -> None:
        """Send parameters that have changed, or triggers that were fired, because of `origin`."""
        for subscriber in self._subscriptions:
            own = origin in subscriber.origins
            for name, value in values.items():
                for address in (ROOT + spoken for spoken in self._store.names.told(name)):
                    if PARAMS[name].kind is not Kind.TRIGGER:
                        subscriber.mark(address, own=own)
                    elif not own:  # never to where it came from, or two programs would fire each other for ever
                        subscriber.pending.put(address, (int(bool(value)),))
        self._wake()

    def told(self, messages: Mapping[str, Args]) -> None:
        """Send messages, by address."""
        for subscriber in self._subscriptions:
            subscriber.tell(messages)
        self._wake()

    def ask(self, what: Asked, sender: Peer, args: Args) -> None:
        """Tell the subscriptions of `sender` of this, too, or no more. Raises ParamError when it has none."""
        wanted = not args or bool(coerce(_SWITCH, args).value)
        for subscriber in self._own(sender):
            subscriber.asks = subscriber.asks | {what} if wanted else subscriber.asks - {what}

    def asked(self, what: Asked, messages: Mapping[str, Args]) -> None:
        """Send messages, by address, to those who have asked for them."""
        for subscriber in self._subscriptions:
            if what in subscriber.asks:
                subscriber.tell(messages)
        self._wake()

    def told_at_once(self, address: str, args: Args) -> None:
        """Send a message now, whatever waits."""
        packet = encode(address, *args)
        for subscriber in self._subscriptions:
            subscriber.target.send(packet)

    def _confirm_later(self, subscriber: Subscriber, address: str) -> None:
        """Confirm at a random moment: of two programs that confirm to each other, one is first, and the other then agrees."""
        if address not in subscriber.confirming:
            subscriber.confirming.add(address)
            self._loop.call_later(random.uniform(*CONFIRM_S), self._confirm, subscriber, address)

    def _confirm(self, subscriber: Subscriber, address: str) -> None:
        subscriber.confirming.discard(address)
        subscriber.mark_again(address)
        self._wake()

    def _mark_all(self, subscriber: Subscriber) -> None:
        for address in self._addresses:
            subscriber.mark(address)
        subscriber.tell(self._news.status)
        self._wake()

    def _wake(self) -> None:
        if self._flush_due is None and any(subscriber.pending for subscriber in self._subscriptions):
            wait = self._last_flush + 1 / RATE - self._loop.time()
            self._flush_due = self._loop.call_later(max(wait, 0.0), self._flush)

    def _flush(self) -> None:
        self._flush_due = None
        self._last_flush = self._loop.time()
        params = self._store.latest()
        for subscriber in self._subscriptions:
            sent = 0
            while subscriber.pending and sent < BURST:
                address, args = subscriber.pending.take()
                if args is None:
                    spec = self._store.names.find(address.removeprefix(ROOT))
                    assert spec is not None
                    args = arguments(value_of(params, spec))
                    if not subscriber.owed(address, args, self._last_flush):
                        continue
                subscriber.target.send(encode(address, *(int(arg) if isinstance(arg, bool) else arg for arg in args)))
                sent += 1
        self._wake()


def target_of(args: tuple[Any, ...], sender: Peer, datagram: Callable[[str, int], Peer]) -> Peer:
    """The target of `/sdv2/subscribe`: the sender itself, a port on its host, or a host and a port.

    Raises:
        ParamError: the arguments give no IP address (names are not looked up: that could block the server) or no port.
    """
    if not args or (len(args) == 1 and args[0] is True):  # an impulse, as programs that know it by OSCQuery send it
        return sender
    host, port = (sender.host, args[0]) if len(args) == 1 else args[:2]
    host = "127.0.0.1" if host == "localhost" else host
    try:
        if len(args) > 2 or not isinstance(host, str) or isinstance(port, bool) or not 1 <= int(port) <= 65535:
            raise ValueError
        ipaddress.ip_address(host)
        return datagram(host, int(port))
    except (TypeError, ValueError, OverflowError):
        give = "give an IP address and a port 1..65535, only a port, or nothing"
        raise ParamError(f"cannot send to {shown(args)}; {give}") from None


def arguments(value: Value) -> tuple[Any, ...]:
    """A value as the arguments of its message."""
    return value if isinstance(value, tuple) else (value,)
