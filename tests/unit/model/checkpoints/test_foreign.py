"""Checkpoints in other programs' layouts, by the model's own keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from sdv2_live.config.profiles import PROFILES
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


# WanTransformer3DModel's names beside the public ones, as its converter gives them; weights and biases where not said otherwise.
OUTSIDE = {
    "patch_embedding": "patch_embedding",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "head.head": "proj_out",
}
INSIDE = {
    "self_attn.q": "attn1.to_q",
    "self_attn.k": "attn1.to_k",
    "self_attn.v": "attn1.to_v",
    "self_attn.o": "attn1.to_out.0",
    "cross_attn.q": "attn2.to_q",
    "cross_attn.k": "attn2.to_k",
    "cross_attn.v": "attn2.to_v",
    "cross_attn.o": "attn2.to_out.0",
    "norm3": "norm2",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
}
NORMS = {
    f"{own}.norm_{one}": f"{theirs}.norm_{one}"
    for own, theirs in (("self_attn", "attn1"), ("cross_attn", "attn2"))
    for one in "qk"
}


@pytest.mark.parametrize(("name", "prefix"), [("1.3b", "model.diffusion_model."), ("14b", "")])
def test_diffusers_names_of_the_real_models(name: str, prefix: str) -> None:
    dit = on_meta(lambda: CausalDiT(PROFILES[name].dit))
    theirs = {f"{new}.{leaf}": f"{old}.{leaf}" for old, new in OUTSIDE.items() for leaf in ("weight", "bias")}
    theirs["scale_shift_table"] = "head.modulation"
    for i in range(PROFILES[name].dit.layers):
        block = f"blocks.{i}"
        theirs |= {f"{block}.{new}.{leaf}": f"{block}.{old}.{leaf}" for old, new in INSIDE.items() for leaf in ("weight", "bias")}
        theirs |= {f"{block}.{new}.weight": f"{block}.{old}.weight" for old, new in NORMS.items()}
        theirs[f"{block}.scale_shift_table"] = f"{block}.modulation"
    own = dit.state_dict()
    assert sorted(theirs.values()) == sorted(own)
    read = require_fit(dit, {prefix + key: own[value] for key, value in theirs.items()}, "it")
    assert all(read[key] is own[key] for key in own)


def test_what_fits_nothing_is_told_by_its_own_name() -> None:
    dit = model()
    stored = {f"model.diffusion_model.{key}": value for key, value in dit.state_dict().items()}
    odd = {"model.diffusion_model.blocks.0.vace.weight": torch.ones(1), "cond_stage_model.head.bias": torch.ones(1)}
    with pytest.raises(WeightsError) as told:
        require_fit(dit, stored | odd, "it")
    assert all(f"unexpected {key} [1]" in str(told.value) for key in odd)
    assert "missing" not in str(told.value)
