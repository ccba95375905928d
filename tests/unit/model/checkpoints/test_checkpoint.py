"""Checkpoint files: every form that is published, and every form of damage, told by file and key."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.checkpoint import INDEX, files_of, is_there, open_checkpoint, own_key, read_checkpoint

STATE = {"weight": torch.arange(6.0).reshape(2, 3), "deep.bias": torch.ones(3, dtype=torch.bfloat16)}


def save(state: object, path: Path) -> Path:
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)  # type: ignore[arg-type]
    return path


def sharded(folder: Path, changes: dict[str, object] | None = None) -> Path:
    save_file({"weight": STATE["weight"]}, folder / "m-1.safetensors")
    save_file({"deep.bias": STATE["deep.bias"]}, folder / "m-2.safetensors")
    weight_map = {"weight": "m-1.safetensors", "deep.bias": "m-2.safetensors"} | (changes or {})
    path = folder / f"m{INDEX}"
    path.write_text(json.dumps({"metadata": {"total_size": 30}, "weight_map": weight_map}))
    return path


def same(found: dict[str, torch.Tensor]) -> bool:
    return set(found) == set(STATE) and all(torch.equal(found[key], value) for key, value in STATE.items())


@pytest.mark.parametrize("name", ["m.pt", "m.pth", "m.safetensors"])
@pytest.mark.parametrize("prefix", ["", "model.", "module.", "module.model.", "model._fsdp_wrapped_module.", "_orig_mod."])
def test_every_form_and_prefix(tmp_path: Path, name: str, prefix: str) -> None:
    path = save({prefix + key: value for key, value in STATE.items()}, tmp_path / name)
    checkpoint = open_checkpoint(path)
    assert same(checkpoint.tensors)
    assert checkpoint.mapped
    assert files_of(path) == (path,)


@pytest.mark.parametrize(
    ("key", "own"),
    [
        ("model._fsdp_wrapped_module.blocks.3._checkpoint_wrapped_module.ffn.0.weight", "blocks.3.ffn.0.weight"),
        ("model.blocks.0.self_attn._fsdp_wrapped_module.q._orig_mod.weight", "blocks.0.self_attn.q.weight"),
        ("blocks.0.model.weight", "blocks.0.model.weight"),  # only at the beginning is it a wrapper's
        ("model", "model"),
    ],
)
def test_wrappers_are_taken_off_keys(key: str, own: str) -> None:
    assert own_key(key) == own


def test_of_several_state_dicts_the_one_that_streamdiffusionv2_takes(tmp_path: Path) -> None:
    other = {key: value + 1 for key, value in STATE.items()}
    content = {"state_dict": other, "generator_ema": other, "generator": STATE, "critic": other, "step": 7}
    assert same(read_checkpoint(save(content, tmp_path / "m.pt")))
    del content["generator"]
    assert torch.equal(read_checkpoint(save(content, tmp_path / "m.pt"))["weight"], other["weight"])


def test_the_member_that_a_profile_means_is_read(tmp_path: Path) -> None:
    other = {key: value + 1 for key, value in STATE.items()}
    path = save(
        {"generator": other, "generator_ema": {f"model._fsdp_wrapped_module.{key}": v for key, v in STATE.items()}},
        tmp_path / "m.pt",
    )
    assert same(open_checkpoint(path, member="generator_ema").tensors)
    assert torch.equal(open_checkpoint(path, member="generator").tensors["weight"], other["weight"])


def test_a_member_that_is_not_there_is_not_replaced_by_another(tmp_path: Path) -> None:
    path = save({"generator": STATE, "critic": STATE}, tmp_path / "m.pt")
    with pytest.raises(WeightsError, match=r"m\.pt: holds generator, not generator_ema, which is the one that its profile means"):
        open_checkpoint(path, member="generator_ema")


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors"])
def test_a_file_of_one_state_dict_has_no_members(tmp_path: Path, name: str) -> None:
    assert same(open_checkpoint(save(STATE, tmp_path / name), member="generator_ema").tensors)


def test_a_file_of_torch_before_1_6_is_read_without_mapping(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "m.pth", _use_new_zipfile_serialization=False)
    checkpoint = open_checkpoint(tmp_path / "m.pth")
    assert same(checkpoint.tensors)
    assert not checkpoint.mapped


def test_shards_are_one_checkpoint(tmp_path: Path) -> None:
    path = sharded(tmp_path)
    assert same(read_checkpoint(path))
    assert files_of(path) == (tmp_path / "m-1.safetensors", tmp_path / "m-2.safetensors")
    assert is_there(path)
    (tmp_path / "m-2.safetensors").unlink()
    assert not is_there(path)
    with pytest.raises(WeightsError, match=r"m-2\.safetensors: no such weights file, but m\.safetensors\.index\.json names it"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "name", ["../m-1.safetensors", "/etc/m.safetensors", "..", "", "a\\m.safetensors", "c:m.safetensors", "m-1.pt", 3, None]
)
def test_an_index_never_leads_out_of_its_folder(tmp_path: Path, name: object) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    save_file({"weight": STATE["weight"]}, tmp_path / "m-1.safetensors")
    path = sharded(folder, {"weight": name})
    with pytest.raises(WeightsError, match=r"index\.json: weight is said to be in .* no \.safetensors file of the same folder"):
        read_checkpoint(path)
    assert not is_there(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', "[" * 100_000, "\ufffd\x00"])
def test_a_damaged_index_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / f"m{INDEX}"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WeightsError, match=r"m\.safetensors\.index\.json"):
        read_checkpoint(path)
    assert not is_there(path)


def test_a_shard_with_other_keys_than_its_index_says(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"m-2\.safetensors: lacks further"):
        read_checkpoint(sharded(tmp_path, {"further": "m-2.safetensors"}))
    path = sharded(tmp_path)
    save_file(STATE, tmp_path / "m-2.safetensors")
    with pytest.raises(WeightsError, match=r"m-2\.safetensors: has besides its index weight"):
        read_checkpoint(path)


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors"])
def test_a_key_that_is_there_twice(tmp_path: Path, name: str) -> None:
    path = save({"weight": torch.ones(1), "model.weight": torch.ones(1)}, tmp_path / name)
    with pytest.raises(WeightsError, match=rf"{name}: holds weight twice, as (model\.)?weight and as (model\.)?weight"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"weight": torch.ones(1), "step": 5}, "step is a int and no plain tensor"),
        ({"generator": {"weight": torch.ones(1), "config": "x"}}, "config is a str and no plain tensor"),
        ({"weight": torch.ones(2, 2).to_sparse()}, "weight is a Tensor and no plain tensor"),
        ({7: torch.ones(1)}, "7 is a Tensor and no plain tensor"),
        ({"step": 5}, "holds no state dict"),
        ({}, "holds no state dict"),
        ([torch.ones(1)], "holds a list and no state dict"),
        (torch.ones(1), "holds a Tensor and no state dict"),
    ],
)
def test_what_is_no_state_dict_is_told(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(WeightsError, match=rf"m\.pt: {said}"):
        read_checkpoint(save(content, tmp_path / "m.pt"))


class Malicious:
    """Unpickled freely, it makes a file."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.system, (f"touch '{self.proof}'",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_does_not(tmp_path: Path, zipped: bool) -> None:
    proof, path = tmp_path / "proof", tmp_path / "m.pt"
    torch.save({"weight": Malicious(proof)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"m\.pt: cannot be read as weights .* damaged or unsafe"):
        read_checkpoint(path)
    path.write_bytes(pickle.dumps(Malicious(proof), protocol=2))
    with pytest.raises(WeightsError, match=r"m\.pt: cannot be read as weights"):
        read_checkpoint(path)
    assert not proof.exists()


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors", "old.pt"])
def test_a_file_cut_anywhere_is_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "old.pt":
        torch.save(STATE, path, _use_new_zipfile_serialization=False)
    else:
        save(STATE, path)
    whole = path.read_bytes()
    for part in range(0, 20):
        path.write_bytes(whole[: len(whole) * part // 20])
        with pytest.raises(WeightsError, match=name):
            read_checkpoint(path)


@pytest.mark.parametrize("name", ["m.pt", "m.safetensors"])
def test_a_file_with_any_byte_changed_is_read_or_told(tmp_path: Path, name: str) -> None:
    whole = save(STATE, tmp_path / name).read_bytes()
    for at in range(0, len(whole), 7):
        (tmp_path / name).write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with contextlib.suppress(WeightsError):
            read_checkpoint(tmp_path / name)
