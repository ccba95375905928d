"""The live loop with a chunk launched while the one before it is computed: the same pictures, in order, none lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support import tiny
from support.fakes import HandCamera
from support.loop_rig import LoopRig, Shown
from support.prompts import Dictionary
from support.waiting import eventually

from sdv2_live.chunk import Chunk, Generated
from sdv2_live.config.load import load_config
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore
from sdv2_live.engine.prompt import PromptDirector
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.frame import Frame
from sdv2_live.pipeline.build import load, new_prompts, new_stream
from sdv2_live.pipeline.stream import Stream
from sdv2_live.stats import Counters, StageTimer
from sdv2_live.threads import OneThread

ENGINE = tiny.small_engine()


class Holding(Stream):
    """A stream whose pictures come when `free` is set, as a GPU's do when they are done."""

    def __init__(self, prompts: PromptCache, free: threading.Event) -> None:
        super().__init__(ENGINE, PromptDirector(ENGINE.dit, prompts), Config(), 64 * 64, StageTimer())
        self._free, self._holding = free, OneThread("holding")

    def launch(self, chunk: Chunk, *, wait_for_prompt: bool = False, convert: bool = True) -> Future[Generated]:
        return self._holding.submit(self._held, super().launch(chunk, wait_for_prompt=wait_for_prompt, convert=convert))

    def _held(self, launched: Future[Generated]) -> Generated:
        assert self._free.wait(30)
        return launched.result()


class Rig(LoopRig):
    """A live loop over a stream, fed by hand."""

    playout: Shown

    def __init__(self, stream: Stream, params: Params, *, overlap: bool) -> None:
        self.source, counters = HandCamera((64, 64)), Counters()
        super().__init__(stream, self.source, Shown(counters), ParamStore(params), counters, overlap=overlap)

    def taken(self) -> None:
        """Wait until the loop has taken all that was fed."""
        eventually(
            "the frames to be taken",
            lambda: self.counters["frames_in"] == self.source.told and not self.intake.begun and self.intake.newest(0) is None,
            60,
        )

    def painted(self, chunks: int) -> None:
        eventually(f"{chunks} chunks", lambda: self.counters["chunks"] == chunks, 60)


@pytest.fixture
def prompts() -> Iterator[PromptCache]:
    cache = PromptCache(Dictionary())
    yield cache
    cache.close()


PARAMS = replace(Params(), prompt="red", adapt_sink_threshold=-1.0)


def performed(stream: Stream, params: Params, chunks: int, *, overlap: bool) -> list[Frame]:
    """A show of so many chunks: what the hand does is done between them, so that it is always the same one that answers."""
    changes: dict[int, dict[str, Any]] = {3: {"seed": 7}, 5: {"noise_scale": 0.3}, 6: {"mix": 0.5}, 9: {"seed": 1, "mix": 1.0}}
    with Rig(stream, params, overlap=overlap) as rig:
        for number in range(chunks):
            rig.store.set_many(changes.get(number, {}), "test")
            if number == 7:
                rig.store.trigger("reset", "test")
            rig.source.give(5 if number in (0, 7) else 4)
            rig.taken()
        rig.painted(chunks)
        assert rig.counters["frames_skipped"] == rig.counters["engine_failures"] == 0
    return rig.playout.frames


def assert_same(found: list[Frame], expected: list[Frame]) -> None:
    assert [frame.index for frame in found] == [frame.index for frame in expected]
    assert all(np.array_equal(a.data, b.data) for a, b in zip(found, expected, strict=True))


def test_overlapping_or_not_the_pictures_are_the_same(prompts: PromptCache) -> None:
    free = threading.Event()
    free.set()
    alone = performed(Holding(prompts, free), PARAMS, 12, overlap=False)
    assert_same(performed(Holding(prompts, free), PARAMS, 12, overlap=True), alone)
    assert len(alone) == 12 * 4 + 2


@pytest.mark.gpu
def test_overlapping_or_not_the_pictures_are_the_same_on_a_gpu() -> None:
    config = load_config(None, ["model.device=cuda", "video.size=64x64", "engine.kv_frames=3", "engine.sink_frames=1"])
    models = load(config)
    with closing(new_prompts(config, models)) as cache:
        shows = [
            performed(new_stream(config, models, cache, StageTimer()), config.params, 60, overlap=overlap)
            for overlap in (False, True, True)
        ]
    for show in shows[1:]:
        assert_same(show, shows[0])


def test_the_next_chunk_is_launched_when_its_frames_are_there_and_a_third_waits(prompts: PromptCache) -> None:
    free = threading.Event()
    with Rig(Holding(prompts, free), PARAMS, overlap=True) as rig:
        rig.source.give(5)
        rig.taken()
        rig.source.give(3)
        eventually("the next chunk to begin", lambda: rig.intake.begun)
        rig.source.give(1)
        rig.taken()  # launched, while the pictures of the first are not there
        assert rig.playout.frames == []
        rig.source.give(6)  # of the third chunk: it waits, and will take evenly spaced ones of them
        eventually("the frames to be read", lambda: rig.counters["frames_in"] == 15)
        assert not rig.intake.begun
        free.set()
        rig.painted(3)
        assert [frame.index for frame in rig.playout.frames] == [*range(9), 10, 11, 13, 14]
        assert rig.counters["frames_skipped"] == 2


def test_without_overlap_nothing_is_launched_before_the_pictures_are_there(prompts: PromptCache) -> None:
    free = threading.Event()
    with Rig(Holding(prompts, free), PARAMS, overlap=False) as rig:
        rig.source.give(5)
        rig.taken()
        rig.source.give(4)
        eventually("the frames to be read", lambda: rig.counters["frames_in"] == 9)
        assert rig.intake.newest(0) is not None
        free.set()
        rig.painted(2)


def test_a_reset_in_flight_begins_anew_after_what_was_launched_before(prompts: PromptCache) -> None:
    free = threading.Event()
    with Rig(Holding(prompts, free), PARAMS, overlap=True) as rig:
        rig.source.give(5)
        rig.taken()
        rig.store.trigger("reset", "test")
        rig.source.give(5)
        eventually("the frames to be read", lambda: rig.counters["frames_in"] == 10)
        free.set()
        rig.painted(2)
        assert [frame.index for frame in rig.playout.frames] == list(range(10))
        assert [recipe.begins is not None for recipe in rig.adaptation.recipes] == [True, True]


class FailingLate(Stream):
    """A stream whose second chunk fails when its pictures are waited for."""

    count = 0

    def launch(self, chunk: Chunk, *, wait_for_prompt: bool = False, convert: bool = True) -> Future[Generated]:
        launched = super().launch(chunk, wait_for_prompt=wait_for_prompt, convert=convert)
        self.count += 1
        if self.count != 2:
            return launched
        failed: Future[Generated] = Future()
        failed.set_exception(RuntimeError("an error on the device"))
        return failed


def test_a_chunk_that_fails_in_flight_costs_what_was_in_flight_and_no_more(
    prompts: PromptCache, caplog: pytest.LogCaptureFixture
) -> None:
    stream = FailingLate(ENGINE, PromptDirector(ENGINE.dit, prompts), Config(), 64 * 64, StageTimer())
    with Rig(stream, PARAMS, overlap=True) as rig:

        def painting() -> bool:
            rig.source.give(1)
            return rig.counters["chunks"] >= 4

        eventually("painting after the failure", painting, 60)
        assert rig.counters["engine_failures"] == 1
        assert "an error on the device" in caplog.text
        indices = [frame.index for frame in rig.playout.frames]
        assert indices == sorted(indices)
