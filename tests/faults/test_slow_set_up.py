"""A real engine whose streams take longer to set up than `faults.hang_s`, in mid-show, for every cause of a set-up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from support import engines
from support.waiting import eventually

from sdv2_live.chunk import Chunk
from sdv2_live.config.load import load_config
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.stats import Counters
from sdv2_live.worker.deadlines import WARM_UP
from sdv2_live.worker.remote import RemoteEngine

SETTINGS = (
    *("model.device=cpu", "model.profile=tiny", "model.prompt_cache=off", "model.threads=1", "video.size=64x64"),
    *("engine.schedule=stream_batch", "params.steps=[700, 500]", f"faults.hang_s={engines.SET_UP_S / 3}"),
)
NUMBERS = count()


class Show:
    """An engine that is driven by hand. covered: how often the cover was told to go up."""

    def __init__(self) -> None:
        self.config = load_config(None, SETTINGS)
        self.counters, self.covered, self._up = Counters(), 0, threading.Event()
        self.engine = RemoteEngine(
            *(self.config, lambda: self.config.params, self.counters, lambda hello: self._up.set(), self._cover),
            target=engines.slow_to_set_up,
        )
        self.engine.start()
        assert self._up.wait(120)
        eventually("the engine", lambda: self.engine.ready)

    def _cover(self) -> None:
        self.covered += 1

    def paint(
        self, chunks: int, size: tuple[int, int] = (64, 64), *, reset: bool = False, scale: float = 1.0, **changed: object
    ) -> None:
        params = replace(self.config.params, **changed)  # type: ignore[arg-type]
        height, width = size
        for _ in range(chunks):
            grey = np.full((height, width * 4), 90, np.uint8)
            frames = [
                Frame(grey, width, height, PixelFormat.BGRX, captured_ns=i, index=i)
                for i, _ in zip(NUMBERS, range(5), strict=False)
            ]
            needed = self.engine.prepare(frames[0], params, reset=reset, render_scale=scale)
            self.engine.launch(Chunk.of(frames[:needed], params)).result()
            reset = False


@pytest.fixture(scope="module")
def show() -> Iterator[Show]:
    made = Show()
    yield made
    made.engine.close()


@pytest.mark.faults
@pytest.mark.parametrize(
    ("cause", "undone"),
    [
        ({"scale": 0.3}, {}),  # load shedding's `smaller`
        ({"steps": (700,)}, {}),
        ({"normalize_latents": True, "reset": True}, {"reset": True}),
        ({"adapt_sink_threshold": 0.9, "reset": True}, {"reset": True}),
    ],
    ids=["smaller", "steps", "normalize_latents", "adapt_sink_threshold"],
)
def test_a_set_up_in_mid_show_is_no_hang(show: Show, cause: dict[str, object], undone: dict[str, object]) -> None:
    show.paint(WARM_UP + 2)
    pid = show.engine.state().pid
    for change in (cause, undone):
        before = show.covered
        show.paint(1, **change)  # type: ignore[arg-type]
        assert show.covered > before
        show.paint(WARM_UP, **{key: value for key, value in change.items() if key != "reset"})  # type: ignore[arg-type]
    assert show.engine.state().pid == pid
    assert show.counters["engine_restarts"] == 0
