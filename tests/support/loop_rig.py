"""A live loop between a source and a playout, over any painter, started and closed in the order of a show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

from sdv2_live.config.schema import Config
from sdv2_live.control.modulation import Modulation
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.recording import MoveRecorder
from sdv2_live.frame import Frame
from sdv2_live.io.base import Source
from sdv2_live.live.intake import Intake
from sdv2_live.live.loop import LiveLoop, Painter
from sdv2_live.live.playout import Playout
from sdv2_live.stats import Counters
from sdv2_live.takes.recorder import Recorder
from support.fakes import FakeSink, only
from support.noting import NotingAdaptation
from support.waiting import eventually


class Shown(Playout):
    """Keeps what it is to show, in order, and counts the losses that it is told of."""

    def __init__(self, counters: Counters) -> None:
        super().__init__(FakeSink(), counters)
        self.frames: list[Frame] = []
        self.losses = 0

    def show(self, frames: Sequence[Frame]) -> None:
        self.frames += frames

    def lost(self) -> None:
        self.losses += 1


class LoopRig:
    """A live loop that paints its only input, `source`, in a `with` block; `adaptation` notes how each chunk was painted.

    A rig with further parts starts and closes them around these.
    """

    def __init__(
        self,
        painter: Painter,
        source: Source,
        playout: Playout,
        store: ParamStore,
        counters: Counters,
        *,
        config: Config | None = None,
        on_input: Callable[[Frame], None] | None = None,
        overlap: bool = False,
        recorder: Recorder | None = None,
        moves: MoveRecorder | None = None,
        modulation: Modulation | None = None,
    ) -> None:
        self.playout, self.store, self.counters = playout, store, counters
        self.input, self.intake = only(source, counters), Intake(counters, on_input)
        self.adaptation = NotingAdaptation(config or Config(), counters)
        parts = self.intake, playout, store, counters
        self.loop = LiveLoop(
            painter,
            *parts,
            overlap=overlap,
            recorder=recorder,
            moves=moves,
            adaptation=self.adaptation,
            modulation=modulation,
        )

    def start(self) -> None:
        self.playout.start()
        self.input.start(self.intake.accept)
        self.loop.start()

    def close(self) -> None:
        """Stop everything. Idempotent."""
        self.loop.close()
        self.input.close()
        self.playout.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def set(self, **values: Any) -> None:
        self.store.set_many(values, "test")

    def chunks(self, count: int = 2) -> None:
        """Let so many more chunks be painted, and one that was begun before."""
        until = self.counters["chunks"] + count + 1
        eventually(f"{count} chunks", lambda: self.counters["chunks"] >= until)
