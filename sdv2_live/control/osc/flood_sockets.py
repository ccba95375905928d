"""Separate sockets for senders that flood.

All datagrams to a UDP socket wait in one buffer of the system. A sender that fills it faster than it is emptied makes the system
drop everybody's messages. Such a sender gets a socket of its own, bound to the same address and connected to the sender: Linux
then keeps its datagrams apart and drops only them. Other systems do not, and nothing is done there.
"""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable
from typing import Any

log = logging.getLogger("sdv2_live.osc")

MOST = 8  # senders
TAKEN = 200  # datagrams of one sender at a look
IDLE = 250  # looks without a datagram after which a sender is no more set aside

Address = tuple[Any, ...]  # of a socket, as the system gives it


class Aside:
    """The separate sockets of flooding senders. udp: the socket of all other senders."""

    def __init__(self, udp: socket.socket) -> None:
        self._udp = udp
        self._sockets: dict[Address, socket.socket] = {}
        self._idle: dict[Address, int] = {}

    def __len__(self) -> int:
        return len(self._sockets)

    def put(self, sender: Address) -> None:
        """Give a sender a socket of its own, up to the limit."""
        if sys.platform != "linux" or sender in self._sockets or len(self._sockets) >= MOST:
            return
        own = socket.socket(self._udp.family, socket.SOCK_DGRAM)
        try:
            # Both must allow it at this moment; afterwards the port is this program's alone again.
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            own.bind(self._udp.getsockname())
            own.connect(sender)
            own.setblocking(False)
        except OSError as error:
            own.close()
            log.debug("%s cannot be set aside: %s", sender[0], error)
        else:
            self._sockets[sender], self._idle[sender] = own, 0
        finally:
            self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)

    def read(self, size: int, take: Callable[[bytes, Address], None]) -> None:
        """Pass datagrams of at most `size` bytes to `take`. A sender that has long been silent loses its socket."""
        for sender, own in list(self._sockets.items()):
            taken = 0
            try:
                while taken < TAKEN:
                    data = own.recv(size)
                    taken += 1
                    take(data, sender)
            except OSError:  # no more, or the answer to something sent earlier
                pass
            self._idle[sender] = 0 if taken else self._idle[sender] + 1
            if self._idle[sender] > IDLE:
                self._sockets.pop(sender).close()

    def close(self) -> None:
        """Close all of these sockets."""
        while self._sockets:
            self._sockets.popitem()[1].close()
