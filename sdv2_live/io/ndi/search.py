"""The search for the performer's NDI source while it is not received."""

from __future__ import annotations

import logging
from collections.abc import Collection

from sdv2_live.io.base import Port
from sdv2_live.io.ndi.lib import Finder, NdiSourceInfo, as_address, match_source
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.system.clock import monotonic

log = logging.getLogger("sdv2_live.ndi_in")

LOOK_S = 0.2  # how often a lost source is looked for
SETTLE_S = 1.0  # a substring may fit several sources: the finder gets this long to see them all before one is taken
HINT_S = 8.0  # a search that found nothing for so long says what may be wrong

_NOT_FOUND = (
    "check its name and group, and that avahi-daemon runs (Linux); else add the sender's address to the extra IPs, "
    "or connect by address, as in ndi:192.168.1.20:5961"
)


class NdiSearch(Port):
    """Looks for the source that `pattern` means, see `match_source`; "ip:port" needs no search. For one thread."""

    def __init__(self, pattern: str, settings: NdiSettings, ignore: Collection[str]) -> None:
        self.name = f"search for '{pattern}'" if pattern else "search for any source"
        self._pattern, self._ignore = pattern, tuple(ignore)
        self._direct = as_address(pattern)
        self._finder = None if self._direct else Finder(settings)
        now = monotonic()
        self._settled_at, self._hint_at = now + SETTLE_S, now + HINT_S
        self._look_at = now
        self._found = False  # once

    def look(self, now: float) -> NdiSourceInfo | None:
        """The source; None while it is absent, or when the last look was just now."""
        if now < self._look_at:
            return None
        self._look_at = now + LOOK_S
        found = self._direct or self._match(self._finder.sources if self._finder else [], now)
        self._found |= found is not None
        if not self._found and now >= self._hint_at:
            self._hint_at = float("inf")
            what = f"'{self._pattern}'" if self._pattern else "any source"
            log.warning("searching for %s: not on the network yet; %s", what, _NOT_FOUND)
        return found

    def wait(self, until: float) -> None:
        """Look again at `until` at the earliest."""
        self._look_at = until

    def _match(self, sources: list[NdiSourceInfo], now: float) -> NdiSourceInfo | None:
        if now < self._settled_at:
            sources = [s for s in sources if s.called(self._pattern)]
        return match_source(self._pattern, sources, self._ignore)

    def close(self) -> None:
        if self._finder is not None:
            self._finder.close()
