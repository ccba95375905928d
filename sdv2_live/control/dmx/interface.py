"""The network interface at which light desks are heard."""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple

import ifaddr

from sdv2_live.errors import ConfigError
from sdv2_live.system import sockets

RECEIVE_BUFFER = 1 << 20
KEY = "dmx.interface"


class Interface(NamedTuple):
    """An interface and one IPv4 address of it. name: the system's; label: for people; broadcast: of its network."""

    name: str
    label: str
    address: str
    broadcast: str


def interfaces() -> list[Interface]:
    """All IPv4 addresses of this machine."""
    found: list[Interface] = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            if isinstance(ip.ip, str):
                network = ipaddress.ip_interface(f"{ip.ip}/{ip.network_prefix}").network
                found.append(Interface(adapter.name, adapter.nice_name, ip.ip, str(network.broadcast_address)))
    return found


def interface(wanted: str) -> Interface:
    """The interface with this address or name. Raises ConfigError with those that there are."""
    found = interfaces()
    for one in found:
        if wanted in (one.address, one.name, one.label):
            return one
    there = ", ".join(f"{one.address} ({one.label})" for one in found)
    raise ConfigError(f"{KEY}: this machine has no interface {wanted!r}; give the address or the name of one: {there}")


def open_sockets(at: Interface, port: int, group: str | None) -> list[socket.socket]:
    """Open the sockets that hear what is sent to the interface, to everybody on its network, and to a multicast group.

    The first can send, too. Other programs of this machine may listen at the same addresses.

    Raises:
        ConfigError: they cannot be opened.
    """
    shared = (group,) if group is not None else (at.broadcast, "255.255.255.255")
    opened: list[socket.socket] = []
    try:
        for address, heard in sockets.heard_at(at.address, shared, at.name):
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            opened.append(udp)
            udp.setblocking(False)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sockets.share(udp)
            sockets.hear_only(udp, heard)
            udp.bind((address, port))
        if group is not None:
            sockets.join(opened[-1], group, at.address)
    except OSError as error:
        for udp in opened:
            udp.close()
        raise ConfigError(
            f"dmx: {at.address}:{port} cannot be listened to ({error.strerror}); end the program that holds it, or "
            f"choose another {KEY}"
        ) from error
    return opened
