"""Sockets whose address is this program's alone, or is shared, and the event loop that serves them."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress

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


def share(udp: socket.socket) -> None:
    """Have the address that a socket is going to be bound to be free for other programs, too."""
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sys.platform == "darwin":
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def join(udp: socket.socket, group: str, address: str) -> None:
    """Receive what is sent to a multicast group at the interface that has `address`; again, if it was joined before.

    To join again tells the network's switches anew, and mends what an interface has forgotten that was away.
    """
    request = socket.inet_aton(group) + socket.inet_aton(address)
    with suppress(OSError):
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, request)
    udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)


def hear_only(udp: socket.socket, interface: str) -> None:
    """Receive from one interface alone, as far as the system can do that: a name of an interface, as the system gives it."""
    if sys.platform == "linux":
        device = interface.partition(":")[0]  # of eth0:1, the label of a further address of eth0
        with suppress(PermissionError):  # before Linux 5.7 it takes root
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")


def heard_at(address: str, shared: Iterable[str], interface: str) -> tuple[tuple[str, str], ...]:
    """The addresses and interfaces at which sockets must be bound to hear what is sent to one interface.

    Linux takes in at every interface what is sent to an address of any; what a program of this machine sends to one comes by
    loopback. On Windows a socket at an interface's own address hears the shared ones, too; elsewhere it hears only its own.

    Args:
        address: the interface's own.
        shared: broadcast addresses and multicast groups.
        interface: its name, as the system gives it.
    """
    if sys.platform == "win32":
        return ((address, interface),)
    own = (interface, "lo") if sys.platform == "linux" else (interface,)
    return tuple(dict.fromkeys((*((address, one) for one in own), *((one, interface) for one in shared))))
