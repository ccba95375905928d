"""Taking in what comes by UDP: a flood in few, large parts, and its sender set aside."""

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
PAUSE_S = 0.02  # after a burst; a small part of a chunk, which is what a value waits for anyway


class Datagrams:
    """Reads a UDP socket on the server's loop.

    take: given each datagram, and who sent it. nobody: told the hosts and ports at which nobody took what was sent there.
    """

    def __init__(self, udp: socket.socket, take: Callable[[bytes, Address], None], nobody: Callable[[str, int], None]) -> None:
        self._udp = udp
        self._take = take
        self._nobody = nobody
        self._aside = Aside(udp)

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read from now on."""
        self._loop = loop
        loop.add_reader(self._udp, self._read)

    def end(self) -> None:
        """Read no more."""
        self._loop.remove_reader(self._udp)
        self._aside.close()

    def _read(self) -> None:
        """Take in all datagrams that wait. After a burst look again a little later: a flood is then read in few, large parts."""
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
        if len(senders) >= BURST:
            self._loop.remove_reader(self._udp)
            self._loop.call_later(PAUSE_S, self._loop.add_reader, self._udp, self._read)

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
