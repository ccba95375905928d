"""The grid that `tempo/quantise` names: where, in beats, discrete changes land."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from sdv2_live.music.tempo import Tempo

Quantise = Literal["none", "beat", "bar", "2bars", "4bars", "8bars"]
QUANTISES: tuple[str, ...] = get_args(Quantise)

_BARS: Mapping[str, int] = MappingProxyType({"bar": 1, "2bars": 2, "4bars": 4, "8bars": 8})


def grid_beats(quantise: str, beats_per_bar: int) -> int:
    """Beats from one boundary of the grid to the next; 0 for none."""
    return int(quantise == "beat") if quantise in ("none", "beat") else _BARS[quantise] * beats_per_bar


def next_boundary(tempo: Tempo, at_ns: int, grid_beats: float) -> tuple[float, int]:
    """The first boundary of the grid at or after a time: its count of beats, and its time in nanoseconds.

    Raises:
        ValueError: `grid_beats` is not above 0: where changes land at once, there is no boundary.
    """
    if not grid_beats > 0:
        raise ValueError(f"a grid of {grid_beats} beats has no boundaries")
    number = math.ceil(tempo.beat(at_ns) / grid_beats)
    at = tempo.time_at(number * grid_beats)
    if at < at_ns:  # beat() was rounded down onto the boundary just before
        number += 1
    return number * grid_beats, tempo.time_at(number * grid_beats)
