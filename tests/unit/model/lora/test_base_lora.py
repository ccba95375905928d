"""A LoRA that is a part of its model, as LongLive's: in a training script's file, its alpha known to the profile alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support.lora_files import ALPHA, RANK, Pairs, linear_layers, pairs_for
from support.places import GOLDEN
from support.small_profile import SMALL, synthetic
from torch import Tensor

from sdv2_live.config.profiles import PROFILES
from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.assign import on_meta
from sdv2_live.model.checkpoints.files import BaseLora
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.load import load_models
from sdv2_live.model.lora.file import read_lora
from sdv2_live.model.lora.keys import ModuleNames, split
from sdv2_live.model.vae.wan import WanVAE
from sdv2_live.weights.catalog import profile_files
from sdv2_live.weights.fit import check_fit

SELF, CROSS = "blocks.0.self_attn.q", "blocks.1.cross_attn.k"


def new_dit() -> CausalDiT:
    return CausalDiT(SMALL.dit)


def shapes() -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in new_dit().state_dict().items()}


PEFT = "base_model.model.{}.lora_{}.weight"


def trained(pairs: Pairs) -> dict[str, Tensor]:
    """As PEFT names them in LongLive's lora.pt."""
    return {PEFT.format(module, part): tensor for module, pair in pairs.items() for part, tensor in zip("AB", pair, strict=True)}


@pytest.mark.parametrize("wrap", [True, False])
def test_a_lora_of_a_training_script_is_the_generators(tmp_path: Path, wrap: bool) -> None:
    pairs, path = pairs_for(new_dit(), (SELF,)), tmp_path / "lora.pt"
    others = {key: value + 1 for key, value in trained(pairs).items()}
    torch.save({"critic_lora": others, "generator_lora": trained(pairs), "step": 5} if wrap else trained(pairs), path)
    file = read_lora(path, shapes(), ALPHA)
    assert torch.allclose(file.low_rank[f"{SELF}.weight"].up, pairs[SELF][1] * ALPHA / RANK)
    assert torch.equal(read_lora(path, shapes()).low_rank[f"{SELF}.weight"].up, pairs[SELF][1])  # nobody says alpha
    assert file.unmatched == ()


def test_a_file_of_the_critics_lora_alone_is_refused(tmp_path: Path) -> None:
    torch.save({"critic_lora": trained(pairs_for(new_dit(), (SELF,)))}, tmp_path / "lora.pt")
    with pytest.raises(WeightsError, match="holds no state dict, neither bare nor under generator_lora"):
        read_lora(tmp_path / "lora.pt", shapes())


def test_a_lora_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"generator_lora": {"a": Path("x")}}, tmp_path / "lora.pt")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        read_lora(tmp_path / "lora.pt", shapes())


def test_longlives_keys_are_all_linear_layers_of_the_blocks() -> None:
    manifest = json.loads((GOLDEN / "manifests" / "longlive_lora.json").read_text())["keys"]
    dit = on_meta(lambda: CausalDiT(PROFILES["1.3b"].dit))
    wanted = {name for name in linear_layers(dit) if name.startswith("blocks.")}
    names = ModuleNames({name.rpartition(".")[0] for name, _ in dit.named_parameters()})
    found = {key: known[0] for key in manifest if (known := split(key))}
    modules = names.find(found.values())
    assert len(found) == len(manifest) == 600
    assert {modules[module] for module in found.values()} == wanted
    for key, module in found.items():
        out, inner = dit.get_parameter(f"{modules[module]}.weight").shape
        assert manifest[key] == ([256, inner] if key.endswith(".lora_A.weight") else [out, 256])


@pytest.mark.parametrize(
    "style",
    [
        "base_model.model._fsdp_wrapped_module.{}.lora_{}.weight",
        "{}._fsdp_wrapped_module.lora_{}.weight",
        "diffusion_model.{}.lora_{}._fsdp_wrapped_module.default.weight",
        "_fsdp_wrapped_module.{}._checkpoint_wrapped_module._orig_mod.lora_{}.weight",
    ],
)
def test_wrappers_may_stand_anywhere_in_a_key(tmp_path: Path, style: str) -> None:
    pairs, path = pairs_for(new_dit(), (SELF, CROSS)), tmp_path / "lora.safetensors"
    tensors = {style.format(module, part): t for module, pair in pairs.items() for part, t in zip("AB", pair, strict=True)}
    deep = {key.replace("blocks.0.", "blocks.0._fsdp_wrapped_module."): tensor for key, tensor in tensors.items()}
    for stored in (tensors, deep):
        save_file(stored, path)
        assert set(read_lora(path, shapes()).low_rank) == {f"{SELF}.weight", f"{CROSS}.weight"}


def test_it_is_merged_at_load_into_the_member_that_the_profile_means(tmp_path: Path) -> None:
    assert SMALL.files is not None
    assert SMALL.wan is not None
    (tmp_path / "dit").mkdir()
    state = synthetic(new_dit())
    ema = {f"model._fsdp_wrapped_module.{key}": value for key, value in state.items()}
    torch.save({"generator": {"x": torch.ones(1)}, "generator_ema": ema}, tmp_path / "dit/model.pt")
    torch.save(synthetic(WanVAE(SMALL.wan)), tmp_path / "Wan2.1_VAE.pth")
    pairs = pairs_for(new_dit(), linear_layers(new_dit()))
    torch.save({"generator_lora": trained(pairs)}, tmp_path / "lora.pt")
    files = replace(SMALL.files, member="generator_ema", lora=BaseLora("lora.pt", alpha=ALPHA))
    cpu = torch.device("cpu")
    models = load_models(replace(SMALL, files=files), device=cpu, dtype=torch.float32, vae="wan", weights_dir=tmp_path)
    for module, (a, b) in pairs.items():
        wanted = state[f"{module}.weight"] + ALPHA / RANK * (b @ a)
        assert torch.allclose(models.dit.get_parameter(f"{module}.weight"), wanted, atol=1e-6)
    (tmp_path / "lora.pt").unlink()
    with pytest.raises(WeightsError, match=r"holds none of lora\.pt"):
        load_models(replace(SMALL, files=files), device=cpu, dtype=torch.float32, vae="wan", weights_dir=tmp_path)


def test_the_check_of_weights_reads_the_lora_and_the_member(tmp_path: Path) -> None:
    assert SMALL.files is not None
    lora = tmp_path / "lora.pt"
    profile = replace(SMALL, files=replace(SMALL.files, member="generator_ema", lora=BaseLora("lora.pt", alpha=ALPHA)))
    dit, own = profile_files(profile)[:2]
    torch.save({"generator_lora": trained(pairs_for(new_dit(), (SELF,)))}, lora)
    check_fit(own, lora, profile)
    torch.save({"generator_lora": {PEFT.format(SELF, part): torch.ones(3, 3) for part in "AB"}}, lora)
    with pytest.raises(WeightsError, match="does not fit the model"):
        check_fit(own, lora, profile)
    torch.save({"generator_ema": synthetic(new_dit())}, tmp_path / "model.pt")
    check_fit(dit, tmp_path / "model.pt", profile)
    torch.save({"generator": synthetic(new_dit())}, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match="holds generator, not generator_ema"):
        check_fit(dit, tmp_path / "model.pt", profile)
