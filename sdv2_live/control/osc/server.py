"""The OSC server: it takes packets by UDP and TCP, and sends feedback, all on the control loop.

`reception` reads the packets, `feedback` sends values back.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache

from sdv2_live.closing import Service
from sdv2_live.control.access import Access
from sdv2_live.control.launcher import Launcher
from sdv2_live.control.loop import START_S, ControlLoop
from sdv2_live.control.osc.answers import ERROR, Answers
from sdv2_live.control.osc.connections import Connections
from sdv2_live.control.osc.datagrams import PAUSE_S, Datagrams
from sdv2_live.control.osc.dispatch import Action, Applier, OscCounters, TimedAction
from sdv2_live.control.osc.feedback import Feedback
from sdv2_live.control.osc.flood_sockets import Address
from sdv2_live.control.osc.framing import MAX_PACKET
from sdv2_live.control.osc.news import Levels, Moving, News, Status
from sdv2_live.control.osc.reception import OscInput
from sdv2_live.control.osc.sockets import bind_osc, deliver, endpoint, plain, reaches
from sdv2_live.control.osc.subscriber import Peer
from sdv2_live.control.osc.subscriptions import Subscriptions
from sdv2_live.control.store import ParamStore
from sdv2_live.errors import ConfigError
from sdv2_live.stats import Fill
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.osc")


class OscServer(Service):
    """Listens on UDP, and on request on TCP, and writes to a `ParamStore`.

    Sockets are bound on construction, so that a port in use is known before a show starts; `start` begins to listen.

    Attributes:
        loop: the loop on which it runs; other servers may join it.
        news: the news that it sends to its subscribers; others may listen to them on that loop.
    """

    def __init__(
        self,
        store: ParamStore,
        host: str = "127.0.0.1",
        port: int = 9000,
        *,
        tcp: bool = False,
        allow: Sequence[str] = (),
        max_rate: float = 20_000,
        subscribers: Sequence[str] = (),
        echo: bool = False,
        actions: Mapping[str, Action] | None = None,
        timed: Mapping[str, TimedAction] | None = None,
        launcher: Launcher | None = None,
        status: Status | None = None,
        moving: Moving = dict,
        levels: Levels = tuple,
    ) -> None:
        """Bind the sockets.

        Args:
            store: receives the values.
            host: address to bind.
            port: 0 takes any free port.
            tcp: also take connections on the same port, framed by length or SLIP.
            allow: networks whose hosts may send, and be subscribed by others; see `Access`.
            max_rate: messages a second of one sender.
            subscribers: "HOST:PORT" of targets that get everything from the start.
            echo: send subscribers their own changes, too.
            actions: functions for the addresses of `addresses.ACTIONS`; each gets the message's arguments and may raise
                Sdv2Error.
            timed: the same, for those that ask when a message was meant.
            launcher: gets the values in the store's place, and keeps some of them until the beat.
            status: returns numbers and words for subscribers; called twice a second on the loop, must not block.
            moving: returns the effective values of what modulation moves; called ten times a second, must not block.
            levels: returns the meters of the sound, the same in number each time; called 25 times a second, must not block.

        Raises:
            ConfigError: the address is not available; the message has the remedy.
        """
        self._allowed = bool(allow)
        self._access = Access(allow, max_rate, "osc.allow")
        self._store = store
        wanted = [endpoint(text) for text in subscribers]
        self._udp, self._tcp = bind_osc(host, port, tcp=tcp)
        self.host, self.port = self._udp.getsockname()[:2]
        self.counters = OscCounters()
        self._subscriptions = Subscriptions(self._access, monotonic, self._itself, self._given_up, echo=echo)
        self._datagrams = Datagrams(self._udp, self._take_from, self._subscriptions.refused)
        self._peer_of = lru_cache(maxsize=256)(self.datagram_peer)
        self._answers = Answers()
        self._answers.also = self._subscriptions.also
        parts = self.counters, self.datagram_peer, self._access, self._answers, self._subscriptions
        applier = Applier(store, launcher, actions or {}, timed or {}, *parts)
        self._input = OscInput(applier, self.counters, store.names)
        self.loop = ControlLoop(self._failed)
        self.news = News(store, self.loop, status, moving, levels)
        self._feedback: Feedback | None = None
        self._configured = [self._subscriber(*one) for one in wanted]

    def start(self) -> None:
        """Begin to listen; returns when the server does."""
        if self.loop.join(self, "OSC", self._serving()):
            log.info("listening on %s:%s%s", self.host, self.port, " (UDP and TCP)" if self._tcp else "")
            if not ipaddress.ip_address(self.host).is_loopback:
                who = "whoever osc.allow names" if self._allowed else "every machine of a private network"
                log.warning("%s: %s can play this show; osc.host 127.0.0.1 is for this machine alone", self.host, who)
        else:
            log.error("not listening on %s:%s after %g s; the show goes on without OSC", self.host, self.port, START_S)

    @property
    def queues(self) -> dict[str, Fill]:
        """Waiting bytes of received packets, and messages for the subscriber with the longest queue."""
        return self._input.queues | (self._feedback.queues if self._feedback is not None else {})

    def close(self) -> None:
        """Stop listening and release the port."""
        self.loop.leave(self)
        self._udp.close()
        if self._tcp is not None:
            self._tcp.close()

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        feedback = self._feedback = Feedback(self._store, loop, self._subscriptions, self.news)
        self.news.listeners.append(feedback)
        self._input.begin(loop, feedback)
        self._datagrams.begin(loop)
        for subscriber in self._configured:
            feedback.configured(subscriber)
        connections = Connections(self._access, self.counters, self._answers, self._input, self._subscriptions, self.forget)
        tcp = await asyncio.start_server(connections.serve, sock=self._tcp, limit=2 * MAX_PACKET) if self._tcp else None
        try:
            async with self.news.told():
                yield
        finally:
            self._datagrams.end()
            if tcp is not None:
                tcp.close()

    def _failed(self) -> None:
        self.counters.failures += 1

    def _take_from(self, data: bytes, sender: Address) -> None:
        self._take(data, self._peer_of(*sender[:2]))

    def _take(self, data: bytes, peer: Peer) -> None:
        """Queue a packet, if its sender may send. A sender that may not gets no answer: its address may be forged."""
        if not self._access.may_send(peer.host):
            self.counters.barred += 1
            self._answers.warn(peer.host, "is not in osc.allow; its messages are not read")
        elif self._itself(peer.host, peer.port):
            return
        elif not self._input.add(data, peer):
            self.counters.flooded += 1
            self._answers.warn(peer.host, "has too much waiting to be read; the rest is not read")

    def datagram_peer(self, host: str, port: int) -> Peer:
        """The UDP peer at an address.

        Raises:
            ValueError: it is no address, or of an IP version that this server does not speak.
        """
        host = plain(host)
        way = host if (":" in host) == (":" in self.host) else f"::ffff:{host}"
        if way != host and self.host != "::":  # which serves both versions
            raise ValueError(f"{host} cannot be reached from {self.host}")

        def send(data: bytes) -> None:
            try:
                deliver(self._udp, data, way, port)
            except OSError as error:  # its receiver went away, or its buffer is full: UDP may lose what it carries
                log.debug("a message to %s:%s could not be delivered: %s", host, port, error)

        return Peer(host, port, send)

    def _subscriber(self, host: str, port: int) -> Peer:
        try:
            return self.datagram_peer(host, port)
        except ValueError as error:
            self.close()
            raise ConfigError(f"osc.subscribers: {error}; give it an address of the same kind as osc.host") from None

    def _itself(self, host: str, port: int) -> bool:
        return reaches(self.host, self.port, host, port)

    def _given_up(self, peer: Peer, reason: str) -> None:
        self.counters.given_up += 1
        self._answers.tell(peer, ERROR, "", reason)

    def receive(self, data: bytes, peer: Peer) -> bool:
        """Queue a packet that arrived by another way, such as a WebSocket; returns False while there is no room for it.

        The caller must wait then, or packets would pile up elsewhere. Belongs to the loop.
        """
        return self._input.add(data, peer)

    def forget(self, peer: Peer) -> None:
        """Forget a peer that has gone, once all its packets are read: one of them may subscribe it. Belongs to the loop."""
        if self._input.waits(peer):
            asyncio.get_running_loop().call_later(PAUSE_S, self.forget, peer)
        else:
            self._subscriptions.forget(peer)
