"""The size of the small model's pictures on a CPU, by a measurement that is made up."""

from __future__ import annotations

import logging

import pytest

from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES
from sdv2_live.config.schema import Config
from sdv2_live.cost.pace import Work
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import StreamSpec
from sdv2_live.pipeline import sized as module
from sdv2_live.pipeline.build import start_params
from sdv2_live.pipeline.sized import sized


def config(*options: str) -> Config:
    return load_config(None, ["model.profile=tiny", "model.device=cpu", "model.threads=1", *options])


@pytest.fixture
def specs(monkeypatch: pytest.MonkeyPatch) -> list[StreamSpec]:
    """Measured so far, on a machine whose stages take 10 ms each at 256x256, and more for more pixels."""
    found: list[StreamSpec] = []

    def measured(engine: Engine, spec: StreamSpec) -> Work:
        found.append(spec)
        seconds = 0.01 * spec.height * spec.width / 256**2
        return Work(seconds, 2 * seconds, seconds)

    monkeypatch.setattr(module, "measured", measured)
    monkeypatch.setattr(module, "cores", lambda: 2)
    return found


def most(asked: Config) -> int | None:
    return sized(asked, start_params(asked)).video.max_pixels


def test_the_largest_size_that_holds_the_rate_is_taken_and_told(
    specs: list[StreamSpec], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert most(config()) == 320 * 576  # 0.04 s * 2.8 of 0.12 s
    assert "up to 184320 pixels at 30 frames a second, such as 320x576" in caplog.text
    assert specs[0].cache.kv_frames == PROFILES["tiny"].stream.window


def test_what_the_show_asks_of_each_picture_counts(specs: list[StreamSpec]) -> None:
    assert most(config("params.steps=700,500")) == 256 * 448  # 0.06 s * 1.75
    assert most(config("shed.target_fps=60")) == 256 * 448
    assert most(config("shed.target_fps=15")) == 400 * 704


@pytest.mark.parametrize("option", ["video.size=64x96", "video.max_pixels=30000", "engine.mode=text"])
def test_a_size_that_somebody_chose_is_not_measured(specs: list[StreamSpec], option: str) -> None:
    asked = config(option)
    assert sized(asked, start_params(asked)) == asked
    assert not specs


def test_a_slow_machine_keeps_the_least_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "measured", lambda engine, spec: Work(9, 9, 9))
    assert most(config()) == 256 * 256
