"""Access control: the networks that a server takes messages from, and the rate allowed to each sender."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from functools import lru_cache

import ifaddr

from sdv2_live.control.throttle import Throttles
from sdv2_live.errors import ConfigError
from sdv2_live.system.clock import monotonic

MAX_SENDERS = 256  # whose rates are kept; the one heard longest ago is forgotten first

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(allow: Sequence[str], key: str) -> tuple[Network, ...]:
    """Parse networks and addresses such as "192.168.1.0/24". Raises ConfigError naming the configuration `key`."""
    return tuple(_network(text, key) for text in allow)


def _network(text: str, key: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ConfigError(
            f"{key}: cannot be {text!r}; give addresses or networks such as 192.168.1.20 or 192.168.1.0/24"
        ) from None


class Access:
    """Decides who may send to a server, and how often. Not thread-safe.

    This machine always passes. Other hosts pass when their network is listed; while none is listed, when their address is
    private. So a show that was opened is open to its own network, not to the internet.
    """

    def __init__(self, allow: Sequence[str], rate: float, key: str, clock: Callable[[], float] = monotonic) -> None:
        """Set the limits.

        Args:
            allow: networks and addresses whose hosts may send.
            rate: messages a second that one sender may send; as many again may come at once.
            key: the configuration key of `allow`, for messages.
            clock: gives seconds.

        Raises:
            ConfigError: an entry of `allow` is no network.
        """
        self._listed = networks(allow, key)
        self._senders = Throttles(rate, int(rate), MAX_SENDERS, clock)
        self.may_send = lru_cache(maxsize=MAX_SENDERS)(self._may_send)

    def listed(self, host: str) -> bool:
        """True when the configuration names this host's network."""
        address = plain_address(host)
        return any(address in network for network in self._listed if network.version == address.version)

    def _may_send(self, host: str) -> bool:
        address = plain_address(host)
        return address.is_loopback or (self.listed(host) if self._listed else address.is_private or address.is_link_local)

    def within_rate(self, sender: str, worth: int = 1) -> bool:
        """True while a sender, by any name the server gives it, is within its rate; then `worth` messages are charged to it."""
        return self._senders.of(sender).allow(worth)

    def has_rate_left(self, sender: str) -> bool:
        """True while a sender is within its rate; charges nothing."""
        return self._senders.of(sender).open


def plain_address(host: str) -> Address:
    """Parse an address, without its IPv6 scope, and as IPv4 where it is mapped into IPv6. Raises ValueError if it is none."""
    address = ipaddress.ip_address(host.partition("%")[0])
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address


def own_addresses() -> dict[Address, str]:
    """The current addresses of this machine's interfaces, with the interfaces' names."""
    found = [
        (ip.ip if isinstance(ip.ip, str) else ip.ip[0], adapter.nice_name)
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
    ]
    return {plain_address(address): name for address, name in found}


def ways_in(host: str) -> dict[str, str]:
    """The addresses at which other machines reach a server on `host`, with the names of their interfaces; none on loopback."""
    bound = plain_address(host)
    own = {address: name for address, name in own_addresses().items() if address.version == bound.version}
    usable = {address: name for address, name in own.items() if not address.is_loopback}
    return {str(address): name for address, name in usable.items() if bound.is_unspecified or address == bound}
