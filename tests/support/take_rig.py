"""A live loop that records, between fakes, over the very small engine; and its takes painted again."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from sdv2_live.config.schema import Config
from sdv2_live.config.schema_engine import EngineConfig, RefreshConfig
from sdv2_live.config.schema_files import TakesConfig
from sdv2_live.control.params import Params, updated
from sdv2_live.control.store import ParamStore
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt import PromptDirector
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.engine.spec import PromptMix
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import Source
from sdv2_live.live.intake import Intake
from sdv2_live.live.loop import LiveLoop
from sdv2_live.live.playout import Playout
from sdv2_live.pipeline.stream import Stream
from sdv2_live.stats import Counters, StageTimer
from sdv2_live.takes.format import Header
from sdv2_live.takes.recorder import Recorder
from sdv2_live.takes.replay import Repainted, Take, repaint
from support import tiny
from support.fakes import FakeSink, only
from support.noting import NotingAdaptation
from support.prompts import Dictionary
from support.waiting import eventually

ENGINE = tiny.small_engine()
HEADER: dict[str, Any] = {
    "format": 1,
    "recorded": "2025-01-01T00:00:00+0000",
    "sdv2_live": "0",
    "torch": "0",
    "profile": "tiny",
    "weights": "0",
    "device": "cpu",
    "cpu": "any",
    "dtype": "float32",
    "threads": 1,
}


class Moving(Source):
    """Noise, new with every frame, of a size and layout that may be set at any time, a frame every `pause` seconds."""

    def __init__(self) -> None:
        self.name = "moving"
        self.size = (32, 32)
        self.format = PixelFormat.RGBX
        self.pause = 0.002
        self._index = 0
        self._closed = False

    def read(self, timeout: float) -> Frame | None:
        time.sleep(self.pause)
        self._index += 1
        height, width = self.size
        data = np.random.default_rng(self._index).integers(0, 256, (height, width * self.format.bytes_per_pixel), np.uint8)
        return Frame(data, width, height, self.format, captured_ns=self._index * 2_000_000, index=self._index)

    @property
    def ended(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True


class Rig:
    """Paints and records to `folder`/takes."""

    def __init__(
        self,
        folder: Path,
        *,
        engine: Engine = ENGINE,
        takes: dict[str, Any] | None = None,
        refresh: RefreshConfig | None = None,
        overlap: bool = False,
        **keys: Any,
    ) -> None:
        given: dict[str, Any] = {"dir": folder / "takes", "min_free_mb": 0} | (takes or {})
        self.config = Config(
            engine=EngineConfig(**keys),
            takes=TakesConfig(**given),
            refresh=refresh or RefreshConfig(),
        )
        self.encoder = Dictionary()
        self.prompts = PromptCache(self.encoder)
        self.counters = Counters()
        self.store = ParamStore(updated(Params(), {"prompt": "red", "adapt_sink_threshold": -1.0}))
        self.source = Moving()
        self.playout = Playout(FakeSink(), self.counters)
        self.input, self.intake = only(self.source, self.counters), Intake(self.counters)
        self.stream = new_stream(self.prompts, self.config, engine)
        self.upkeep = NotingAdaptation(self.config, self.counters)
        self.recorder = Recorder(self.config, self.store, self.counters)
        self.loop = LiveLoop(
            self.stream,
            self.intake,
            self.playout,
            self.store,
            self.counters,
            run_while_bypassed=False,
            overlap=overlap,
            recorder=self.recorder,
            upkeep=self.upkeep,
        )

    def __enter__(self) -> Rig:
        self.playout.start()
        self.input.start(self.intake.accept)
        self.recorder.start(Header(lossless=self.config.takes.lossless, **HEADER))
        self.loop.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.encoder.free.set()
        self.loop.close()
        self.recorder.close()
        self.input.close()
        self.playout.close()
        self.prompts.close()

    def set(self, **values: Any) -> None:
        self.store.set_many(values, "test")

    def chunks(self, count: int = 2) -> None:
        """Let so many more chunks be painted, and one that was begun before."""
        until = self.counters["chunks"] + count + 1
        eventually(f"{count} chunks", lambda: self.counters["chunks"] >= until)

    def record(self) -> None:
        """Begin a take, and wait until its first chunk is painted."""
        self.set(record=True)
        eventually("the take", lambda: self.recorder.recording and not self.recorder.waiting)

    def shows(self, prompt: str) -> None:
        """Wait until chunks are painted with this prompt."""
        wanted = PromptMix.of(prompt)
        eventually(prompt, lambda: self.upkeep.recipes and self.upkeep.recipes[-1].prompt.mix == wanted)


def new_stream(prompts: PromptCache, config: Config, engine: Engine = ENGINE) -> Stream:
    return Stream(engine, PromptDirector(engine.dit, prompts), config, 64 * 64, StageTimer())


def takes_of(rig: Rig) -> list[Path]:
    folder = rig.config.takes.folder
    return sorted(folder.iterdir()) if folder.is_dir() else []


def lines_of(take: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (take / "chunks.jsonl").read_text().splitlines()]


def repainted(folder: Path, config: Config) -> list[Repainted]:
    """The whole take, painted again from nothing."""
    with closing(PromptCache(Dictionary())) as prompts:
        return list(repaint(Take(folder), new_stream(prompts, config)))
