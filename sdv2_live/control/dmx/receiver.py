"""Reception of Art-Net and sACN on the control loop: what is not for this show is left at the door, the rest is played.

A flood is read in parts: at most MOST packets, then the other services have their turn. What a system's buffer cannot hold
meanwhile is lost, as UDP may lose it; a desk says everything again in a moment.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sdv2_live.closing import Service
from sdv2_live.control.access import Access
from sdv2_live.control.dmx.interface import interface, open_sockets
from sdv2_live.control.dmx.words import DmxNow, now
from sdv2_live.control.loop import START_S, ControlLoop
from sdv2_live.control.throttle import Repeats, Throttle, Throttles
from sdv2_live.errors import DmxError, ParamError
from sdv2_live.logs import MENDED, TROUBLE
from sdv2_live.music.dmx import artnet, sacn
from sdv2_live.music.dmx.fixture import Fixture, Played
from sdv2_live.music.dmx.merge import Desk
from sdv2_live.music.dmx.packets import Levels, Protocol
from sdv2_live.system import sockets
from sdv2_live.system.clock import monotonic_ns

log = logging.getLogger("sdv2_live.dmx")

MAX_PACKET = 1024  # bytes; levels take 638 at most
MOST = 256  # packets read at a stretch
BURST = 32  # packets waiting at once: more than desks send between two looks
PAUSE_S = 0.01  # after a burst
RATE = 500  # packets of one sender a second that concern this show, or are damaged; desks send 50
TICK_S = 0.02
REJOIN_S = 10.0  # between two requests to the network for a multicast group while nobody sends
SAID_AGAIN_S = 60.0  # between two lines of the log on the same thing
MOST_MISSED = 8  # silent desks that are spoken of
NAME = "sdv2-live"

Write = Callable[[Mapping[str, Any], str, int], object]  # values, who writes them, and when; raises ParamError


class LightDesks(Service):
    """Listens to light desks at one interface, and writes what they play.

    Args:
        fixture: what the packets mean.
        at: the interface's address or name.
        universes: of each protocol that is listened to.
        allow: networks whose hosts may send; see `Access`.
        write: receives the values, on the loop.

    Raises:
        ConfigError: the interface is not there, or cannot be listened to, or an entry of `allow` is no network.
    """

    def __init__(self, fixture: Fixture, at: str, universes: Mapping[Protocol, int], allow: Sequence[str], write: Write) -> None:
        self._fixture, self._universes, self._write = fixture, dict(universes), write
        self.counters = fixture.counters
        self._access = Access(allow, RATE, "dmx.allow")
        self._at = interface(at)
        self._loop: ControlLoop | None = None
        self._silent: dict[str, str] = {}  # desks that are missed, by what tells them apart, in words
        self._repeats, self._lines = Repeats(SAID_AGAIN_S), Throttle(rate=1, burst=20)
        self._answers = Throttles(rate=5, burst=10)
        self._rejoined_ns = 0
        self._own = b""
        self._sockets: dict[Protocol, list[socket.socket]] = {}
        try:
            for protocol, universe in self._universes.items():
                port, group = (artnet.PORT, None) if protocol is Protocol.ARTNET else (sacn.PORT, sacn.group(universe))
                self._sockets[protocol] = open_sockets(self._at, port, group)
        except Exception:  # raised again, with no socket left open
            self._close_sockets()
            raise

    @property
    def where(self) -> str:
        """What is listened to."""
        return f"{' and '.join(f'{one.value} {universe}' for one, universe in self._universes.items())} at {self._at.address}"

    def serve(self, loop: ControlLoop) -> None:
        """Listen on a loop; returns when that has begun."""
        self._loop = loop
        if loop.join(self, "the light desks", self._serving()):
            log.info("listening to light desks: %s", self.where)
        else:
            log.error("not listening to light desks after %g s; the show goes on without them", START_S)

    def start(self) -> None:
        """Listen on a loop of its own."""
        self.serve(ControlLoop(self.failed))

    def close(self) -> None:
        """Stop listening. Idempotent."""
        if self._loop is not None:
            self._loop.leave(self)
        self._close_sockets()

    def now(self) -> DmxNow:
        """Who sends now; any thread."""
        return now(self.where, self._fixture.desks, tuple(self._silent.values()))

    def failed(self) -> None:
        """Count an internal error."""
        self.counters.failures += 1

    def _close_sockets(self) -> None:
        for udp in (udp for opened in self._sockets.values() for udp in opened):
            udp.close()

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        readers = {udp: partial(self._read, protocol, udp) for protocol, opened in self._sockets.items() for udp in opened}
        self._pauses: dict[socket.socket, asyncio.Handle] = {}
        for udp, read in readers.items():
            loop.add_reader(udp, read)
        self._tick_due: asyncio.Handle = loop.call_soon(self._tick)
        if Protocol.ARTNET in self._universes:
            self._present(self._at.broadcast)  # desks that run do not wait until they ask again
        try:
            yield
        finally:
            self._tick_due.cancel()
            for pause in self._pauses.values():
                pause.cancel()
            for udp in readers:
                loop.remove_reader(udp)

    def _read(self, protocol: Protocol, udp: socket.socket) -> None:
        count = 0
        while count < MOST:
            count += 1
            try:
                packet, sender = udp.recvfrom(MAX_PACKET + 1)
            except BlockingIOError:
                break
            except OSError as error:  # too long a packet on Windows, or the answer to something sent earlier
                log.debug("a packet could not be read: %s", error)
                continue
            self.take(protocol, packet, sender[0], monotonic_ns())
        if count >= BURST:
            loop = asyncio.get_running_loop()
            loop.remove_reader(udp)
            self._pauses[udp] = loop.call_later(PAUSE_S, loop.add_reader, udp, partial(self._read, protocol, udp))

    def take(self, protocol: Protocol, packet: bytes, host: str, at_ns: int) -> None:
        """Take in a packet that has come to the port of `protocol`."""
        if not self._access.may_send(host):
            self.counters.barred += 1
            self._warn(host, "barred", "is not in dmx.allow; its packets are not read")
            return
        if packet == self._own:
            return  # what was told to everybody comes back
        parser = artnet if protocol is Protocol.ARTNET else sacn
        try:
            if len(packet) > MAX_PACKET:
                raise DmxError(f"it is longer than {MAX_PACKET} bytes")
            if parser.universe_of(packet) not in (self._universes[protocol], None):
                self.counters.other += 1  # a network of many universes: no more time is spent on it
                return
            said = parser.read(packet)
        except DmxError as error:
            self.counters.malformed += 1
            self._warn(host, "malformed", f"sends packets to the port of {protocol.value} that cannot be read: {error}")
            return
        if isinstance(said, artnet.Poll):
            self._answer(said, host)
        elif said is None:
            self.counters.other += 1
        elif not self._access.within_rate(host):
            self.counters.flooded += 1
            self._warn(host, "flooded", f"sends more than {RATE} packets a second; the rest is not read")
        else:
            self.counters.packets += 1
            self._levels(said, host, at_ns)

    def _levels(self, said: Levels, host: str, at_ns: int) -> None:
        crowded = self.counters.crowded
        self._play(self._fixture.take(said, host, at_ns))
        if self.counters.crowded > crowded:
            self._warn(host, "crowded", "is one light desk too many for this universe, and is not heard")
        elif self._silent:
            for desk in self._fixture.desks:
                if desk.heard_ns == at_ns and self._silent.pop(_key(desk), None) is not None:
                    log.info("the light desk %s is back", desk.origin, extra={MENDED: f"dmx {_key(desk)}"})

    def _play(self, played: Iterable[Played]) -> None:
        for desk, values in played:
            try:
                self._write(values, desk.origin, desk.heard_ns)
            except ParamError as error:
                self.counters.refused += 1
                self._warn(desk.host, "refused", f"plays what cannot be had: {error}")

    def _answer(self, poll: artnet.Poll, host: str) -> None:
        """Answer a desk. One on this machine hears that where everybody does."""
        if poll.about(self._universes[Protocol.ARTNET]) and self._answers.of(host).allow():
            self._present(self._at.broadcast if host == self._at.address else host)

    def _present(self, to: str) -> None:
        """Say that we are here, so that desks send to us."""
        report = f"{len(self._fixture.desks)} desks"
        self._own = artnet.poll_reply(self._at.address, self._universes[Protocol.ARTNET], NAME, report)
        try:
            self._sockets[Protocol.ARTNET][0].sendto(self._own, (to, artnet.PORT))
        except OSError as error:  # the desk went away, or there is no way to it
            log.debug("%s could not be told that we are here: %s", to, error)

    def _tick(self) -> None:
        self._tick_due = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        now_ns = monotonic_ns()
        self._play(self._fixture.due(now_ns))
        for desk, played in self._fixture.gone(now_ns):
            what = "has ended its stream" if desk.ended else "is silent"
            self._silent[_key(desk)] = desk.origin
            log.warning("the light desk %s %s; its last look is held", desk.origin, what, extra={TROUBLE: f"dmx {_key(desk)}"})
            while len(self._silent) > MOST_MISSED:
                del self._silent[next(iter(self._silent))]
            self._play(played)
        if not self._fixture.desks and now_ns - self._rejoined_ns > REJOIN_S * 1e9:
            self._rejoined_ns = now_ns
            self._rejoin()

    def _rejoin(self) -> None:
        for udp in self._sockets.get(Protocol.SACN, ())[-1:]:
            try:
                sockets.join(udp, sacn.group(self._universes[Protocol.SACN]), self._at.address)
            except OSError as error:  # the cable is out, or the interface gone
                self._warn(self._at.address, "network", f"cannot be asked for sACN: {error.strerror}; check the network")

    def _warn(self, host: str, kind: str, reason: str) -> None:
        """Log a sentence about a sender: of its `kind` one a minute, and not many of all, as addresses may be forged."""
        more = self._repeats.due((host, kind))
        if more is not None and self._lines.allow():
            log.warning("%s %s%s", host, reason, f" ({more} times more since the last line on it)" if more else "")


def _key(desk: Desk) -> str:
    return f"{desk.protocol.value} {desk.words}"
