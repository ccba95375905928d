"""Pictures for other programs, over plain HTTP: /preview/output.jpg, one picture, and /preview/output.mjpg, one after the other.

OBS, Companion and scripts take them; the page itself gets its pictures by its WebSocket, because browsers open few connections
to a host. The input's are beside the output's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientError, web

from sdv2_live.control.http.places import Places
from sdv2_live.control.http.server import HttpServer
from sdv2_live.control.page.pictures import KINDS, MAX_RATE, Look, Pictures
from sdv2_live.control.page.viewer import Wish, on_loop

FIRST_S = 3.0  # until there is a picture, or none will come
READ_S = 10.0  # for a picture to be taken; who takes longer reads no more
MAX_STREAMS = 32
MAX_OF_HOST = 24
BOUNDARY = "picture"
JPEG = "image/jpeg"
NEVER_KEPT = {"Cache-Control": "no-store"}


class Previews:
    """Answers requests for pictures. Belongs to the control loop."""

    def __init__(self, http: HttpServer, pictures: Pictures) -> None:
        self._http, self._pictures = http, pictures
        self._places = Places("previews", MAX_STREAMS, MAX_OF_HOST)

    def routes(self) -> list[web.RouteDef]:
        """The routes of single pictures and of streams."""
        kinds = "|".join(KINDS)
        return [
            web.get(f"/preview/{{kind:{kinds}}}.jpg", self._one, allow_head=False),
            web.get(f"/preview/{{kind:{kinds}}}.mjpg", self._many, allow_head=False),
        ]

    async def _one(self, request: web.Request) -> web.Response:
        async with self._looking(request, MAX_RATE) as (_, pictures):
            try:
                async with asyncio.timeout(FIRST_S):
                    return web.Response(body=await pictures.get(), content_type=JPEG, headers=NEVER_KEPT)
            except TimeoutError:
                raise web.HTTPServiceUnavailable(text="there is no picture yet\n") from None

    async def _many(self, request: web.Request) -> web.StreamResponse:
        async with self._looking(request) as (look, pictures):
            self._http.keep(request)
            response = web.StreamResponse(
                headers=NEVER_KEPT | {"Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}", "Connection": "close"}
            )
            await response.prepare(request)
            await response.write(f"--{BOUNDARY}\r\n".encode())
            try:
                while True:
                    picture = await pictures.get()
                    head = f"Content-Type: {JPEG}\r\nContent-Length: {len(picture)}\r\n\r\n"
                    # The boundary at once: browsers show a picture when they know that it has ended.
                    async with asyncio.timeout(READ_S):
                        await response.write(head.encode() + picture + f"\r\n--{BOUNDARY}\r\n".encode())
                    look.more()
            except (TimeoutError, ConnectionError, ClientError, RuntimeError):  # it reads no more, or has gone
                response.force_close()
                if request.transport is not None:
                    request.transport.abort()
            return response

    @asynccontextmanager
    async def _looking(self, request: web.Request, rate: float | None = None) -> AsyncIterator[tuple[Look, asyncio.Queue[bytes]]]:
        """A look at the pictures that a request asks for, and the queue in which they come."""
        wish = _wish(request, rate)
        with self._places.one(request):
            pictures: asyncio.Queue[bytes] = asyncio.Queue()  # holds one at most: the next is asked for when it was sent
            deliver = on_loop(asyncio.get_running_loop(), pictures.put_nowait)
            look = self._pictures.look(request.match_info["kind"], wish.width, wish.rate, deliver)
            try:
                yield look, pictures
            finally:
                look.close()


def _wish(request: web.Request, rate: float | None) -> Wish:
    asked: dict[str, float] = {} if rate is None else {"rate": rate}
    for name in ("width", "rate") if rate is None else ("width",):
        if name in request.query:
            try:
                asked[name] = float(request.query[name])
            except ValueError:
                raise web.HTTPBadRequest(text=f"{name} is a number, not {request.query[name][:40]!r}\n") from None
    try:
        return Wish.of(**asked)
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from None
