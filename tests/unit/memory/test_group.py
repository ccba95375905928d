"""What one card does not hold, several do: by the planner's own count."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sdv2_live.config.profiles import PROFILES
from sdv2_live.memory.budget import GIB, RESERVED, lighter_vaes, plan, smaller_sizes, ways
from sdv2_live.memory.group import fit_group, held, need_of, placed, remedy
from sdv2_live.memory.request import MemoryRequest
from sdv2_live.model.text.encoder import Placement
from sdv2_live.ranks.partition import Part

LARGE = PROFILES["14b"]
WISH = MemoryRequest(LARGE, "wan", (480, 832), torch.bfloat16, graphs=True, overlap=True)
BOTH = (Placement.GPU, Placement.CPU)


def rooms(count: int, gigabytes: int) -> list[int]:
    return [gigabytes * GIB - RESERVED] * count


@pytest.mark.parametrize(("count", "gigabytes", "graphs"), [(2, 24, False), (4, 16, True)])
def test_14b_fits_on_two_cards_of_24_and_four_of_16_gb_with_its_whole_picture(count: int, gigabytes: int, graphs: bool) -> None:
    assert held(WISH, rooms(1, gigabytes)) is None
    wish = placed(WISH, rooms(count, gigabytes), texts=BOTH)
    assert (wish.vae, wish.size, wish.fp8, wish.kv_frames) == ("wan", (480, 832), False, 6)
    assert (wish.text, wish.graphs) == (Placement.CPU, graphs)
    found = held(wish, rooms(count, gigabytes))
    assert found is not None
    assert len(found.ranks) == count
    for rank in found.ranks:
        assert rank.bytes == plan(replace(wish, part=rank.part)).total <= rank.seat.room
    assert sum(rank.part.blocks for rank in found.ranks) == LARGE.dit.layers


def test_a_single_rank_needs_what_one_card_needs() -> None:
    assert need_of(WISH)(Part(0, 40, encode=True, decode=True)) == plan(WISH).total


def test_cards_that_differ_hold_by_their_own_room() -> None:
    wish = replace(WISH, text=Placement.CPU, graphs=False, overlap=False)
    found = held(wish, [*rooms(1, 16), *rooms(1, 48)])
    assert found is not None
    assert all(rank.bytes <= rank.seat.room for rank in found.ranks)
    assert held(wish, rooms(2, 16)) is None


def test_what_does_not_fit_as_asked_is_made_to_fit() -> None:
    tries = list(ways(WISH, vaes=lighter_vaes(LARGE, "wan"), texts=BOTH, sizes=smaller_sizes(WISH.size), fp8=True))
    found = fit_group(tries, rooms(2, 16))
    assert found is not None
    assert (found.fp8, found.size) == (True, (480, 832))
    assert fit_group(tries, rooms(2, 8)) is None


def test_the_remedy_is_so_many_cards_of_that_size() -> None:
    assert remedy(WISH, 24 * GIB - RESERVED) == "two 24 GB cards hold it (model.gpus: 2)"
    assert remedy(WISH, 15 * GIB) == "four 16 GB cards hold it (model.gpus: 4)"
    assert remedy(WISH, 2 * GIB) == ""  # nor is there room for the autoencoder
    assert remedy(replace(WISH, vae="light"), 11 * GIB) == "six 12 GB cards hold it (model.gpus: 6)"
    assert remedy(replace(WISH, unified=True), 24 * GIB) == ""
    assert remedy(replace(WISH, size=(1088, 1920)), 4 * GIB) == ""


def test_more_cards_than_stages_hold_nothing() -> None:
    tiny = MemoryRequest(PROFILES["tiny"], "taehv", (256, 256), torch.bfloat16)
    assert held(tiny, rooms(7, 8)) is not None
    assert held(tiny, rooms(8, 8)) is None
