"""The token without which the page is not given to other machines.

A request brings it in a header (`Authorization: Bearer TOKEN`), in its query (`?token=TOKEN`) or in a cookie, which a browser
gets with the page. This machine's own browsers need none: they ask by a loopback address, from a loopback address. Programs that
read OSCQuery need none either, nor do those that open its WebSocket: they may as well send OSC. A browser says on opening a
WebSocket which page does so (Origin), and needs the token.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from sdv2_live.control.access import plain_address
from sdv2_live.control.http.server import peer_of
from sdv2_live.system.atomic import written_whole
from sdv2_live.system.private import private_folder, private_text

log = logging.getLogger("sdv2_live.page")

KEPT = "page-token"  # file name; whoever removes the file gets another token at the next start
LIKE_A_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,200}")
BYTES = 12  # of a token that is made here: more than anybody can guess, and short enough for a small QR code
YEAR_S = 365 * 24 * 3600


class Ticket:
    """The token of one show; an empty one is asked of nobody.

    Args:
        port: of the HTTP server. It is part of the cookie's name, because browsers give cookies to every port of a host.
    """

    def __init__(self, token: str, port: int) -> None:
        self.token = token
        self._cookie = f"sdv2_token_{port}"

    @classmethod
    def configured(cls, setting: str, host: str, port: int, folder: Path | None = None) -> Ticket:
        """The ticket that `ui.token` asks for.

        Args:
            host: the server's address; auto asks for no token on loopback, which others do not reach.
            folder: where the token of auto is kept, so that tablets come back after a restart; None makes one each time.
        """
        if setting == "none" or (setting == "auto" and ipaddress.ip_address(host).is_loopback):
            return cls("", port)
        return cls(_kept(folder) if setting == "auto" else setting, port)

    def admits(self, request: web.Request) -> bool:
        """True for a request that brings the token, or needs none."""
        if not self.token or _from_here(request):
            return True
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        brought = (
            bearer if scheme.lower() == "bearer" else "",
            request.query.get("token", ""),
            request.cookies.get(self._cookie, ""),
        )
        return any([self._equals(one) for one in brought])  # each is compared: the time tells nothing of which one it was

    def stamp(self, request: web.Request, response: web.Response) -> None:
        """Give a browser whose address holds the token the cookie that stands for it."""
        if self.token and self._equals(request.query.get("token", "")):
            response.set_cookie(self._cookie, self.token, max_age=YEAR_S, httponly=True, samesite="Strict", path="/")

    def _equals(self, brought: str) -> bool:
        return hmac.compare_digest(brought.encode(errors="replace"), self.token.encode())


def _kept(folder: Path | None) -> str:
    """The token in a folder; a new one, which is put there, where there is none."""
    token = secrets.token_urlsafe(BYTES)
    if folder is None:
        return token
    path = folder / KEPT
    try:
        if path.exists() and LIKE_A_TOKEN.fullmatch(kept := path.read_text(encoding="ascii").strip()):
            return kept
        private_folder(folder)
        with written_whole(path) as part, private_text(part) as file:
            file.write(token + "\n")
    except (OSError, ValueError) as error:
        log.warning("%s: the page's token cannot be kept (%s); the next start will have another", path, error)
    return token


def _from_here(request: web.Request) -> bool:
    """True for a request from this machine by a name of loopback: a proxy on this machine passes on others' names."""
    name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    try:
        asked = name == "localhost" or plain_address(name).is_loopback
    except ValueError:
        asked = False
    return asked and plain_address(peer_of(request)[0]).is_loopback
