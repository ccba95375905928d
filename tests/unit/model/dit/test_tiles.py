"""Tiles of a kernel over a card's multiprocessors, by hand-computed numbers."""

from __future__ import annotations

import pytest

from sdv2_live.model.dit.tiles import attention_tiles, best_splits, rounds

H100 = 132


def test_432x832_fills_an_h100_and_480x832_leaves_most_of_its_second_round() -> None:
    assert attention_tiles(27 * 52, 12) == 132  # 11 tiles of 128 queries a head
    assert rounds(132, H100) == 1
    assert attention_tiles(30 * 52, 12) == 156
    assert rounds(156, H100) == 2


@pytest.mark.parametrize(
    ("tokens", "kept", "splits"),
    [
        (30 * 52, 6, 5),  # 780 fifths of a tile take 6 rounds of a fifth in place of 2 whole ones
        (27 * 52, 6, 1),  # full already
        (30 * 52, 1, 1),  # so few keys that writing parts takes longer than the empty processors
    ],
)
def test_keys_are_split_where_that_fills_the_last_round(tokens: int, kept: int, splits: int) -> None:
    assert best_splits(tokens, kept * tokens, 12, 128, H100) == splits
