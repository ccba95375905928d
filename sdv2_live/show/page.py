"""The page of one show: its pictures, and the lists of what the show itself knows."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from sdv2_live import __version__
from sdv2_live.closing import Service
from sdv2_live.control.http.server import HttpServer
from sdv2_live.control.page.lists import Lists
from sdv2_live.control.page.page import Page
from sdv2_live.control.page.pictures import INPUT, OUTPUT
from sdv2_live.control.page.ticket import Ticket
from sdv2_live.live.playout import Playout
from sdv2_live.live.preview import Preview
from sdv2_live.show.notices import Notices
from sdv2_live.show.status import Status
from sdv2_live.stats import Counters

HISTORY = 120  # points, one a second
PERIOD_S = 1.0
SERIES: dict[str, Callable[[Status], float]] = {
    "fps_in": lambda status: status.fps_in,
    "fps_painted": lambda status: status.fps_painted,
    "fps_out": lambda status: status.fps_out,
    "latency_ms": lambda status: status.latency_p50,
}


class ShowPage(Service):
    """Everything of the page that needs the show.

    Args:
        about: returns the names of the show's parts, for the list `show`.
        token: the setting `ui.token`.
        kept_in: the folder of the live state, which keeps the token, too.
    """

    def __init__(
        self,
        http: HttpServer,
        lists: Lists,
        playout: Playout,
        counters: Counters,
        *,
        status: Callable[[], Status],
        about: Callable[[], dict[str, Any]],
        token: str,
        kept_in: Path | None,
    ) -> None:
        self._lists, self._playout, self._status, self._about = lists, playout, status, about
        self.preview = Preview({OUTPUT: lambda: playout.shown, INPUT: lambda: playout.input}, counters, self._looked)
        self.ticket = Ticket.configured(token, http.host, http.port, kept_in)
        self.page = Page(http, lists, self.ticket, self.preview)
        self.host, self.port = http.host, http.port
        self._history: dict[str, deque[float]] = {name: deque(maxlen=HISTORY) for name in SERIES}
        self._notices = Notices()
        lists.add("show", self._show)
        lists.add("history", lambda: {"series": {name: list(points) for name, points in self._history.items()}}, fresh=True)
        self._notices.changed = lists.add("log", lambda: {"items": self._notices.items()})
        http.application.cleanup_ctx.append(self._watched)
        logging.getLogger("sdv2_live").addHandler(self._notices)

    def start(self) -> None:
        """Start the preview's thread; the rest begins with the HTTP server."""
        self.preview.start()

    def close(self) -> None:
        """Stop. Idempotent."""
        logging.getLogger("sdv2_live").removeHandler(self._notices)
        self.preview.close()

    async def _watched(self, application: web.Application) -> AsyncIterator[None]:
        """Take a point of the history each second while the server runs."""
        watching = asyncio.create_task(self._watch())
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    async def _watch(self) -> None:
        while True:
            status = self._status()
            for name, read in SERIES.items():
                self._history[name].append(round(read(status), 1))
            for kind in ("show", "prompts"):  # pages are told if it became another
                self._lists.changed(kind)
            await asyncio.sleep(PERIOD_S)

    def _show(self) -> dict[str, Any]:
        frame = self._playout.newest
        size = {"width": frame.width, "height": frame.height} if frame is not None else {"width": 0, "height": 0}
        return {**self._about(), "version": __version__, **size}

    def _looked(self, kind: str, looked: bool) -> None:
        if kind == OUTPUT:
            self._playout.looked_at = looked
