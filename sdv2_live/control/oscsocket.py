"""Sockets of the OSC server, with errors that a performer can act on."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from sdv2_live.errors import ConfigError

RECEIVE_BUFFER = 1 << 20  # bytes: a fader storm during one slow moment


def bind_udp(host: str, port: int) -> socket.socket:
    """A UDP socket at the address. Raises ConfigError with the remedy."""
    return _bind(host, port, socket.SOCK_DGRAM)


def bind_tcp(host: str, port: int, udp: socket.socket) -> socket.socket:
    """A TCP socket with the same address. Closes `udp` and raises ConfigError when it cannot be had."""
    try:
        return _bind(host, port, socket.SOCK_STREAM)
    except ConfigError:
        udp.close()
        raise


def bind_listener(host: str, port: int, key: str) -> socket.socket:
    """A TCP socket at the address, for a server whose port is the configuration `key`. Raises ConfigError with the remedy."""
    return _bind(host, port, socket.SOCK_STREAM, key)


def query_port(chosen: int | None, osc_port: int, osc_tcp: bool) -> int:
    """The TCP port of OSCQuery: the one chosen, or else of the number of OSC's UDP port, where clients send OSC unless they read
    HOST_INFO; the next one when OSC by TCP has that. Any free port where OSC's may be any."""
    return chosen if chosen is not None else osc_port and osc_port + osc_tcp


def endpoint(text: str) -> tuple[str, int]:
    """(host, port) of "127.0.0.1:9001". Raises ConfigError."""
    host, _, port = text.rpartition(":")
    try:
        number = int(port)
        ipaddress.ip_address(host.strip("[]"))
        if not 1 <= number <= 65535:
            raise ValueError
    except ValueError:
        raise ConfigError(f"osc.subscribers: cannot be {text!r}; give an IP address and a port, such as 127.0.0.1:9001") from None
    return host.strip("[]"), number


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
        elif os.name == "posix":  # else the connections of a show that just ended keep the next one out for a minute
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            what = f"is in use by another program; choose another port, as in --set {key}={port + 1}"
        else:
            what = f"cannot be opened ({error.strerror}); set osc.host to 127.0.0.1 or an address of this machine"
        raise ConfigError(f"{where} {what}") from error
    server.setblocking(False)
    return server
