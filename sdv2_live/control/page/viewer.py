"""One page on the control loop: the texts that wait for it, and the pictures that it looks at."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import ClientError, web

from sdv2_live.control.page.pictures import KINDS, MAX_RATE, MIN_RATE, USUAL_RATE, USUAL_WIDTH, WIDTHS, Look, Pictures

log = logging.getLogger("sdv2_live.page")


@dataclass(frozen=True, slots=True)
class Wish:
    """The pictures that somebody wants to see: at most `rate` a second, at least as wide as wanted, of WIDTHS."""

    width: int = USUAL_WIDTH
    rate: float = USUAL_RATE

    @classmethod
    def of(cls, width: Any = USUAL_WIDTH, rate: Any = USUAL_RATE) -> Wish:
        """The wish with both brought within their limits. Raises ValueError when one is no number."""
        if not all(isinstance(one, int | float) and not isinstance(one, bool) and one == one for one in (width, rate)):
            raise ValueError("width and rate are numbers")
        fitting = next((one for one in WIDTHS if one >= width), WIDTHS[-1])
        return cls(fitting, float(min(max(rate, MIN_RATE), MAX_RATE)))


class Viewer:
    """Sends on a task of its own. What waits is bounded: of each kind of list and of picture the newest."""

    def __init__(self, stream: web.WebSocketResponse, pictures: Pictures | None) -> None:
        self._stream, self._pictures = stream, pictures
        self._wishes: dict[str, Wish] = {}
        self._looks: dict[str, Look] = {}
        self._texts: dict[str, str] = {}
        self._newest: dict[str, bytes] = {}
        self._awake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._send())

    async def close(self) -> None:
        """Stop sending and looking, and close the connection."""
        self.want({})
        self._task.cancel()
        await self._stream.close()

    def tell(self, texts: Mapping[str, str]) -> None:
        """Send these texts, each instead of one of its kind that still waits."""
        self._texts.update(texts)
        self._awake.set()

    def want(self, wanted: Any) -> str:
        """Look at these pictures from now on, as the page words them. Returns what is wrong with the words, empty for nothing."""
        try:
            wishes = {kind: Wish.of(**wish) for kind, wish in (wanted or {}).items() if wish is not None}
        except (AttributeError, TypeError, ValueError):
            return 'pictures are as {"output": {"width": 640, "rate": 12}}'
        if unknown := wishes.keys() - set(KINDS):
            return f"there is no picture {sorted(unknown)[0][:40]!r}; there are {', '.join(KINDS)}"
        for kind in KINDS:
            if wishes.get(kind) != self._wishes.get(kind):
                self._look(kind, wishes.get(kind))
        self._wishes = wishes
        return ""

    def seen(self, kind: str) -> str:
        """Ask for the next picture. Returns what is wrong, empty for nothing."""
        if kind not in KINDS:
            return f"there is no picture {kind[:40]!r}; there are {', '.join(KINDS)}"
        if kind in self._looks:
            self._looks[kind].more()
        return ""

    def _look(self, kind: str, wish: Wish | None) -> None:
        if kind in self._looks:
            self._looks.pop(kind).close()
            self._newest.pop(kind, None)
        if wish is not None and self._pictures is not None:
            self._looks[kind] = self._pictures.look(kind, wish.width, wish.rate, on_loop(self._loop, partial(self._show, kind)))

    def _show(self, kind: str, picture: bytes) -> None:
        if kind in self._looks:
            self._newest[kind] = picture
            self._awake.set()

    async def _send(self) -> None:
        try:
            while True:
                await self._awake.wait()
                self._awake.clear()
                while self._texts:
                    await self._stream.send_str(self._texts.pop(next(iter(self._texts))))
                while self._newest:
                    kind, picture = self._newest.popitem()
                    await self._stream.send_bytes(bytes([KINDS.index(kind)]) + picture)
        except (ConnectionError, ClientError, RuntimeError) as error:  # it has gone; its reader notices too
            log.debug("a page is gone: %s", error)


def on_loop(loop: asyncio.AbstractEventLoop, take: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """A function that has `take` called on the loop, for other threads; a loop that has closed takes nothing any more."""

    def deliver(picture: bytes) -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(take, picture)

    return deliver
