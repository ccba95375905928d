"""Sockets whose address is this program's alone, and the event loop that serves them."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys

from sdv2_live.system.clock import monotonic

_DATAGRAM = 65_535  # bytes; no datagram is longer


class Loop(asyncio.SelectorEventLoop):
    """An event loop that can wait for sockets which are read by hand, on every system. Its timers follow the show's clock.

    The loop that asyncio takes on Windows by default cannot (Python's library reference, "asyncio: Platform Support").
    """

    def time(self) -> float:
        """Seconds of `clock.monotonic`."""
        return monotonic()


def claim(server: socket.socket) -> None:
    """Have the address that a socket is going to be bound to be its own alone, and to be had again as soon as it is closed.

    On Windows another program could take the address over, unless that is forbidden (Microsoft: "Using SO_REUSEADDR and
    SO_EXCLUSIVEADDRUSE"). Elsewhere the connections of a show that just ended keep the next one out for a minute, unless that is
    allowed; a UDP socket has none, and allowing it would let a second show in.
    """
    if sys.platform == "win32":
        server.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    elif server.type == socket.SOCK_STREAM:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def send_whole(udp: socket.socket) -> None:
    """Make a socket send datagrams as long as UDP allows them.

    macOS sends none that is longer than the socket's buffer, of 9216 bytes unless told otherwise (sysctl
    net.inet.udp.maxdgram): half of what a prompt may have.
    """
    if sys.platform == "darwin":
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _DATAGRAM)


def taken(error: OSError) -> bool:
    """True when a socket could not be bound because its address is in use.

    Windows answers with "access denied" where a program has claimed it for every address of the machine, and where the port is in
    a range that is kept for others, such as Hyper-V's (Microsoft: "bind function"; `netsh int ipv4 show excludedportrange`).
    """
    return error.errno == errno.EADDRINUSE or (sys.platform == "win32" and error.errno == errno.EACCES)
