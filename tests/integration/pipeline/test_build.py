"""What a show starts with."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.tiny import small_engine

from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES
from sdv2_live.config.schema import Config
from sdv2_live.config.schema_engine import EngineConfig
from sdv2_live.engine.prompt import PromptDirector
from sdv2_live.engine.prompt_disk import PromptDisk
from sdv2_live.engine.spec import PromptMix
from sdv2_live.errors import WeightsError
from sdv2_live.model.dit.attention import Attend
from sdv2_live.model.load_text import new_text
from sdv2_live.pipeline.build import chosen_profile, kernels, load, new_prompts, start_params

TINY = ["model.profile=tiny", "model.device=cpu"]


def test_start_values_suit_the_model_where_nobody_chose() -> None:
    params = start_params(load_config(None, TINY))
    assert (params.noise_scale, params.steps) == (0.4, (400,))
    large = start_params(load_config(None, ["model.profile=1.3b"]))
    assert (large.noise_scale, large.steps) == (0.7, (700, 500))


def test_what_somebody_chose_stays() -> None:
    chosen = start_params(load_config(None, [*TINY, "params.noise_scale=0.7", "params.seed=3"]))
    assert (chosen.noise_scale, chosen.steps, chosen.seed) == (0.7, (400,), 3)


def test_auto_is_tiny_without_a_gpu_and_without_weights(tmp_path: object) -> None:
    config = load_config(None, ["model.device=cpu", f"model.weights_dir={tmp_path}"])
    assert chosen_profile(config).name == "tiny"


def test_a_show_without_a_text_encoder_starts_with_known_prompts_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    large = PROFILES["1.3b"]
    text = new_text(large, device=torch.device("cpu"), dtype=torch.float32, weights_dir=tmp_path)
    models = replace(load(load_config(None, [*TINY, "model.prompt_cache=off"])), profile=large, text=text)
    config = load_config(None, ["model.profile=1.3b", f"model.prompt_cache={tmp_path}", "params.prompt=an ink drawing"])
    with pytest.raises(WeightsError, match="'an ink drawing' is not encoded yet, and the text encoder is not there"):
        new_prompts(config, models)
    PromptDisk(tmp_path, text.identities).store("an ink drawing", torch.ones(1, 2, 96))
    if sys.platform != "win32":
        modes = {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
        assert modes == {0o700, 0o600}  # prompts are nobody else's business
    prompts = new_prompts(config, models)
    assert torch.equal(prompts.request("an ink drawing").result(30), torch.ones(1, 2, 96))
    assert "only prompts that are encoded already can be shown" in caplog.text
    with pytest.raises(WeightsError, match="fetch it"):
        prompts.request("another").result(30)
    director = PromptDirector(models.dit, prompts)
    shown = director.condition(PromptMix.of("an ink drawing")).cross.k
    assert torch.equal(director.condition(PromptMix.of("another"), wait=True).cross.k, shown)  # the picture goes on
    prompts.close()


def test_the_kernels_that_are_told_are_those_that_run() -> None:
    """Where a library's attention failed its check, PyTorch's runs, whatever the configuration chose."""
    dit = small_engine().dit
    dit.attend = Attend("sdpa (flash)")
    told = kernels(Config().replaced(engine=EngineConfig(attention="auto")), dit)
    assert told == {"attention": "sdpa (flash)", "operations": "torch", "frames": "torch", "cuda_graphs": "off"}
