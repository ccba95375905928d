"""The real models have exactly the real checkpoints' keys and shapes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from support.places import GOLDEN
from torch import nn

from sdv2_live.config.profiles import PROFILES, find_profile
from sdv2_live.errors import ConfigError, WeightsError
from sdv2_live.model.checkpoints.assign import load_strict
from sdv2_live.model.checkpoints.checkpoint import read_checkpoint
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.sizes import TextConfig, WanVaeConfig
from sdv2_live.model.text.umt5 import UMT5, transformers_state
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.model.vae.wan import WanVAE

MANIFESTS = GOLDEN / "manifests"


def manifest(name: str) -> dict[str, tuple[int, ...]]:
    return {key: tuple(shape) for key, shape in json.loads((MANIFESTS / f"{name}.json").read_text())["keys"].items()}


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


@pytest.mark.parametrize(("name", "file"), [("1.3b", "dit_1_3b"), ("14b", "dit_14b")])
def test_dit(name: str, file: str) -> None:
    with torch.device("meta"):
        assert shapes(CausalDiT(PROFILES[name].dit)) == manifest(file)


def test_autoencoders() -> None:
    wan = PROFILES["1.3b"].wan
    assert wan is not None
    with torch.device("meta"):
        assert shapes(WanVAE(wan)) == manifest("wan_vae")
        assert shapes(WanVAE(WanVaeConfig(dim=24))) == manifest("light_vae")
        assert shapes(TAEHV()) == manifest("taew2_1")


def test_text_encoder() -> None:
    with torch.device("meta"):
        model = UMT5(TextConfig())
        wan = {key: torch.empty(shape) for key, shape in manifest("umt5_xxl_encoder").items()}
    assert shapes(model.encoder) == {key: tuple(value.shape) for key, value in transformers_state(wan).items()}


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"cannot be '2b'; give one of auto, tiny, 1\.3b, 14b, "):
        find_profile("2b")


def test_strict_loading_names_file_key_and_shapes() -> None:
    model = nn.Linear(2, 3)
    with pytest.raises(
        WeightsError, match=r"m\.pt: does not fit Linear: missing bias \[3\]; unexpected extra \[1\]; weight is \[3, 4\]"
    ):
        load_strict(model, {"weight": torch.zeros(3, 4), "extra": torch.zeros(1)}, "m.pt")


@pytest.mark.parametrize("wrapper", [None, "generator", "generator_ema", "state_dict"])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_checkpoints_may_be_wrapped_and_prefixed(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    state = {f"{prefix}weight": torch.ones(2, 2)}
    torch.save({wrapper: state, "step": 5} if wrapper else state, tmp_path / "model.pt")
    assert list(read_checkpoint(tmp_path / "model.pt")) == ["weight"]


class Unsafe:
    """An object that only free unpickling could bring back."""


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": Unsafe()}, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        read_checkpoint(tmp_path / "model.pt")


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_damaged_and_missing_files_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="no such weights file"):
        read_checkpoint(tmp_path / name)
    (tmp_path / name).write_bytes(b"not weights at all")
    with pytest.raises(WeightsError, match=name):
        read_checkpoint(tmp_path / name)
