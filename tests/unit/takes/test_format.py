"""A take's files: the configuration reads back to the same, differences are named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.take_rig import HEADER
from torch import nn

from sdv2_live.config.load import load_config
from sdv2_live.config.schema import Config, ModelConfig, OscConfig, VideoConfig
from sdv2_live.config.schema_engine import EngineConfig
from sdv2_live.config.schema_files import PresetsConfig, TakesConfig
from sdv2_live.control.params import Params
from sdv2_live.engine.spec import Schedule
from sdv2_live.gpu.geometry import Fit
from sdv2_live.takes.fingerprint import fingerprint
from sdv2_live.takes.format import CONFIG, Header, plain, write_yaml

OTHER = Config(
    model=ModelConfig(profile="tiny", weights_dir=Path("/weights"), threads=3),
    video=VideoConfig(size=(64, 96), fit=Fit.FIT),
    osc=OscConfig(subscribers=("127.0.0.1:9001", "10.0.0.5:9000")),
    engine=EngineConfig(schedule=Schedule.STREAM_BATCH, run_while_bypassed=False),
    presets=PresetsConfig(dir=Path("/presets")),
    takes=TakesConfig(dir=Path("/takes"), lossless=False),
    params=Params(prompt="ink: \u2744 # 'quoted'\nsecond line", seed=2**63 - 1, steps=(900,), noise_scale=0.1 + 0.2),
)


@pytest.mark.parametrize("config", [Config(), OTHER], ids=["defaults", "others"])
def test_the_configuration_reads_back_to_the_same(tmp_path: Path, config: Config) -> None:
    write_yaml(tmp_path / CONFIG, plain(config))
    assert load_config(tmp_path / CONFIG).with_params(config.params, frozenset()) == config
    assert load_config(tmp_path / CONFIG).params == config.params


def test_what_is_not_as_it_was_is_named() -> None:
    then = Header(lossless=True, **HEADER)
    here = then.model_copy(update={"recorded": "later", "weights": "f", "threads": 2})
    assert list(then.differences(then)) == []
    assert list(then.differences(here)) == ["weights was 0 and is f", "threads was 1 and is 2"]


def test_a_take_that_does_not_name_its_frame_kernels_is_as_good() -> None:
    old, by_torch, by_cupy = (Header(lossless=True, frame_kernels=name, **HEADER) for name in ("", "torch", "cupy"))
    assert old == Header(lossless=True, **HEADER)
    assert list(old.differences(by_cupy)) == list(by_torch.differences(by_torch)) == []
    assert list(by_cupy.differences(by_torch)) == ["frame_kernels was cupy and is torch, which may change a picture by one code"]
    assert by_cupy.by_other_frame_kernels(by_torch)
    assert not old.by_other_frame_kernels(by_torch)


def test_other_weights_have_another_fingerprint() -> None:
    model = nn.Linear(300, 200)
    before = fingerprint(model)
    assert fingerprint(model) == before
    with torch.no_grad():
        model.weight.mul_(1.001)
    assert fingerprint(model) != before
    assert fingerprint(model, model) != fingerprint(model)
    assert fingerprint(nn.Linear(2, 3).bfloat16(), nn.BatchNorm1d(3))  # any type, and tensors without dimensions
