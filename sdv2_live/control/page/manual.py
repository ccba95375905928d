"""The manual in the browser: its pages, their pictures, and the search in them, all without a script."""

from __future__ import annotations

from functools import cache

from aiohttp import web

from sdv2_live.control.page.files import TYPES, assets
from sdv2_live.errors import ConfigError
from sdv2_live.manual import CONTENTS, FOLDER, html

MAX_WORDS = 100  # characters of a search


def routes() -> list[web.RouteDef]:
    """The routes of /manual."""
    files = assets(FOLDER)

    async def searched(request: web.Request) -> web.Response:
        words = request.query.get("q", "").strip()[:MAX_WORDS]
        return _answer(html.found(words) if words else _page(CONTENTS))

    async def read(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name in files:
            return files[name].answer(request)
        try:
            return _answer(_page(name))
        except ConfigError as error:
            raise web.HTTPNotFound(text=f"{error}\n") from None

    return [web.get("/manual", searched), web.get("/manual/{name:.+}", read)]


@cache
def _page(name: str) -> str:
    return html.page(name)


def _answer(text: str) -> web.Response:
    return web.Response(text=text, headers={"Content-Type": TYPES[".html"]})
