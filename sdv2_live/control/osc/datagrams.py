"""Reading of UDP datagrams: a flood is read in few, large parts, and its sender gets a socket of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable

from sdv2_live.control.osc.flood_sockets import Address, Aside
from sdv2_live.control.osc.sockets import refused

log = logging.getLogger("sdv2_live.osc")

MAX_DATAGRAM = 65_536
MOST = 1024  # datagrams taken in before anything else has its turn
BURST = 4  # datagrams waiting at once: no hand does that
MANY = 128  # datagrams waiting at once, of some 500 for which systems have room: the next pause is shorter
PAUSE_S = 0.02  # longest pause after a burst; a small part of a chunk, which is what a value waits for anyway
SHORTEST_S = 0.001


class Datagrams:
    """Reads a UDP socket on the server's loop.

    `take` gets each datagram and its sender; `nobody` gets the hosts and ports that refused a datagram sent to them.
    """

    def __init__(self, udp: socket.socket, take: Callable[[bytes, Address], None], nobody: Callable[[str, int], None]) -> None:
        self._udp = udp
        self._take = take
        self._nobody = nobody
        self._aside = Aside(udp)
        self._pause_s = SHORTEST_S

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read."""
        self._loop = loop
        loop.add_reader(self._udp, self._read)

    def end(self) -> None:
        """Stop reading."""
        self._loop.remove_reader(self._udp)
        self._aside.close()

    def _read(self) -> None:
        """Read all waiting datagrams. After a burst the next reading is delayed: a flood is then read in few, large parts.

        The delay grows while the parts stay small, and shrinks before the system's buffer would overflow: what that drops is
        the newest value.
        """
        for host, port in refused(self._udp):
            self._nobody(host, port)
        senders: list[Address] = []
        for _ in range(MOST):
            try:
                data, sender = self._udp.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                break
            except OSError as error:  # the answer to something sent earlier, whose receiver is gone; what waits behind it is read
                log.debug("a message could not be delivered: %s", error)
                continue
            senders.append(sender)
            self._take(data, sender)
        if len(senders) == MOST:
            self._set_aside(*Counter(senders).most_common(1)[0])
        if len(senders) < BURST:
            self._pause_s = SHORTEST_S
        else:
            more = len(senders) > MANY
            self._pause_s = max(self._pause_s / 2, SHORTEST_S) if more else min(self._pause_s * 2, PAUSE_S)
            self._loop.remove_reader(self._udp)
            self._loop.call_later(self._pause_s, self._loop.add_reader, self._udp, self._read)

    def _set_aside(self, sender: Address, count: int) -> None:
        if count > MOST // 2:
            first = not self._aside
            self._aside.put(sender)
            if first:
                self._read_aside()

    def _read_aside(self) -> None:
        self._aside.read(MAX_DATAGRAM, self._take)
        if self._aside:
            self._loop.call_later(PAUSE_S, self._read_aside)
