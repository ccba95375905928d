"""Sockets of the OSC server, with errors that a performer can act on."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator
from functools import lru_cache

from sdv2_live.control.access import plain_address
from sdv2_live.errors import ConfigError
from sdv2_live.system.sockets import claim, send_whole, taken

_TRIES = 20
RECEIVE_BUFFER = 1 << 20  # bytes: a fader storm during one slow moment

# Seconds of silence before it is asked for, between questions, and how many; milliseconds for what is sent to be received.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPALIVE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 25_000}
_RECVERR = ((socket.IPPROTO_IP, 11), (socket.IPPROTO_IPV6, 25))  # Linux: IP_RECVERR, IPV6_RECVERR


def bind_osc(host: str, port: int, *, tcp: bool) -> tuple[socket.socket, socket.socket | None]:
    """Bind a UDP socket and, with `tcp`, a TCP socket of the same number. Raises ConfigError with the remedy."""
    for left in reversed(range(_TRIES)):
        udp = _bind(host, port, socket.SOCK_DGRAM)
        try:
            return udp, _bind(host, udp.getsockname()[1], socket.SOCK_STREAM) if tcp else None
        except ConfigError:
            udp.close()
            if port or not left:  # else any number will do, and the next may be free for both
                raise
    raise AssertionError


def bind_listener(host: str, port: int, key: str) -> socket.socket:
    """Bind a TCP socket for a server whose port is the configuration `key`. Raises ConfigError with the remedy."""
    return _bind(host, port, socket.SOCK_STREAM, key)


def query_port(chosen: int | None, osc_port: int, osc_tcp: bool) -> int:
    """The TCP port of OSCQuery.

    It is `chosen` or else OSC's UDP port number, to which clients send OSC unless they read HOST_INFO. OSC over TCP moves it to
    the next number. 0 (any free port) when OSC's port is 0.
    """
    return chosen if chosen is not None else osc_port and osc_port + osc_tcp


@lru_cache(maxsize=256)
def plain(host: str) -> str:
    """An IP address in its usual form, with its scope, and as IPv4 where it is mapped into IPv6. Raises ValueError."""
    address = plain_address(host)
    _, percent, scope = host.partition("%")
    return str(address) if isinstance(address, ipaddress.IPv4Address) else f"{address}{percent}{scope}"


def reaches(bound: str, port: int, host: str, to_port: int) -> bool:
    """True when a message to host:to_port arrives at a server bound to bound:port. Both addresses are in their plain form."""
    if port != to_port:
        return False
    return host == bound or _anywhere(host) or (_anywhere(bound) and _is_local(host))


def deliver(udp: socket.socket, data: bytes, host: str, port: int) -> None:
    """Send a datagram. Raises OSError.

    Linux and Windows may report a refusal of an earlier datagram instead of sending this one, so a refused one is sent again.
    """
    try:
        udp.sendto(data, (host, port))
    except ConnectionError:  # refused on Linux, reset on Windows
        udp.sendto(data, (host, port))


def keep_alive(connection: socket.socket) -> None:
    """Make the system detect within half a minute that the other end of a TCP connection is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def refused(udp: socket.socket) -> Iterator[tuple[str, int]]:
    """The hosts and ports that refused a datagram since the last call. Empty on systems other than Linux."""
    if sys.platform != "linux":
        return
    while True:
        try:
            _, ancillary, _, address = udp.recvmsg(1, 512, socket.MSG_ERRQUEUE)
        except OSError:  # no more
            return
        for level, kind, data in ancillary:  # the error's number leads
            if (level, kind) in _RECVERR and struct.unpack_from("=I", data)[0] == errno.ECONNREFUSED:
                yield plain(address[0]), address[1]


def endpoint(text: str) -> tuple[str, int]:
    """Parse "127.0.0.1:9001" into (host, port). Raises ConfigError."""
    host, _, port = text.rpartition(":")
    try:
        number = int(port)
        address = plain(host.strip("[]"))
        if not 1 <= number <= 65535:
            raise ValueError
    except ValueError:
        raise ConfigError(f"osc.subscribers: cannot be {text!r}; give an IP address and a port, such as 127.0.0.1:9001") from None
    return address, number


def _anywhere(host: str) -> bool:
    return plain_address(host).is_unspecified


def _is_local(host: str) -> bool:
    """True for an address of any of this machine's interfaces: only those can be bound."""
    if plain_address(host).is_multicast:
        return False
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _bind(host: str, port: int, kind: socket.SocketKind, key: str = "osc.port") -> socket.socket:
    where = f"{key.partition('.')[0]}: {host}:{port}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=kind)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError(
            f"{where}: no such address ({error}); set osc.host to 127.0.0.1 or an address of this machine"
        ) from error
    server = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_DGRAM:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            send_whole(server)
            if sys.platform == "linux":  # which alone tells which message was refused
                for level, option in _RECVERR[: 2 if family is socket.AF_INET6 else 1]:
                    server.setsockopt(level, option, 1)
        claim(server)
        server.bind(address)
    except OSError as error:
        server.close()
        if taken(error):
            what = f"is in use by another program; choose another port, as in --set {key}={port + 1}"
        else:
            what = f"cannot be opened ({error.strerror}); set osc.host to 127.0.0.1 or an address of this machine"
        raise ConfigError(f"{where} {what}") from error
    server.setblocking(False)
    return server
