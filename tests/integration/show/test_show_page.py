"""The page of a real show: what it paints is what those who look see, and what it knows is told."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import numpy as np
import pytest
from PIL import Image
from support.waiting import DEADLINE_S, eventually

from sdv2_live import __version__
from sdv2_live.config.load import load_config
from sdv2_live.logs import MENDED, TROUBLE
from sdv2_live.show.show import Show

KEYS = ("model.profile=tiny", "model.device=cpu", "model.threads=1", "model.prompt_cache=off", "engine.process=inline")
PARTS = ("input.source=test:64x128", "video.size=64x128", "output.sink=none", "osc.port=0", "oscquery.port=0", "state.dir=off")


@pytest.fixture(scope="module")
def show() -> Iterator[Show]:
    with Show(load_config(None, [*KEYS, *PARTS, "oscquery.announce=false"])) as show:
        show.start()
        eventually("a painting", lambda: show.counters["chunks"] > 1)
        yield show
    assert show.counters["previews_failed"] == 0
    assert show.control.http.counters.failures == 0


def looked(show: Show, conversation: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[None]]) -> None:
    async def run() -> None:
        url = f"http://127.0.0.1:{show.control.http.port}/page/live"
        async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession() as session, session.ws_connect(url) as stream:
            await conversation(stream)

    asyncio.run(run())


async def pictured(stream: aiohttp.ClientWebSocketResponse, wanted: Callable[[int, np.ndarray], bool]) -> None:
    """Draw pictures until one is as wanted."""
    while True:
        message = await stream.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            kind, picture = message.data[0], np.asarray(Image.open(io.BytesIO(message.data[1:])).convert("RGB"))
            if wanted(kind, picture):
                return
            await stream.send_json({"seen": ("output", "input")[kind]})


def test_pictures_of_the_show_follow_its_keys_and_cost_nothing_afterwards(show: Show) -> None:
    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        await stream.send_json({"pictures": {"output": {"width": 160, "rate": 30}}})
        await pictured(stream, lambda kind, picture: kind == 0 and picture.shape == (64, 128, 3) and picture.std() > 5)
        await stream.send_json({"seen": "output"})
        show.store.set("blackout", True, "test")
        await pictured(stream, lambda _, picture: picture.max() < 3)
        await stream.send_json({"seen": "output"})
        show.store.set("blackout", False, "test")
        await pictured(stream, lambda _, picture: picture.std() > 5)
        await stream.send_json({"pictures": {"input": {}}})
        await pictured(stream, lambda kind, picture: kind == 1 and picture.std() > 30)  # colour bars

    looked(show, conversation)
    assert show.page is not None
    eventually("nobody looks", lambda: not show.playout.looked_at)
    made = show.counters["previews_made"]
    shown = show.counters["chunks"]
    eventually("it goes on", lambda: show.counters["chunks"] > shown + 1)
    assert show.counters["previews_made"] == made


def test_who_looks_sees_paintings_though_no_receiver_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [part if "input" not in part else "input.source=test:48x96" for part in PARTS]
    with Show(load_config(None, [*KEYS, *parts, "oscquery.announce=false"])) as show:
        monkeypatch.setattr(type(show.playout.sink), "watched", False)
        show.start()

        async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
            await stream.send_json({"pictures": {"output": {"width": 160, "rate": 30}}})
            await pictured(stream, lambda kind, picture: picture.shape == (64, 128, 3))  # not the input's 48 by 96

        looked(show, conversation)


def test_its_lists_tell_what_it_is_and_what_went_wrong(show: Show) -> None:
    async def conversation(stream: aiohttp.ClientWebSocketResponse) -> None:
        lists: dict[str, Any] = {}
        while not {"show", "log", "history"} <= lists.keys():
            lists |= {said["kind"]: said for said in [json.loads(await stream.receive_str())]}
        expected = {"model": "tiny", "input": "test:64x128", "output": "none", "width": 128, "height": 64, "version": __version__}
        assert lists["show"].items() >= expected.items()
        series = lists["history"]["series"]
        assert set(series) == {"fps_in", "fps_painted", "fps_out", "latency_ms"}
        assert 1 <= len(series["fps_in"]) <= 120
        log = logging.getLogger("sdv2_live.input")
        log.warning("the input is lost: nobody; switch it on", extra={TROUBLE: "input"})
        while not (items := json.loads(await stream.receive_str()).get("items")):
            pass
        assert (items[0]["text"], items[0]["remedy"], items[0]["over"]) == ("the input is lost: nobody", "switch it on", False)
        log.warning("it is there again", extra={MENDED: "input"})
        while not (items := json.loads(await stream.receive_str()).get("items")):
            pass
        assert items[0]["over"]

    looked(show, conversation)


def test_without_a_page_everything_is_as_before() -> None:
    config = load_config(None, [*KEYS, *PARTS, "oscquery.announce=false", "ui.enabled=false"])
    with Show(config) as show:
        show.control.start()

        async def run() -> None:
            url = f"http://127.0.0.1:{show.control.http.port}"
            async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession(headers={"Accept": "text/html"}) as session:
                for path, status in (("/", 200), ("/page/live", 404), ("/preview/output.jpg", 404)):
                    async with session.get(url + path) as answer:
                        assert (answer.status, answer.content_type != "text/html") == (status, True)

        asyncio.run(run())
        assert show.page is None
