"""Digests of files of weights: what they tell apart, and what is the same however it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support.small_profile import SMALL, synthetic
from torch import Tensor

from sdv2_live.model.checkpoints.checkpoint import INDEX
from sdv2_live.model.checkpoints.digests import EVERY, digests
from sdv2_live.model.checkpoints.files import Files, file_names
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.load import dit_digests

PROFILE = replace(SMALL, files=Files(dit=file_names("dit/model.pt")))
STATE = synthetic(CausalDiT(PROFILE.dit))


def sharded(state: dict[str, Tensor], folder: Path) -> None:
    names = sorted(state)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, held in shards.items():
        save_file({name: state[name] for name in held}, folder / file)
    weight_map = {name: file for file, held in shards.items() for name in held}
    (folder / f"model{INDEX}").write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")


LAYOUTS: dict[str, Callable[[dict[str, Tensor], Path], None]] = {
    "safetensors": lambda state, folder: save_file(state, folder / "model.safetensors"),
    "shards": sharded,
    "pt": lambda state, folder: torch.save({"generator": state}, folder / "model.pt"),
    "a pt of old torch": lambda state, folder: torch.save(state, folder / "model.pt", _use_new_zipfile_serialization=False),
    "wider": lambda state, folder: save_file({name: x.double() for name, x in state.items()}, folder / "model.safetensors"),
}


def kept(state: dict[str, Tensor], folder: Path, layout: str = "safetensors", blocks: range | None = None) -> dict[str, str]:
    """Digests of a file of this layout."""
    (folder / "dit").mkdir(parents=True)
    LAYOUTS[layout](state, folder / "dit")
    return dit_digests(PROFILE, torch.float32, folder, blocks)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_model_in_another_layout_is_the_same(layout: str, tmp_path: Path) -> None:
    found = kept(STATE, tmp_path, layout)
    assert found == digests(STATE, {}, torch.float32)
    assert len(set(found.values())) == len(found)  # a tensor at another one's place is noticed


def test_a_rank_looks_at_its_own_blocks_and_at_what_is_no_block(tmp_path: Path) -> None:
    whole, part = kept(STATE, tmp_path / "whole"), kept(STATE, tmp_path / "part", blocks=range(1, 2))
    assert part == {name: each for name, each in whole.items() if not name.startswith("blocks.0.")}


def test_another_training_step_changes_all(tmp_path: Path) -> None:
    stepped = {name: value + 1e-5 * torch.randn_like(value) for name, value in STATE.items()}
    before, after = kept(STATE, tmp_path / "a"), kept(stepped, tmp_path / "b")
    assert all(before[name] != after[name] for name in before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_a_damaged_region_is_noticed_wherever_it_lies(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(2)
    whole = torch.randn(3, EVERY + 77, generator=generator).to(dtype)
    before, bits = digests({"w": whole}, {}, torch.bfloat16), torch.iinfo(torch.uint8)
    bytes_ = EVERY * dtype.itemsize
    for begin in [0, *torch.randint(whole.nbytes - bytes_, (20,), generator=generator).tolist(), whole.nbytes - bytes_]:
        damaged = whole.clone()
        region = damaged.view(torch.uint8).flatten()[begin : begin + bytes_]
        region.bitwise_xor_(torch.tensor(bits.max, dtype=torch.uint8))
        assert digests({"w": damaged}, {}, torch.bfloat16) != before, begin


def test_a_copy_whose_last_values_are_missing_is_noticed() -> None:
    whole = torch.ones(EVERY + 77)
    cut = whole.clone()
    cut[-3:] = 0
    assert digests({"w": cut}, {}, torch.float32) != digests({"w": whole}, {}, torch.float32)


def test_eight_bits_are_what_their_scale_makes_of_them() -> None:
    codes = torch.randn(8, 8).to(torch.float8_e4m3fn)
    found = [digests({"w": codes}, {id(codes): scale}, torch.bfloat16)["w"] for scale in (torch.tensor(2.0), torch.ones(8, 1))]
    assert len({*found, digests({"w": codes}, {}, torch.bfloat16)["w"]}) == 3
