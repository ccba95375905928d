"""The pictures of presets over HTTP, by the names of the presets' files."""

from __future__ import annotations

from aiohttp import web

from sdv2_live.control.presets.listing import PICTURES
from sdv2_live.control.presets.pictures import Pictures

FOR_GOOD = "private, max-age=31536000, immutable"  # an address with a version always means the same picture


def picture_route(pictures: Pictures) -> web.RouteDef:
    """The route of all pictures. They are in memory: no request reaches a file."""

    async def answer(request: web.Request) -> web.Response:
        picture = pictures.get(request.match_info["stem"])
        if picture is None:
            raise web.HTTPNotFound(text="there is no such preset, or it has no picture\n")
        cache = FOR_GOOD if request.query.get("v") == picture.version else "no-cache"
        return web.Response(body=picture.data, content_type="image/jpeg", headers={"Cache-Control": cache})

    return web.get(PICTURES + "{stem}.jpg", answer)
