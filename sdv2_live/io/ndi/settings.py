"""The settings by which a process takes part in the NDI network."""

from __future__ import annotations

import sys
from dataclasses import dataclass

# Loopback addresses that are asked. Elsewhere only the first one exists, and mDNS does the work.
DRAWS = 32 if sys.platform == "linux" else 1


@dataclass(frozen=True, slots=True)
class NdiSettings:
    """The settings of this process for the NDI network.

    Attributes:
        extra_ips: addresses asked directly for their sources, for networks without mDNS; the loopback is always asked.
        groups: NDI groups to search and to publish in; none means the SDK's default group, "public".
        discovery_server: "host" or "host:port" of an NDI Discovery Server, several separated by commas. Read when NDI is first
            used; it cannot change afterwards.
    """

    extra_ips: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    discovery_server: str | None = None

    @property
    def ips(self) -> str:
        """Comma-separated addresses for the SDK, the loopback's among them, without repeats."""
        loopback = (f"127.0.0.{i}" for i in range(1, DRAWS + 1))
        return ",".join(dict.fromkeys((*self.extra_ips, *loopback)))
