"""Which HTTP requests are refused: those of other sites' web pages, and those by names that are not this machine's.

A page that the performer happens to have open can make the browser ask any address. Browsers say from which page a request comes
(Origin, Sec-Fetch-Site). A page can hide that by its own host name, which it first lets mean its server and then this machine
(DNS rebinding, by mDNS too). So this machine is asked for by its own names only.
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
    """The names of this machine: its host name, that with its domain, that below .local; `others` beside them."""

    def __init__(self, others: Collection[str] = ()) -> None:
        self._others = {_plain(name) for name in others}
        # Asks name servers, which may take long to answer, or never do.
        self.asking = threading.Thread(target=self._ask_domain, name="own-names", daemon=True)
        self.asking.start()

    def _ask_domain(self) -> None:
        self._others |= {_plain(socket.getfqdn())}

    def include(self, name: str, asked_at: str) -> bool:
        """Whether this is such a name, or an address of this machine. asked_at: the one at which it was asked."""
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
    """Why a request with these headers is not answered; empty for one that is. asked_at: the address that took it."""
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
    """Name, in its plain form, and port; no name where it is none."""
    try:
        parts = urlsplit(f"//{text}" if _AUTHORITY.fullmatch(text) else "//")
        return _plain(parts.hostname or ""), parts.port or HTTP_PORT
    except ValueError:
        return "", HTTP_PORT


def _plain(name: str) -> str:
    return name.strip(" []").lower().rstrip(".")
