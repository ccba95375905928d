"""The frame path as a whole, over a very small engine: prompts and seeds show, repeat, and nothing ends the loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support import tiny
from support.fakes import Camera, FakeSink, HandCamera, fake_frame
from support.loop_rig import LoopRig
from support.prompts import Dictionary
from support.waiting import eventually

from sdv2_live.config.schema import Config, VideoConfig
from sdv2_live.config.schema_engine import EngineConfig
from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.model import Event, Timeline
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.engine.spec import Schedule
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import Source
from sdv2_live.live.playout import Playout
from sdv2_live.pipeline.render import restyled
from sdv2_live.stats import Counters

ENGINE = tiny.small_engine()
PARAMS = replace(Params(), prompt="red", adapt_sink_threshold=-1.0)


@pytest.fixture
def prompts() -> Iterator[PromptCache]:
    cache = PromptCache(Dictionary())
    yield cache
    cache.close()


def moving(count: int, height: int = 32, width: int = 32) -> list[Frame]:
    return [fake_frame(8 * i, height, width, captured_ns=i * 33_000_000) for i in range(count)]


def rendered(
    prompts: PromptCache, params: Params = PARAMS, count: int = 14, timeline: Timeline | None = None, **engine: object
) -> np.ndarray:
    config = Config(engine=EngineConfig(**engine))  # type: ignore[arg-type]
    frames = [replace(frame, index=i) for i, frame in enumerate(moving(count))]
    out = list(restyled(tiny.stream(ENGINE, prompts, config), iter(frames), ParamStore(params), timeline))
    assert [frame.index for frame in out] == list(range(count))
    return np.stack([frame.data for frame in out])


@pytest.mark.parametrize(
    "engine", [{}, {"schedule": "stream_batch"}, {"mode": "text"}], ids=["sequential", "stream_batch", "text"]
)
def test_prompt_and_seed_change_the_output_and_bring_it_back(prompts: PromptCache, engine: dict[str, Any]) -> None:
    plain = rendered(prompts, **engine)
    assert np.array_equal(rendered(prompts, **engine), plain)
    for change in ({"prompt": "a green forest"}, {"seed": 7}):
        other = rendered(prompts, replace(PARAMS, **change), **engine)
        assert np.abs(other.astype(int) - plain).mean() > 1
        assert np.array_equal(rendered(prompts, **engine), plain)


@pytest.mark.parametrize("count", [1, 4, 5, 6, 9, 12])
@pytest.mark.parametrize("engine", [{}, {"schedule": "stream_batch"}], ids=["sequential", "stream_batch"])
def test_every_frame_comes_out_once_whatever_the_count(prompts: PromptCache, count: int, engine: dict[str, Any]) -> None:
    assert len(rendered(prompts, count=count, **engine)) == count


def test_a_timeline_acts_at_its_time_and_not_before(prompts: PromptCache) -> None:
    plain = rendered(prompts, count=17)
    change = Timeline((Event(9 * 0.033, {"prompt": "a green forest"}),), duration=1.0)  # by the frames' times, not their number
    changed = rendered(prompts, count=17, timeline=change)
    assert np.array_equal(changed[:9], plain[:9])
    assert not np.array_equal(changed[9], plain[9])


def test_a_reset_brings_back_the_first_picture(prompts: PromptCache) -> None:
    stream, frames = tiny.stream(ENGINE, prompts), moving(5)
    assert stream.prepare(frames[0], PARAMS) == 5
    first = stream.paint(frames, PARAMS)
    assert stream.prepare(frames[0], PARAMS) == 4
    stream.paint(frames[:4], PARAMS)
    assert stream.prepare(frames[0], PARAMS, reset=True) == 5
    again = stream.paint(frames, PARAMS)
    assert all(np.array_equal(a.data, b.data) for a, b in zip(first, again, strict=True))


def test_a_new_input_size_sets_the_stream_up_anew(prompts: PromptCache) -> None:
    stream = tiny.stream(ENGINE, prompts)
    stream.prepare(moving(1)[0], PARAMS)
    assert stream.size == (32, 32)
    wide = moving(5, 32, 64)
    assert stream.prepare(wide[0], PARAMS) == 5
    assert stream.size == (32, 64)
    assert {frame.size for frame in stream.paint(wide, PARAMS)} == {(32, 64)}


def test_output_may_have_the_inputs_size(prompts: PromptCache) -> None:
    stream = tiny.stream(ENGINE, prompts, Config(video=VideoConfig(output_size="input", size=(32, 48))))
    frames = moving(5, 90, 120)
    stream.prepare(frames[0], PARAMS)
    assert {frame.size for frame in stream.paint(frames, PARAMS)} == {(90, 120)}
    assert stream.size == (32, 48)


def test_settings_of_the_next_reset_wait_for_it(prompts: PromptCache) -> None:
    stream, frames = tiny.stream(ENGINE, prompts), moving(5)
    stream.prepare(frames[0], PARAMS)
    stream.paint(frames, PARAMS)
    other = replace(PARAMS, normalize_latents=True)
    assert stream.prepare(frames[0], other) == 4
    assert stream.prepare(frames[0], other, reset=True) == 5


def test_output_frames_carry_the_times_of_their_input(prompts: PromptCache) -> None:
    stream, frames = tiny.stream(ENGINE, prompts, Config(engine=EngineConfig(schedule=Schedule.STREAM_BATCH))), moving(13)
    got: list[Frame] = []
    for part in (frames[:5], frames[5:9], frames[9:13]):
        stream.prepare(part[0], PARAMS)
        got += stream.paint(part, PARAMS)
    assert [frame.captured_ns for frame in got] == [frame.captured_ns for frame in frames[:9]]  # one chunk is in flight


def test_mix_goes_from_the_input_to_the_painting(prompts: PromptCache) -> None:
    def painted(mix: float) -> np.ndarray:
        stream, frames = tiny.stream(ENGINE, prompts), moving(5)
        params = replace(PARAMS, mix=mix)
        stream.prepare(frames[0], params)
        return np.stack([frame.data.reshape(32, 32, 4)[..., :3] for frame in stream.paint(frames, params)]).astype(int)

    given = np.stack([frame.data.reshape(32, 32, 4)[..., :3] for frame in moving(5)]).astype(int)
    assert np.array_equal(painted(0.0), given)
    assert np.abs(painted(1.0) - given).mean() > 5
    assert np.abs(painted(0.5) - (painted(0.0) + painted(1.0)) / 2).max() <= 1


def test_several_prompts_blend_by_weight(prompts: PromptCache) -> None:
    def with_weights(a: float, b: float) -> np.ndarray:
        texts, weights = ("a green forest", *PARAMS.prompts[1:]), (a, b, *PARAMS.weights[2:])
        return rendered(prompts, replace(PARAMS, prompts=texts, weights=weights))

    alone, mixed, other = with_weights(1, 0), with_weights(0.5, 0.5), with_weights(0, 1)
    assert np.array_equal(alone, rendered(prompts))
    assert np.array_equal(other, rendered(prompts, replace(PARAMS, prompt="a green forest")))
    assert not np.array_equal(mixed, alone)
    assert not np.array_equal(mixed, other)


class Rig(LoopRig):
    """A live loop over a stream."""

    def __init__(self, prompts: PromptCache, engine: Engine = ENGINE, source: Source | None = None) -> None:
        self.stream, self.sink, counters = tiny.stream(engine, prompts), FakeSink(), Counters()
        camera = source or Camera(size=(32, 32), fps=200)
        super().__init__(self.stream, camera, Playout(self.sink, counters), ParamStore(PARAMS), counters)


def test_frozen_and_bypassed_the_engine_rests_and_comes_back(prompts: PromptCache) -> None:
    with Rig(prompts) as rig:
        for name in ("freeze", "bypass"):
            eventually("chunks", lambda: rig.counters["chunks"] > 1)
            rig.store.set(name, True, "test")
            eventually("a rest", lambda: rig.loop._idle(rig.store.latest()) and not rig.loop._changed.is_set())
            count = rig.counters["chunks"]
            skipped = rig.counters["frames_skipped"]
            eventually("input to be let go", lambda skipped=skipped: rig.counters["frames_skipped"] > skipped + 5)
            assert rig.counters["chunks"] <= count + 1
            rig.store.set(name, False, "test")
            eventually("painting", lambda count=count: rig.counters["chunks"] > count + 2)


class FailingOnce(Engine):
    """An engine whose third decode fails, as when memory runs out."""

    decodes = 0

    def decode(self, latent, state):  # type: ignore[no-untyped-def]
        self.decodes += 1
        if self.decodes == 3:
            raise RuntimeError("out of memory")
        return super().decode(latent, state)


def test_a_failing_chunk_does_not_end_the_show(prompts: PromptCache, caplog: pytest.LogCaptureFixture) -> None:
    with Rig(prompts, engine=FailingOnce(ENGINE.dit, ENGINE.vae)) as rig:
        eventually("painting after the failure", lambda: rig.counters["chunks"] > 5)
        assert rig.counters["engine_failures"] == 1
        assert "out of memory" in caplog.text
        eventually("pictures", lambda: len(rig.sink.frames) > 8)


def test_a_stream_that_cannot_even_be_thrown_away_does_not_end_the_show(
    prompts: PromptCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def discard() -> None:
        monkeypatch.undo()
        raise RuntimeError("an illegal memory access was encountered")

    rig = Rig(prompts, engine=FailingOnce(ENGINE.dit, ENGINE.vae))
    monkeypatch.setattr(rig.stream, "discard", discard)
    with rig:
        eventually("painting after the failure", lambda: rig.counters["chunks"] > 5)
    assert rig.counters["engine_failures"] == 1
    assert "illegal memory access" in caplog.text


class Numbered(HandCamera):
    """Each frame of another grey."""

    def __init__(self) -> None:
        super().__init__(noise=0)

    def picture(self) -> Frame:
        self.value = (8 * self.given + 8) % 256
        return super().picture()


def ahead(rig: Rig) -> list[int]:
    """Indices of the next chunk's frames that are in the engine."""
    coming = rig.stream._coming
    return [] if coming is None else [frame.index for frame in coming.frames]


def pushed(rig: Rig, count: int) -> None:
    eventually(f"{count} frames to be pushed", lambda: len(ahead(rig)) == count)


def test_frames_go_ahead_as_they_come_and_the_hand_is_answered_until_the_last(prompts: PromptCache) -> None:
    with Rig(prompts, source=(hand := Numbered())) as rig:
        for count in range(1, 5):
            hand.give(1)
            pushed(rig, count)
        rig.store.set("mix", 0.0, "test")  # the input as it is: in this very chunk
        hand.give(1)
        shown = rig.sink.wait_for(1)
        assert all(int(frame.data[0, 0]) == 8 * frame.index + 8 for frame in shown)
        assert rig.counters["chunks"] == 1
        assert rig.counters["frames_skipped"] == 0


def test_a_chunk_that_was_begun_is_finished_before_the_engine_rests(prompts: PromptCache) -> None:
    with Rig(prompts, source=(hand := Numbered())) as rig:
        hand.give(3)
        pushed(rig, 3)
        rig.store.set("freeze", True, "test")
        hand.give(2)
        eventually("the chunk", lambda: rig.counters["chunks"] == 1)
        hand.give(9)
        eventually("the frames to be read", lambda: rig.counters["frames_in"] == 14)
        eventually("a rest", lambda: rig.intake.newest(0) is None)
        assert rig.counters["chunks"] == 1
        rig.store.set("freeze", False, "test")

        def again() -> list[int]:
            hand.give(1)
            return ahead(rig)

        assert min(eventually("the next chunk", again)) >= 14


def test_a_change_of_format_in_mid_chunk_loses_the_frames_of_before_and_no_more(prompts: PromptCache) -> None:
    with Rig(prompts, source=(hand := Numbered())) as rig:
        hand.give(5)
        eventually("a chunk", lambda: rig.counters["chunks"] == 1)
        hand.give(3)
        pushed(rig, 3)
        hand.format = PixelFormat.BGRX
        hand.give(5)  # the encoder has the others and can only be rid of them by a reset: the stream begins anew
        eventually("a chunk of the other format", lambda: rig.counters["chunks"] == 2)
        assert rig.counters["frames_skipped"] == 3
        assert rig.counters["engine_failures"] == 0
        assert [recipe.begins is not None for recipe in rig.adaptation.recipes] == [True, True]


def test_a_reset_from_the_hand_is_carried_out_once(prompts: PromptCache) -> None:
    with Rig(prompts) as rig:
        eventually("chunks", lambda: rig.counters["chunks"] > 3)
        before = rig.stream._state
        assert before is not None
        rig.store.trigger("reset", "test")
        eventually("the reset", lambda: before.chunk < 3)
        eventually("chunks after it", lambda: before.chunk > 3)
        assert rig.counters["engine_failures"] == 0


def test_a_show_that_starts_frozen_paints_one_picture_and_holds_it(prompts: PromptCache) -> None:
    rig = Rig(prompts)
    rig.store.set("freeze", True, "test")
    with rig:
        eventually("a picture", lambda: rig.sink.frames)
        eventually("a rest", lambda: rig.loop._idle(rig.store.latest()))
        count = rig.counters["chunks"]
        skipped = rig.counters["frames_skipped"]
        eventually("input to be let go", lambda: rig.counters["frames_skipped"] > skipped + 5)
        assert rig.counters["chunks"] <= count + 1
