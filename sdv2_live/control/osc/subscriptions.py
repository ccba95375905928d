"""The table of subscriptions, with their owners and the rules that end them.

A subscription stays as long as there is room: a tablet that only listens is never cut off. It ends when its port has refused
messages for a while. A full table also makes room for a new subscription: it ends first one whose port refuses, then one of the
host and program that have the most, the one that has been silent longest. Those of the configuration stay.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator

from sdv2_live.control.access import Access
from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.osc.sockets import plain
from sdv2_live.control.osc.subscriber import Peer, Subscriber
from sdv2_live.errors import ParamError

log = logging.getLogger("sdv2_live.osc")

MAX_SUBSCRIBERS = 32


class Subscriptions:
    """The table of one server; it belongs to the server's event loop.

    `clock` gives seconds, `itself` is true for the server's own host and port, `given_up` is called with each subscriber whose
    subscription is ended here, and the reason.
    """

    def __init__(
        self,
        access: Access,
        clock: Callable[[], float],
        itself: Callable[[str, int], bool],
        given_up: Callable[[Peer, str], None],
        *,
        echo: bool = False,
    ) -> None:
        self._access = access
        self._clock = clock
        self._itself = itself
        self._given_up = given_up
        self._echo = echo
        self._all: dict[Peer, Subscriber] = {}
        self._by_source: dict[Peer, list[Subscriber]] = {}

    def __iter__(self) -> Iterator[Subscriber]:
        """All current subscribers."""
        return iter(tuple(self._all.values()))

    def __len__(self) -> int:
        return len(self._all)

    def of(self, peer: Peer) -> list[Subscriber]:
        """The subscribers that `peer` is, or has subscribed."""
        return self._by_source.get(peer, [])

    def also(self, peer: Peer) -> list[Peer]:
        """The other targets at which this sender listens: the ports that it has subscribed."""
        return [one.target for one in self.of(peer) if one.target != peer]

    def heard(self, peer: Peer) -> None:
        """Note that `peer` has sent a message."""
        for subscriber in self.of(peer):
            subscriber.lives(self._clock())

    def refused(self, host: str, port: int) -> None:
        """Note that this UDP port has refused a message; after a while its subscription ends."""
        for subscriber in self:
            target = subscriber.target
            at = (target.host, target.port, target.tcp)
            if at == (host, port, False) and subscriber.refuses(self._clock()) and subscriber.owner is not None:
                self._end(subscriber)
                self._given_up(target, "nobody listens there any more; its subscription has ended")

    def subscribe(self, target: Peer, sender: Peer) -> Subscriber:
        """Add a subscriber, or renew it, which keeps its waiting messages. Raises ParamError when that is not allowed."""
        if not target.tcp and self._itself(target.host, target.port):
            raise ParamError("this is the server's own address; give the port on which you listen")
        if target.host != plain(sender.host) and not self._access.listed(target.host):
            raise ParamError(f"{target.host} is not the sender's own address; list it in osc.allow to permit it")
        known = self._all.get(target)
        if known is None:
            if len(self._all) >= MAX_SUBSCRIBERS:
                self._make_room()
            return self._add(Subscriber(target, sender, self._clock(), self._echo))
        known.target = target
        if known.owner is not None and _may_end(known, sender):  # as by a program that was started anew
            known.owner = sender
            self._index()
        known.lives(self._clock())
        known.start_over()
        return known

    def configured(self, target: Peer) -> Subscriber | None:
        """Add a subscriber that stays. None, with a warning, when it is the server itself."""
        if self._itself(target.host, target.port):
            log.warning("osc.subscribers: %s:%s is this show itself and is left out", target.host, target.port)
            return None
        return self._add(Subscriber(target, None, self._clock(), self._echo))

    def unsubscribe(self, target: Peer, sender: Peer) -> None:
        """End a subscription. Raises ParamError when there is none, or when another sender owns it."""
        subscriber = self._all.get(target)
        if subscriber is None:
            raise ParamError(f"{target.host}:{target.port} is not subscribed")
        if not _may_end(subscriber, sender):
            raise ParamError(f"{target.host}:{target.port} was subscribed by another program, which alone can end that")
        self._end(subscriber)

    def forget(self, peer: Peer) -> None:
        """End the subscription of a connection that has ended."""
        if subscriber := self._all.get(peer):
            self._end(subscriber)

    def _make_room(self) -> None:
        """End one subscription to make room. Raises ParamError if all are the configuration's."""
        candidates = [(one, one.owner) for one in self._all.values() if one.owner is not None]
        if not candidates:
            raise ParamError(f"{MAX_SUBSCRIBERS} subscriptions are in use, all of them listed in osc.subscribers")
        hosts = Counter(owner.host for _, owner in candidates)
        owners = Counter(owner for _, owner in candidates)
        victim, _ = max(candidates, key=lambda pair: (pair[0].refused, hosts[pair[1].host], owners[pair[1]], -pair[0].heard))
        self._end(victim)
        self._given_up(victim.target, f"its subscription gave way to a new one; {MAX_SUBSCRIBERS} are kept, send {ROOT}subscribe")

    def _add(self, subscriber: Subscriber) -> Subscriber:
        self._all[subscriber.target] = subscriber
        self._index()
        return subscriber

    def _end(self, subscriber: Subscriber) -> None:
        del self._all[subscriber.target]
        self._index()

    def _index(self) -> None:
        self._by_source = {}
        for subscriber in self._all.values():
            subscriber.origins = frozenset(source.origin for source in subscriber.sources)
            for source in subscriber.sources:
                self._by_source.setdefault(source, []).append(subscriber)


def _may_end(subscriber: Subscriber, sender: Peer) -> bool:
    """True when `sender` may end the subscription.

    A port that subscribed itself is the only one that may. A subscription by another port may be ended by any port of either
    host: programs that send from a new port each time could not end it otherwise.
    """
    sources = subscriber.sources
    by_another = subscriber.owner != subscriber.target
    return sender in sources or (by_another and sender.host in {source.host for source in sources})
