"""What is done for a long show beside painting, chunk by chunk, by a clock that moves when told."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from support.fakes import FakeClock, fake_frame

from sdv2_live.chunk import Chunk, Generated
from sdv2_live.config.schema import Config, VideoConfig
from sdv2_live.config.schema_engine import RefreshConfig, ShedConfig
from sdv2_live.control.params import Params
from sdv2_live.control.store import Snapshot
from sdv2_live.engine.spec import Painting, PromptMix, PromptStep, StreamSpec
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.gpu.geometry import model_size, shrunk
from sdv2_live.live.adaptation import Adaptation
from sdv2_live.live.load_shedding import render_scale
from sdv2_live.stats import Counters

RATE = Fraction(30)
PROMPT = PromptStep(PromptMix.of(""), 1, 1, began=False, anew=False)


class Rig:
    """An engine that paints flat pictures of `value`, a chunk every 4/30 of a second of which it needs `load`."""

    def __init__(self, **sections: Any) -> None:
        self.clock, self.counters = FakeClock(), Counters()
        self.adaptation = Adaptation(Config(**sections), self.counters, clock=self.clock.now)
        self.params, self.value, self.load, self.input_size = Params(), 100, 0.5, (32, 32)
        self.max_pixels = 100 * 100
        self.adaptation.up(None, self.max_pixels)
        self.began = 0  # streams
        self.index = 0
        self.shown: list[Frame] = []
        self._scale: float | None = None

    def chunk(self, *, reset: bool = False) -> list[Frame]:
        shed = self.adaptation.state.measures
        scale = render_scale(shed)
        taken = self.adaptation.used_by(Snapshot(self.params, frozenset(), 1))
        begins = self.adaptation.due() or reset or scale != self._scale
        self._scale, self.began = scale, self.began + begins
        self.clock.advance(4 / 30)
        size = shrunk(model_size(self.input_size, None, self.max_pixels), scale)
        frames = [self._frame(0, self.input_size, i) for i in range(4)]
        pictures = [self._frame(self.value, size, i) for i in range(4)]
        self.index += 4
        recipe = Painting(StreamSpec(32, 32) if begins else None, PROMPT)
        generated = Generated(Chunk(0, frames, taken, shed), pictures, recipe, self.load * 4 / 30)
        shown = self.adaptation.finish(generated, 30.0)
        self.shown += shown
        return shown

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 30 / 4)):
            self.chunk()

    def _frame(self, value: int, size: tuple[int, int], i: int) -> Frame:
        height, width = size
        data = np.full((height, 4 * width), value, np.uint8)
        at = self.index + i
        return Frame(data, width, height, PixelFormat.BGRX, RATE, at * 1_000_000_000 // 30, at)


def means(frames: list[Frame]) -> list[float]:
    return [float(frame.data.mean()) for frame in frames]


def test_without_being_asked_it_does_nothing() -> None:
    rig = Rig()
    rig.load = 3.0
    rig.run(60)
    assert rig.began == 1
    assert rig.adaptation.state.measures == ()
    assert rig.adaptation.used(rig.params) is rig.params
    assert set(means(rig.shown)) == {100}


def test_a_stream_is_begun_anew_on_time_and_no_jump_shows() -> None:
    rig = Rig(refresh=RefreshConfig(every_s=60.0, fade_s=0.5))
    rig.run(59)
    assert rig.began == 1
    before = len(rig.shown)
    while not rig.adaptation.due():
        rig.chunk()
    rig.value = 160  # what fresh caches would show
    rig.run(4)
    assert rig.began == 2
    assert rig.counters["refreshes"] == 1
    levels = means(rig.shown[before:])
    anew = levels.index(next(level for level in levels if level > 100))
    fade = levels[anew : anew + 15]
    assert fade == sorted(fade)
    assert max(b - a for a, b in zip([100.0, *fade], fade, strict=False)) <= 6
    rig.run(61)
    assert rig.began == 3


def test_the_performers_own_reset_is_a_cut_and_counts_as_fresh() -> None:
    rig = Rig(refresh=RefreshConfig(every_s=60.0))
    rig.run(50)
    rig.value = 200
    assert means(rig.chunk(reset=True)) == [200.0] * 4
    rig.run(50)
    assert rig.began == 2
    assert rig.counters["refreshes"] == 0


def test_a_refresh_that_could_not_be_carried_out_is_still_due() -> None:
    rig = Rig(refresh=RefreshConfig(every_s=60.0))
    rig.run(1)
    rig.clock.advance(60)
    assert rig.adaptation.due()
    assert rig.adaptation.due()
    rig.chunk()
    assert not rig.adaptation.due()


def test_a_picture_that_wanders_is_told_and_begun_anew_where_that_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    for at_drift, refreshes in ((0.0, 0), (0.2, 1)):
        rig = Rig(refresh=RefreshConfig(at_drift=at_drift))
        rig.run(20)
        for _ in range(80):
            rig.value += 1
            rig.run(0.3)
            if rig.counters["refreshes"]:
                break
        assert rig.counters["refreshes"] == refreshes
        assert (rig.adaptation.state.drift > 0.2) == (not refreshes)
    with caplog.at_level("INFO"):
        rig = Rig()
        rig.run(20)
        rig.value = 180
        rig.run(20)
    assert caplog.text.count("has moved by") == 1


@pytest.mark.parametrize("change", [{"prompt": "gold"}, {"noise_scale": 0.3}, {"seed": 7}])
def test_another_look_is_no_drift(change: dict[str, Any]) -> None:
    rig = Rig(refresh=RefreshConfig(at_drift=0.1))
    rig.run(20)
    rig.params, rig.value = replace(rig.params, **change), 200
    rig.run(20)
    assert rig.adaptation.state.drift < 0.01
    assert rig.counters["refreshes"] == 0


def test_what_does_not_change_the_look_keeps_the_reference() -> None:
    rig = Rig()
    rig.run(20)
    rig.params, rig.value = replace(rig.params, bypass=True, record=True, cue_prompt="next", input_select="main"), 200
    rig.run(20)
    assert rig.adaptation.state.drift > 0.3


def test_the_load_is_shed_and_taken_again_and_the_output_keeps_its_size() -> None:
    rig = Rig(shed=ShedConfig(target_fps=30.0, down_s=5.0, up_s=30.0))
    rig.run(2)
    rig.load = 1.5
    rig.run(7)
    assert rig.adaptation.state.measures == ("fewer-steps",)
    assert rig.adaptation.used(rig.params).steps == (700,)
    assert rig.params.steps == (700, 500)
    rig.run(10)
    assert rig.adaptation.state.measures == ("fewer-steps", "smaller")
    assert {frame.size for frame in rig.shown} == {(32, 32)}
    assert rig.counters["shed_down"] == 2
    rig.load = 0.3
    rig.run(120)
    assert rig.adaptation.state.measures == ()
    assert rig.counters["shed_up"] == 2
    assert {frame.size for frame in rig.shown} == {(32, 32)}


def test_no_jump_shows_where_the_size_changes() -> None:
    rig = Rig(shed=ShedConfig(target_fps=30.0, steps=("smaller",)))
    rig.load = 1.5
    while not rig.adaptation.state.measures:
        rig.chunk()
    rig.value = 160
    levels = means(rig.chunk())
    assert levels == sorted(levels)
    assert levels[0] < 110


@pytest.mark.parametrize("size", [(96, 64), (90, 122), (180, 320), (16, 640)])
def test_a_new_input_size_gives_the_output_its_whole_size_also_while_the_load_is_shed(size: tuple[int, int]) -> None:
    rig = Rig(shed=ShedConfig(target_fps=30.0, steps=("smaller", "smaller")))
    rig.load = 1.5
    rig.run(20)
    assert rig.adaptation.state.measures == ("smaller", "smaller")
    assert rig.chunk()[-1].size == (32, 32)
    rig.input_size = size
    whole = model_size(size, None, rig.max_pixels)
    assert rig.chunk()[-1].size == whole
    rig.load = 0.1
    rig.run(200)
    assert rig.adaptation.state.measures == ()
    assert {frame.size for frame in rig.shown} == {(32, 32), whole}


def test_a_fixed_size_and_the_inputs_own_stay_while_the_load_is_shed() -> None:
    small, frame = fake_frame(2, 48, 64), fake_frame(1, 720, 1280)
    chunk = Chunk(0, [frame], Snapshot(Params(), frozenset(), 1), ("smaller",))
    done = Generated(chunk, [small], Painting(None, PROMPT), 0.1)
    assert Adaptation(Config(video=VideoConfig(size=(64, 80))), Counters()).finish(done, 30.0)[0].size == (64, 80)
    assert Adaptation(Config(video=VideoConfig(output_size="input")), Counters()).finish(done, 30.0)[0] is small


def test_one_step_cannot_become_fewer() -> None:
    rig = Rig(shed=ShedConfig(target_fps=30.0))
    rig.params, rig.load = replace(rig.params, steps=(400,)), 1.5
    rig.run(10)
    assert rig.adaptation.state.measures == ("smaller",)
    assert rig.adaptation.used(rig.params).steps == (400,)
