"""Refusal of HTTP requests from other sites' web pages, and of requests by names that are not this machine's.

Any page that is open in the performer's browser can make it send requests to any address. Browsers name the page that a request
comes from (Origin, Sec-Fetch-Site). A page can hide that by DNS rebinding (by mDNS too): its own host name first stands for its
server, then for this machine. Therefore only requests by this machine's own names are answered.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from sdv2_live.control.access import own_addresses, plain_address

OF_A_PAGE = "web pages of another origin are not answered"
HTTP_PORT = 80
_AUTHORITY = re.compile(r"[\w.%:\[\]-]+")
_SITES_OF_OTHERS = ("cross-site", "same-site")


class OwnNames:
    """The names of this machine: its host name, alone, with its domain and with .local, and the configured `others`."""

    def __init__(self, others: Collection[str] = ()) -> None:
        self._others = {_plain(name) for name in others}
        # Asks name servers, which may take long to answer, or never do.
        self.asking = threading.Thread(target=self._ask_domain, name="own-names", daemon=True)
        self.asking.start()

    def _ask_domain(self) -> None:
        self._others |= {_plain(socket.getfqdn())}

    def include(self, name: str, asked_at: str) -> bool:
        """True for one of these names or an address of this machine. asked_at: the address that took the request."""
        if name in self._others:
            return True
        try:
            address = plain_address(name)
        except ValueError:
            own = _plain(socket.gethostname())
            short = own.partition(".")[0]
            return name in ("localhost", own, short, f"{short}.local")
        return address.is_loopback or address.is_unspecified or address in (plain_address(asked_at), *own_addresses())


def refusal(headers: Mapping[str, str], own: OwnNames, asked_at: str) -> str:
    """The reason to refuse a request with these headers; empty for one to answer. asked_at: the address that took it."""
    host, origin = headers.get("Host"), headers.get("Origin")
    foreign = headers.get("Sec-Fetch-Site") in _SITES_OF_OTHERS
    if foreign or (origin is not None and _authority(origin.partition("://")[2]) != _authority(host or "")):
        return OF_A_PAGE
    if host is None or own.include(name := _authority(host)[0], asked_at):  # every browser sends Host
        return ""
    if origin is not None:
        return OF_A_PAGE
    name = name or "NAME"
    return f"{name} is no name of this machine; if it is meant to be one, start the show with --set osc.hosts={name}"


def _authority(text: str) -> tuple[str, int]:
    """The name, in its plain form, and the port; an empty name when the text has none."""
    try:
        parts = urlsplit(f"//{text}" if _AUTHORITY.fullmatch(text) else "//")
        return _plain(parts.hostname or ""), parts.port or HTTP_PORT
    except ValueError:
        return "", HTTP_PORT


def _plain(name: str) -> str:
    return name.strip(" []").lower().rstrip(".")
