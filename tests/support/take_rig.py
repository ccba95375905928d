"""A live loop that records, between fakes, over the very small engine; and its takes painted again."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from sdv2_live.config.schema import Config, OutputConfig
from sdv2_live.config.schema_engine import EngineConfig, RefreshConfig
from sdv2_live.config.schema_files import TakesConfig
from sdv2_live.control.modulation import Modulation
from sdv2_live.control.params import Params, updated
from sdv2_live.control.store import ParamStore
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.engine.spec import PromptMix
from sdv2_live.live.playout import Playout
from sdv2_live.model.profiles import StreamKind
from sdv2_live.stats import Counters
from sdv2_live.takes.format import Header
from sdv2_live.takes.recorder import Recorder
from sdv2_live.takes.replay import Repainted, Take, repaint
from support import tiny
from support.fakes import Camera, FakeSink
from support.loop_rig import LoopRig
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


class Rig(LoopRig):
    """Paints and records to `folder`/takes."""

    def __init__(
        self,
        folder: Path,
        *,
        engine: Engine = ENGINE,
        takes: dict[str, Any] | None = None,
        refresh: RefreshConfig | None = None,
        overlap: bool = False,
        modulation: Modulation | None = None,
        kind: StreamKind | None = None,
        **keys: Any,
    ) -> None:
        (folder / "luts").mkdir(exist_ok=True)
        (folder / "luts" / "warm.cube").write_text("LUT_1D_SIZE 2\n.1 0 0\n1 .9 .7\n")
        given: dict[str, Any] = {"dir": folder / "takes", "min_free_mb": 0, "max_queue_chunks": 64} | (takes or {})
        self.config = Config(
            engine=EngineConfig(**keys),
            takes=TakesConfig(**given),
            refresh=refresh or RefreshConfig(),
            output=OutputConfig(luts=folder / "luts"),
        )
        self.encoder = Dictionary()
        self.prompts = PromptCache(self.encoder)
        counters = Counters()
        store = ParamStore(updated(Params(), {"prompt": "red", "adapt_sink_threshold": -1.0}))
        self.source = Camera(value=0, size=(32, 32), fps=500, noise=256)
        self.stream = tiny.stream(engine, self.prompts, self.config, kind)
        self.recorder = Recorder(self.config, store, counters)
        parts = self.stream, self.source, Playout(FakeSink(), counters), store, counters
        super().__init__(*parts, config=self.config, overlap=overlap, recorder=self.recorder, modulation=modulation)

    def start(self) -> None:
        self.recorder.start(Header(lossless=self.config.takes.lossless, **HEADER))
        super().start()

    def close(self) -> None:
        self.encoder.free.set()
        self.loop.close()
        self.recorder.close()
        super().close()
        self.prompts.close()

    def record(self) -> None:
        """Begin a take, and wait until its first chunk is painted."""
        self.set(record=True)
        eventually("the take", lambda: self.recorder.recording and not self.recorder.waiting)

    def shows(self, prompt: str) -> None:
        """Wait until chunks are painted with this prompt."""
        wanted = PromptMix.of(prompt)
        eventually(prompt, lambda: self.adaptation.recipes and self.adaptation.recipes[-1].prompt.mix == wanted)


def takes_of(rig: Rig) -> list[Path]:
    folder = rig.config.takes.folder
    return sorted(folder.iterdir()) if folder.is_dir() else []


def lines_of(take: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (take / "chunks.jsonl").read_text().splitlines()]


def repainted(folder: Path, config: Config) -> list[Repainted]:
    """The whole take, painted again from nothing."""
    config = config.with_keys({"output.luts": folder / "luts"})
    with closing(PromptCache(Dictionary())) as prompts:
        return list(repaint(Take(folder), tiny.stream(ENGINE, prompts, config)))
