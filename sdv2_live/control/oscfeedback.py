"""What the OSC server says of its own accord: applied values, acknowledgements, status.

    /sdv2/<param> value...           every applied value, to all but who set it so
    /sdv2/applied/<param> chunk      the chunk that first used the newest value
    /sdv2/status/<name> number       numbers only, as OSC In CHOPs take them
    /sdv2/info/<name> text           status in words

Every address is sent at most 30 times a second, few messages at a time (TouchOSC drops bursts), and the last value always
arrives. Runs on the OSC server's event loop.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sdv2_live.control.access import Access
from sdv2_live.control.addresses import ROOT
from sdv2_live.control.oscpacket import encode
from sdv2_live.control.params import PARAMS, Kind, Value, value_of
from sdv2_live.control.store import Applied, Change, ParamStore
from sdv2_live.errors import ParamError
from sdv2_live.stats import Fill

RATE = 30.0  # flushes a second
BURST = 8  # messages a flush and subscriber
STATUS_PERIOD_S = 0.5
MAX_SUBSCRIBERS = 32

Status = Callable[[], Mapping[str, float | str]]


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end: a UDP address or a TCP connection. `send` takes one packet and never blocks."""

    host: str
    port: int
    send: Callable[[bytes], None] = field(compare=False)
    tcp: bool = False

    @property
    def origin(self) -> str:
        """How the store's changes name this writer."""
        return f"osc {self.host}:{self.port}"


@dataclass(slots=True)
class _Subscriber:
    target: Peer
    owner: str  # origin of who subscribed it
    pending: dict[str, tuple[Any, ...] | None] = field(default_factory=dict)  # address to arguments; None: the value by then


class Feedback:
    """Keeps the subscribers of one server informed. All methods but `changed` and `applied` belong to the event loop."""

    def __init__(self, store: ParamStore, loop: asyncio.AbstractEventLoop, access: Access, status: Status | None) -> None:
        self._store = store
        self._loop = loop
        self._access = access
        self._status = status
        self._told: dict[str, Any] = {}
        self._subscribers: dict[tuple[str, int, bool], _Subscriber] = {}
        self._flush_due: asyncio.TimerHandle | None = None
        self._last_flush = 0.0
        self._stop_listening = (store.add_listener(self.changed), store.add_applied_listener(self.applied))
        if status is not None:
            self._status_due = loop.call_later(STATUS_PERIOD_S, self._tell_status)

    def close(self) -> None:
        """Stop listening to the store."""
        for stop in self._stop_listening:
            stop()

    @property
    def queues(self) -> dict[str, Fill]:
        """Messages for the subscriber that waits for the most; an address waits once. Any thread."""
        addresses = sum(len(self._store.names.told(name)) for name in PARAMS)
        longest = max((len(subscriber.pending) for subscriber in list(self._subscribers.values())), default=0)
        return {"osc_feedback": Fill(longest, 2 * addresses + len(self._told))}  # its value, and which chunk applied it

    def subscribe(self, target: Peer, sender: Peer) -> None:
        """Send everything to `target` from now on, beginning with all values. Raises ParamError when that is not allowed."""
        if target.host != sender.host and not self._access.listed(target.host):
            raise ParamError(f"{target.host} is not the sender's own address; list it in osc.allow to permit it")
        if len(self._subscribers) >= MAX_SUBSCRIBERS and _key(target) not in self._subscribers:
            raise ParamError(f"{MAX_SUBSCRIBERS} subscriptions are in use; send {ROOT}unsubscribe from one of them")
        self.add(target, sender.origin)

    def add(self, target: Peer, owner: str = "") -> None:
        """Subscribe without asking, as the configuration may."""
        subscriber = self._subscribers[_key(target)] = _Subscriber(target, owner)
        self._mark_all(subscriber)

    def unsubscribe(self, target: Peer) -> None:
        """Stop sending to `target`. Raises ParamError when it was not subscribed."""
        if self._subscribers.pop(_key(target), None) is None:
            raise ParamError(f"{target.host}:{target.port} is not subscribed")

    def dump(self, sender: Peer) -> None:
        """Send all values again to what `sender` subscribed. Raises ParamError when that is nothing."""
        own = [subscriber for subscriber in self._subscribers.values() if subscriber.owner == sender.origin]
        if not own:
            raise ParamError(f"nothing is subscribed from here; send {ROOT}subscribe first")
        for subscriber in own:
            self._mark_all(subscriber)

    def forget(self, peer: Peer) -> None:
        """A connection has ended."""
        self._subscribers.pop(_key(peer), None)

    def also(self, peer: Peer) -> list[Peer]:
        """Where else than at itself this sender listens: the ports that it has subscribed."""
        return [one.target for one in self._subscribers.values() if one.owner == peer.origin and one.target != peer]

    def changed(self, change: Change) -> None:
        """Listener of the store; any thread."""
        self._call_soon(self._mark_change, change)

    def applied(self, applied: Applied) -> None:
        """Listener of the store; the engine's thread."""
        told = (spoken for name in sorted(applied.names) for spoken in self._store.names.told(name))
        self._call_soon(self._mark_all_of, {f"{ROOT}applied/{name}": (applied.chunk,) for name in told})

    def _call_soon(self, function: Callable[..., None], *args: Any) -> None:
        if self._subscribers:
            with suppress(RuntimeError):  # the loop closed in this very moment: there is nobody left to tell
                self._loop.call_soon_threadsafe(function, *args)

    def _mark_change(self, change: Change) -> None:
        for subscriber in self._subscribers.values():
            known = change.as_asked if subscriber.owner == change.origin else frozenset()
            for name, value in change.values.items():
                if name not in known:
                    trigger = PARAMS[name].kind is Kind.TRIGGER
                    args = (int(bool(value)),) if trigger else None
                    subscriber.pending |= dict.fromkeys((ROOT + spoken for spoken in self._store.names.told(name)), args)
        self._wake()

    def _mark_all(self, subscriber: _Subscriber) -> None:
        values = (name for name, spec in PARAMS.items() if spec.kind is not Kind.TRIGGER)
        subscriber.pending |= {ROOT + spoken: None for name in values for spoken in self._store.names.told(name)}
        subscriber.pending |= {address: (value,) for address, value in self._told.items()}
        self._wake()

    def _mark_all_of(self, messages: Mapping[str, tuple[Any, ...]]) -> None:
        for subscriber in self._subscribers.values():
            subscriber.pending |= messages
        self._wake()

    def _tell_status(self) -> None:
        self._status_due = self._loop.call_later(STATUS_PERIOD_S, self._tell_status)
        if self._status is None or not self._subscribers:
            return
        news = {}
        for name, value in self._status().items():
            address = f"{ROOT}info/{name}" if isinstance(value, str) else f"{ROOT}status/{name}"
            if self._told.get(address) != value:
                news[address] = value
        self._told |= news
        self._mark_all_of({address: (value,) for address, value in news.items()})

    def _wake(self) -> None:
        if self._flush_due is None and any(subscriber.pending for subscriber in self._subscribers.values()):
            wait = self._last_flush + 1 / RATE - self._loop.time()
            self._flush_due = self._loop.call_later(max(wait, 0.0), self._flush)

    def _flush(self) -> None:
        self._flush_due = None
        self._last_flush = self._loop.time()
        params = self._store.latest()
        for subscriber in list(self._subscribers.values()):
            for address in list(subscriber.pending)[:BURST]:
                args = subscriber.pending.pop(address)
                if args is None:
                    spec = self._store.names.find(address.removeprefix(ROOT))
                    assert spec is not None
                    args = _arguments(value_of(params, spec))
                subscriber.target.send(encode(address, *(int(arg) if isinstance(arg, bool) else arg for arg in args)))
        self._wake()


def target_of(args: tuple[Any, ...], sender: Peer, datagram: Callable[[str, int], Peer]) -> Peer:
    """Where `/sdv2/subscribe` wants its messages: the sender itself, a port on its host, or a host and a port.

    Raises ParamError for anything but an IP address (names are not looked up: that could hold up the server) and a port.
    """
    if not args or (len(args) == 1 and args[0] is True):  # an impulse, as programs that know it by OSCQuery send it
        return sender
    host, port = (sender.host, args[0]) if len(args) == 1 else args[:2]
    host = "127.0.0.1" if host == "localhost" else host
    try:
        if len(args) > 2 or isinstance(port, bool) or not 1 <= int(port) <= 65535:
            raise ValueError
        ipaddress.ip_address(host)
        return datagram(host, int(port))
    except (TypeError, ValueError, OverflowError):
        raise ParamError(f"cannot send to {args!r}; give an IP address and a port 1..65535, only a port, or nothing") from None


def _key(peer: Peer) -> tuple[str, int, bool]:
    return peer.host, peer.port, peer.tcp


def _arguments(value: Value) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
