"""What a rank takes of the memory: its blocks, their caches and graphs, and the autoencoder where it has it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sdv2_live.config.profiles import PROFILES
from sdv2_live.engine.spec import Schedule
from sdv2_live.memory.budget import LIBRARY, PASSING, plan
from sdv2_live.memory.footprint import _fixed_need, fixed_need
from sdv2_live.memory.request import MemoryRequest
from sdv2_live.model.text.encoder import Placement
from sdv2_live.ranks.partition import Part

LARGE = PROFILES["1.3b"]
WISH = MemoryRequest(LARGE, "wan", (480, 832), torch.bfloat16, text=Placement.CPU, graphs=True, overlap=True)


def of(part: Part, wish: MemoryRequest = WISH) -> dict[str, int]:
    return plan(replace(wish, part=part)).parts


@pytest.mark.parametrize("schedule", Schedule)
def test_blocks_and_caches_of_all_ranks_are_those_of_one_card(schedule: Schedule) -> None:
    wish = replace(WISH, schedule=schedule)
    whole = plan(wish).parts
    ranks = [of(part, wish) for part in (Part(0, 8, encode=True), Part(8, 20), Part(20, 30, decode=True))]
    for name in ("key/value caches", "prompt", "second prompt"):
        assert sum(rank[name] for rank in ranks) == whole[name]
    beside = fixed_need(LARGE, WISH.dtype).weights - 30 * _layer()  # embeddings and head, on each
    assert sum(rank["transformer weights"] for rank in ranks) == whole["transformer weights"] + 2 * beside
    assert _layer() > beside


def _layer() -> int:
    two, three = (fixed_need(replace(LARGE, dit=replace(LARGE.dit, layers=n)), WISH.dtype).weights for n in (2, 3))
    return three - two


def test_the_autoencoder_is_where_it_works() -> None:
    middle, first, last = of(Part(8, 20)), of(Part(0, 8, encode=True)), of(Part(20, 30, decode=True))
    for name in ("autoencoder weights", "autoencoder memory"):
        assert middle[name] == 0 < first[name] == last[name] == plan(WISH).parts[name]
    assert middle["frames"] == last["frames"] == 0 < first["frames"]
    assert middle["CUDA graphs"] < first["CUDA graphs"]
    text = [of(part, replace(WISH, text=Placement.GPU))["text encoder"] for part in (Part(0, 8, encode=True), Part(8, 30))]
    assert text[1] == 0 < text[0]


def test_a_rank_of_the_autoencoder_alone_has_nothing_of_the_transformer() -> None:
    alone = of(Part(0, 0, encode=True, decode=True))
    assert alone["transformer weights"] == alone["key/value caches"] == alone["prompt"] == 0
    assert alone["autoencoder memory"] == plan(WISH).parts["autoencoder memory"]


def test_neighbours_have_buffers_for_each_other() -> None:
    tokens = 30 * 52
    assert plan(WISH).parts["other ranks"] == 0
    assert of(Part(0, 8, encode=True))["other ranks"] == LIBRARY + PASSING * tokens * 1536 * 2


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 9, 30])
def test_layers_take_what_a_model_of_so_many_takes(layers: int) -> None:
    profile = replace(LARGE, dit=replace(LARGE.dit, layers=layers))
    assert fixed_need(profile, WISH.dtype) == _fixed_need(profile.dit, WISH.dtype)
