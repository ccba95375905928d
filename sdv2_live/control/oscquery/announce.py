"""mDNS: announces to clients on the network that OSC and OSCQuery are taken here (_osc._udp, _oscjson._tcp)."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from zeroconf import Error
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from sdv2_live.control.access import own_addresses, plain_address

log = logging.getLogger("sdv2_live.oscquery")

logging.getLogger("zeroconf").setLevel(logging.CRITICAL)  # it tells of an interface that goes by a traceback a packet

LOOK_S = 3.0  # between looks at this machine's interfaces, which come and go; after a failure too


@asynccontextmanager
async def announced(name: str, host: str, http_port: int, osc_port: int) -> AsyncIterator[None]:
    """Announce both services while the context lasts, on every interface that `host` covers, and again when these change.

    A server on loopback is announced to this machine alone. If announcing fails, clients still reach the server by its address. A
    name that is taken gets a number, as in "sdv2-live-2".
    """
    announcer = _Announcer(name, host, http_port, osc_port)
    task = asyncio.create_task(announcer.keep())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await announcer.withdraw()


def interfaces(host: str) -> list[str]:
    """The current addresses of the interfaces by which clients reach a server on `host`.

    For a server on every address they are the IPv4 addresses, without loopback if there is another.
    """
    present = own_addresses()
    wanted = plain_address(host)
    if not wanted.is_unspecified:
        return [host] if wanted.is_loopback or wanted in present else []
    own = [address for address in present if isinstance(address, ipaddress.IPv4Address)]
    return [str(address) for address in sorted(own) if not address.is_loopback] or [str(address) for address in own]


class _Announcer:
    """Announces one server's services. Belongs to the event loop."""

    def __init__(self, name: str, host: str, http_port: int, osc_port: int) -> None:
        self._name = name
        self._host = host
        self._ports = {"_oscjson._tcp.local.": http_port, "_osc._udp.local.": osc_port}
        self._server = f"sdv2-live-{uuid.uuid4().hex[:8]}.local."
        self._zeroconf: AsyncZeroconf | None = None
        self._trouble = ""  # that was told

    async def keep(self) -> None:
        """Announce, watch the interfaces, and announce again when they have changed or the last attempt failed."""
        told: list[str] | None = None
        while True:
            wanted = interfaces(self._host)
            if wanted != told:
                told = wanted if await self._announce(wanted) else None
            await asyncio.sleep(LOOK_S)

    async def withdraw(self) -> None:
        """Tell the network that the services have ended."""
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf is not None:
            await zeroconf.async_unregister_all_services()
            await zeroconf.async_close()

    async def _announce(self, addresses: list[str]) -> bool:
        """Announce at these addresses, if there are any. Returns False when that failed."""
        await self.withdraw()
        if not addresses:
            return True
        try:
            zeroconf = self._zeroconf = AsyncZeroconf(interfaces=addresses)
            services = [
                AsyncServiceInfo(kind, f"{self._name}.{kind}", port=port, server=self._server, parsed_addresses=addresses)
                for kind, port in self._ports.items()
            ]
            register = functools.partial(zeroconf.async_register_service, allow_name_change=True)
            await asyncio.gather(*await asyncio.gather(*map(register, services)))
        except (OSError, RuntimeError, Error) as error:  # no multicast here, an interface that is gone
            trouble = str(error) or type(error).__name__
            if trouble != self._trouble:
                port = self._ports["_oscjson._tcp.local."]
                log.warning("not announced by mDNS yet (%s); meanwhile give clients the address, port %s", trouble, port)
            self._trouble = trouble
            return False
        self._trouble = ""
        log.info("announced as '%s' on %s", services[0].get_name(), ", ".join(addresses))
        return True
