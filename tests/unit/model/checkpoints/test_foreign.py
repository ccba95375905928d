"""Checkpoints in other programs' layouts, by the model's own keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.assign import on_meta, require_fit
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.lora.keys import diffusers_name
from sdv2_live.model.sizes import DitConfig


def model() -> CausalDiT:
    return on_meta(lambda: CausalDiT(DitConfig(dim=96, heads=2, ffn=192, layers=2, text_dim=16)))


def diffusers(key: str) -> str:
    module, _, leaf = key.rpartition(".")
    if leaf == "modulation":
        return "scale_shift_table" if module == "head" else f"{module}.scale_shift_table"
    return f"{diffusers_name(module)}.{leaf}"


@pytest.mark.parametrize(
    "name",
    [
        str,
        diffusers,
        lambda key: f"model.diffusion_model.{key}",
        lambda key: f"transformer.{diffusers(key)}",
        lambda key: f"any.thing.{key}",
    ],
)
def test_every_layout_is_read(name: Callable[[str], str]) -> None:
    dit = model()
    own = dit.state_dict()
    stored = {name(key): value for key, value in own.items()}
    read = require_fit(dit, stored, "it")
    assert all(read[key] is own[key] for key in own)


def test_what_fits_nothing_is_told_by_its_own_name() -> None:
    dit = model()
    stored = {f"model.diffusion_model.{key}": value for key, value in dit.state_dict().items()}
    odd = {"model.diffusion_model.blocks.0.vace.weight": torch.ones(1), "cond_stage_model.head.bias": torch.ones(1)}
    with pytest.raises(WeightsError) as told:
        require_fit(dit, stored | odd, "it")
    assert all(f"unexpected {key} [1]" in str(told.value) for key in odd)
    assert "missing" not in str(told.value)
