"""The page over HTTP: which requests are for it, and what it consists of.

A browser that asks for `/` gets the page, every other program OSCQuery's description, as the Accept header says. Everything
else of the page lies under `/page/` and `/preview/`, the manual under `/manual`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from sdv2_live.control.http.server import MAX_RATE, REFUSED_S, HttpServer, peer_of
from sdv2_live.control.page import manual
from sdv2_live.control.page.files import INDEX, Asset, assets
from sdv2_live.control.page.lists import Lists
from sdv2_live.control.page.live import LivePages
from sdv2_live.control.page.pictures import Pictures
from sdv2_live.control.page.previews import Previews
from sdv2_live.control.page.ticket import Ticket

OWN = {"page", "preview", "manual"}  # first parts of the paths that are the page's, and no OSC addresses
KEYS = {"dock", "tab", "still", "token"}  # of the page's own query
TOKEN_WANTED = "this page needs a token; the address with it stands in the terminal where sdv2-live was started\n"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'{sockets}; "
    "manifest-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address may hold the token
    "Cross-Origin-Resource-Policy": "same-origin",
}
HTML, JSON = "text/html", "application/json"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Page:
    """The page of a show, as routes of `http`.

    Args:
        pictures: None for a page without any.
    """

    def __init__(self, http: HttpServer, lists: Lists, ticket: Ticket, pictures: Pictures | None = None) -> None:
        self._http, self._ticket = http, ticket
        self._assets: Mapping[str, Asset] = assets()
        self.live = LivePages(http, lists, pictures)
        http.application.middlewares.append(self._admit)
        http.add_routes([web.get("/page/live", self.live.serve), web.get("/page/{name:.+}", self._file), *manual.routes()])
        if pictures is not None:
            http.add_routes(Previews(http, pictures).routes())
        http.application.on_response_prepare.append(self._secure)
        http.application.cleanup_ctx.append(self.live.running)
        http.application.on_shutdown.append(self.live.close)

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer requests for the page that bring the token, where one is asked for, and leave all others to their handlers."""
        own, socket = _own(request), _websocket(request)
        if not own and not (socket and "Origin" in request.headers):
            return await handler(request)
        if not self._ticket.admits(request):
            self._http.counters.tokenless += 1
            await asyncio.sleep(REFUSED_S)
            raise web.HTTPUnauthorized(text=TOKEN_WANTED, headers={"WWW-Authenticate": "Bearer"})
        if own and not self._http.access.within_rate(peer_of(request)[0]):
            self._http.counters.flooded += 1
            await asyncio.sleep(REFUSED_S)
            raise web.HTTPTooManyRequests(text=f"more than {MAX_RATE} requests a second\n")
        if request.path != "/" or socket:
            return await handler(request)
        answer = self._assets[INDEX].answer(request)
        self._ticket.stamp(request, answer)
        return answer

    async def _file(self, request: web.Request) -> web.Response:
        asset = self._assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound(text=f"the page has no file {request.path[:200]!r}\n")
        return asset.answer(request)

    async def _secure(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers by which a browser lets the page talk to this server alone."""
        if request.path == "/":
            response.headers["Vary"] = "Accept"
        if _own(request):
            response.headers.update(SECURITY)
            response.headers["Content-Security-Policy"] = _policy(request.headers.get("Host", ""))


def _own(request: web.Request) -> bool:
    """True when a request is for the page, and not for OSCQuery's description."""
    return (request.path == "/" and wants_page(request)) or request.path.partition("/")[2].partition("/")[0] in OWN


def wants_page(request: web.Request) -> bool:
    """True when a request for `/` wants to read rather than to compute: it prefers HTML, and asks for no attribute."""
    return not _websocket(request) and set(request.query) <= KEYS and _prefers_html(request.headers.get("Accept", ""))


def _websocket(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _prefers_html(accept: str) -> bool:
    """True when an Accept header names HTML, and wants JSON no more than that."""
    wanted = {}
    for part in accept.split(","):
        kind, *options = (piece.strip().lower() for piece in part.split(";"))
        quality = next((option[2:] for option in options if option.startswith("q=")), "1")
        try:
            wanted[kind] = float(quality)
        except ValueError:
            wanted[kind] = 0.0
    return wanted.get(HTML, 0.0) > 0 and wanted[HTML] >= wanted.get(JSON, 0.0)


def _policy(host: str) -> str:
    """The Content-Security-Policy of a page that was asked for at `host`, a name of this machine: see `http.origin`."""
    sockets = f" ws://{host} wss://{host}" if host else ""  # some browsers do not count them as 'self'
    return POLICY.format(sockets=sockets)
