"""What a show starts with."""

from __future__ import annotations

from sdv2_live.bringup import chosen_profile, start_params
from sdv2_live.config import load_config

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
