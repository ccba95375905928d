"""Scaled fp8 files of every usual spelling, and those that have lost their scales."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.assign import assign, on_meta, synthetic_state_dict
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.lora.keys import diffusers_name
from sdv2_live.model.sizes import DitConfig

FP8 = torch.float8_e4m3fn
DIT = DitConfig(dim=96, heads=2, ffn=192, layers=2, text_dim=16)
LINEAR = "blocks.0.self_attn.q"


def weights() -> dict[str, Tensor]:
    dit = on_meta(lambda: CausalDiT(DIT))
    return synthetic_state_dict({key: tuple(value.shape) for key, value in dit.state_dict().items()})


def eighths(state: dict[str, Tensor], factor: str, shape: tuple[int, ...]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The matrices of the blocks in 8 bits with their factors, and what they mean."""
    stored, meant = dict(state), dict(state)
    for key in [key for key, value in state.items() if key.startswith("blocks.") and value.ndim == 2]:
        rows = state[key].shape[0]
        scale = torch.full(shape, 0.5) if shape in ((), (1,)) else torch.linspace(0.25, 2, rows).reshape([rows, *shape[1:]])
        stored[key] = state[key].to(FP8)
        stored[f"{key.removesuffix('.weight')}.{factor}"] = scale
        meant[key] = stored[key].float() * scale.reshape(-1, 1)
    return stored, meant


def loaded(path: Path) -> dict[str, Tensor]:
    dit = on_meta(lambda: CausalDiT(DIT))
    assign(dit, path, torch.device("cpu"), torch.float32)
    return dit.state_dict()


def same(found: dict[str, Tensor], meant: dict[str, Tensor]) -> bool:
    return all(torch.equal(found[key], value) for key, value in meant.items())


@pytest.mark.parametrize("factor", ["scale_weight", "weight_scale"])
@pytest.mark.parametrize("shape", [(), (1,), (0,), (0, 1)], ids=["number", "one", "rows", "column"])
def test_every_spelling_of_a_scale(tmp_path: Path, factor: str, shape: tuple[int, ...]) -> None:
    stored, meant = eighths(weights(), factor, shape)
    save_file(stored, tmp_path / "m.safetensors")
    assert same(loaded(tmp_path / "m.safetensors"), meant)


def diffusers(key: str) -> str:
    module, _, leaf = key.rpartition(".")
    if not module:
        return key
    if leaf == "modulation":
        return "scale_shift_table" if module == "head" else f"{module}.scale_shift_table"
    return f"{diffusers_name(module)}.{leaf}"


def comfy(key: str) -> str:
    return f"model.diffusion_model.{key}"


@pytest.mark.parametrize("name", [comfy, diffusers, lambda key: f"transformer.{diffusers(key)}"])
def test_scaled_in_another_layout_with_scales_of_inputs_and_the_mark(tmp_path: Path, name: Callable[[str], str]) -> None:
    stored, meant = eighths(weights(), "scale_weight", ())
    stored = {name(key): value for key, value in stored.items()}
    stored |= {name(f"{LINEAR}.scale_input"): torch.ones(()), name(f"{LINEAR}.comfy_quant"): torch.zeros(9, dtype=torch.uint8)}
    stored[name("scaled_fp8")] = torch.zeros(0, dtype=FP8)
    save_file(stored, tmp_path / "m.safetensors")
    assert same(loaded(tmp_path / "m.safetensors"), meant)


@pytest.mark.parametrize("lost", ["all, marked", "all, named", "one"])
def test_lost_scales_are_told_with_the_remedy(tmp_path: Path, lost: str) -> None:
    stored, _ = eighths(weights(), "scale_weight", ())
    keep = lost == "one"
    stored = {key: v for key, v in stored.items() if not key.endswith(".scale_weight") or (keep and not key.startswith(LINEAR))}
    if lost == "all, marked":
        stored["scaled_fp8"] = torch.zeros(0, dtype=FP8)
    path = tmp_path / ("wan_fp8_scaled.safetensors" if lost == "all, named" else "m.safetensors")
    save_file(stored, path)
    with pytest.raises(WeightsError, match="is a scaled fp8 file without the scales of") as caught:
        loaded(path)
    assert "take the same weights in 16 bits, or a file that holds blocks.0." in str(caught.value)


def test_plain_fp8_needs_no_scales(tmp_path: Path) -> None:
    state = weights()
    stored = {key: value.to(FP8) if value.ndim == 2 else value for key, value in state.items()}
    save_file(stored, tmp_path / "m.safetensors")
    assert same(loaded(tmp_path / "m.safetensors"), {key: value.float() for key, value in stored.items()})


@pytest.mark.parametrize("name", ["m.gguf", "m.safetensors", "m.pt"])
def test_gguf_is_told_with_the_remedy(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"GGUF\x03\0\0\0" + bytes(64))
    with pytest.raises(WeightsError, match=r"is a GGUF file, which is not supported; take the same weights as \.safetensors"):
        loaded(tmp_path / name)
