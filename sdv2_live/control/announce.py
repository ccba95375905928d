"""mDNS: tells clients on the network that OSC and OSCQuery are taken here (_osc._udp, _oscjson._tcp)."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import ifaddr
from zeroconf import Error, InterfaceChoice
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

log = logging.getLogger("sdv2_live.oscquery")


@asynccontextmanager
async def announced(name: str, host: str, http_port: int, osc_port: int) -> AsyncIterator[None]:
    """Announce both services while the context lasts, on the interfaces that `host` means: a show on loopback is announced to
    this machine alone. When that cannot be done a warning says so, and clients still reach the server by its address.

    A name that is taken gets a number, as in "sdv2-live-2".
    """
    task = asyncio.create_task(_register(name, host, http_port, osc_port))  # asking whether a name is free takes a second
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            zeroconf = await task
            if zeroconf is not None:
                await _close(zeroconf)


async def _register(name: str, host: str, http_port: int, osc_port: int) -> AsyncZeroconf | None:
    every = ipaddress.ip_address(host).is_unspecified
    addresses = _own_addresses() if every else [host]
    server = f"sdv2-live-{uuid.uuid4().hex[:8]}.local."
    zeroconf = None
    try:
        zeroconf = AsyncZeroconf(interfaces=InterfaceChoice.Default if every else [host])
        for kind, port in (("_oscjson._tcp.local.", http_port), ("_osc._udp.local.", osc_port)):
            info = AsyncServiceInfo(kind, f"{name}.{kind}", port=port, server=server, parsed_addresses=addresses)
            await (await zeroconf.async_register_service(info, allow_name_change=True))
    except (OSError, RuntimeError, Error) as error:  # no multicast here, an interface that is gone
        log.warning("not announced by mDNS (%s); give clients the address, port %s", error or type(error).__name__, http_port)
    except asyncio.CancelledError:
        if zeroconf is not None:
            await _close(zeroconf)
        raise
    else:
        log.info("announced as '%s'", info.name.removesuffix(f".{kind}"))
    return zeroconf


async def _close(zeroconf: AsyncZeroconf) -> None:
    await zeroconf.async_unregister_all_services()
    await zeroconf.async_close()


def _own_addresses() -> list[str]:
    """This machine's IPv4 addresses but loopback."""
    addresses = [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    return [address for address in addresses if not ipaddress.ip_address(address).is_loopback]
