"""The size of the small model's pictures on a CPU, by a measurement that is made up."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from fractions import Fraction

import pytest
from support.fakes import fake_frame
from support.prompts import Dictionary
from support.tiny import small_engine, stream

from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.cost.pace import Work
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.engine.spec import StreamSpec
from sdv2_live.frame import Frame
from sdv2_live.gpu.postprocess import Postprocessor
from sdv2_live.gpu.preprocess import Preprocessor
from sdv2_live.pipeline import sized as module
from sdv2_live.pipeline.build import start_params
from sdv2_live.pipeline.sized import ChosenSize, chosen_size

TINY = PROFILES["tiny"]
HD, UHD = fake_frame(0, 1080, 1920), fake_frame(0, 2160, 3840)
CONVERTED_S = 0.02 / (1080 * 1920)  # a pixel, in and out


def config(*options: str) -> Config:
    return load_config(None, ["model.profile=tiny", "model.device=cpu", "model.threads=1", *options])


@pytest.fixture(scope="module")
def engine() -> Engine:
    return small_engine()


class Machine:
    """Two cores. A chunk's stages take 10 ms each at 256x256 and more for more pixels, and conversion what its pixels cost."""

    def __init__(self) -> None:
        self.painted: list[StreamSpec] = []  # measured so far
        self.details: set[float] = set()
        self.slow = 1.0

    def painting(self, engine: Engine, spec: StreamSpec) -> Work:
        self.painted.append(spec)
        seconds = self.slow * 0.01 * spec.height * spec.width / 256**2
        return Work(seconds, 2 * seconds, seconds)

    def converting(self, pre: Preprocessor, post: Postprocessor, like: Frame, detail: float) -> tuple[float, float]:
        self.details.add(detail)
        height, width = post.plan(pre.size, like)[1]
        return CONVERTED_S * like.height * like.width, CONVERTED_S * height * width


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(module, "painting", made.painting)
    monkeypatch.setattr(module, "converting", made.converting)
    monkeypatch.setattr(module, "cores", lambda: 2)
    return made


def choice(asked: Config, engine: Engine) -> ChosenSize:
    chooses = chosen_size(asked, engine, TINY)
    assert chooses is not None
    return chooses


def most(asked: Config, engine: Engine, like: Frame = HD, rate: int | Fraction = 30) -> int:
    return choice(asked, engine)(replace(like, rate=Fraction(rate)), start_params(asked), lambda: None)


def test_the_largest_size_that_holds_the_inputs_rate_is_taken_and_told(
    machine: Machine, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert most(config(), engine) == 288 * 512  # 0.04 s * 2.25, of the 0.12 s less 0.02 s of one core
    assert "1080x1920 RGBX at 30 frames a second: up to 147456 pixels (288x512), as measured for 30 a second" in caplog.text
    assert "fewer" not in caplog.text
    assert machine.painted[0].cache.kv_frames == TINY.stream.window


def test_the_inputs_rate_and_size_count_and_the_outputs_size(machine: Machine, engine: Engine) -> None:
    assert most(config(), engine, rate=15) == 400 * 704  # 0.04 s * 4.3 of 0.24 s - 0.02 s
    assert most(config(), engine, rate=Fraction(60000, 1001)) == 224 * 400  # of 0.06 s, of a larger one 0.057 s would be left
    assert most(config(), engine, fake_frame(0, 270, 480)) == 288 * 512  # all of it; a larger one would be the same
    assert most(config(), engine, UHD) == 256 * 448  # 0.08 s go: 0.07 s of 0.16 s
    assert most(config("video.output_size=input"), engine) == 256 * 448  # and 0.04 s: the 288x512 leave a core


def test_what_the_show_asks_of_each_picture_counts(machine: Machine, engine: Engine) -> None:
    assert most(config("params.steps=700,500"), engine) == 256 * 448  # 0.06 s * 1.75
    assert most(config("shed.target_fps=15"), engine) == 400 * 704
    assert most(config("shed.target_fps=60"), engine) == most(config(), engine)  # more than come are not painted
    machine.details.clear()
    most(config("params.detail=0.25"), engine)
    assert machine.details == {0.25}


def test_each_kind_of_input_is_measured_once(machine: Machine, engine: Engine) -> None:
    chooses, params, told = choice(config(), engine), start_params(config()), []

    def ask(rate: int | float, like: Frame = HD) -> int:
        return chooses(replace(like, rate=Fraction(rate)), params, lambda: told.append(rate))

    first = ask(30)
    painted = len(machine.painted)
    assert ask(29.97) == ask(30) == first  # that is the same rate
    assert told == [30]
    assert ask(60) < first
    assert ask(30) == first
    assert ask(30, UHD) < first
    assert told == [30, 60, 30]
    assert len(set(machine.painted)) == len(machine.painted) > painted  # what was painted is not painted again


def test_a_rate_that_no_size_holds_is_halved_down_to_a_fluent_one(machine: Machine, engine: Engine) -> None:
    machine.slow = 1.8
    assert most(config(), engine, rate=60) == most(config(), engine, rate=30) == 256 * 448
    assert most(config(), engine, rate=120) == 256 * 448
    assert most(config(), engine, rate=50) == 256 * 256  # which that size holds
    assert most(config("shed.target_fps=60"), engine, rate=60) == 256 * 256  # somebody wants them all


@pytest.mark.parametrize("option", ["video.size=64x96", "video.max_pixels=30000", "engine.mode=text"])
def test_a_size_that_somebody_chose_is_not_measured(machine: Machine, engine: Engine, option: str) -> None:
    assert chosen_size(config(option), engine, TINY) is None


def test_a_slow_machine_keeps_the_least_size_and_says_so(
    machine: Machine, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    machine.slow = 100
    assert most(config(), engine) == 256 * 256
    assert "of which this processor paints fewer" in caplog.text


def test_another_choice_begins_a_new_stream(engine: Engine) -> None:
    with closing(PromptCache(Dictionary())) as prompts:
        one = stream(engine, prompts)
        assert one.measured_pixels is None
        said: list[str] = []
        one.on_set_up = lambda: said.append("set up")
        one.chosen_size = lambda like, params, on_measure: 64 * 64 if like.rate == 30 else 32 * 32  # type: ignore[assignment]
        like = fake_frame(0, 96, 96)
        one.prepare(like, Params())
        one.prepare(like, Params())
        assert (one.size, one.measured_pixels, said) == ((64, 64), 64 * 64, ["set up"])
        one.prepare(replace(like, rate=Fraction(60)), Params())
        assert (one.size, one.measured_pixels, said) == ((32, 32), 32 * 32, ["set up"] * 2)
