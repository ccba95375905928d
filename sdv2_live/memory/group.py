"""Is there room on several cards? Each has its part of a show, and the parts are cut so that all fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sdv2_live.memory.budget import GIB, RESERVED, dit_parts, plan
from sdv2_live.memory.request import MemoryRequest
from sdv2_live.model.text.encoder import Placement
from sdv2_live.ranks.partition import Need, Part, Partition, Ring, Seat, StageTimes, partition

COMMON = (8, 12, 16, 24, 32, 48, 80, 96, 141)  # GB of cards
COUNTS = {2: "two", 3: "three", 4: "four", 6: "six", 8: "eight"}
ALIKE = StageTimes(0.0, 1.0, 0.0)  # where it is memory alone that counts


def need_of(wish: MemoryRequest) -> Need:
    """The bytes that any part of the request takes on its card."""
    known: dict[tuple[int, bool, bool], int] = {}

    def need(part: Part) -> int:
        kind = part.blocks, part.encode, part.decode
        if kind not in known:
            known[kind] = plan(of_rank(wish, part)).total
        return known[kind]

    return need


def of_rank(wish: MemoryRequest, part: Part) -> MemoryRequest:
    """A rank's part of a request; everything, as on one card, where it has all parts."""
    whole = part == Part(0, wish.profile.dit.layers, encode=True, decode=True)
    return wish if whole else replace(wish, part=part)


def held(wish: MemoryRequest, rooms: Sequence[int]) -> Partition | None:
    """A way to cut the request so that it fits on cards with so many bytes free; None where there is none."""
    if sum(dit_parts(wish).values()) > sum(rooms) or len(rooms) > wish.profile.dit.layers + 1:
        return None
    seats = [Seat(i, ALIKE, room) for i, room in enumerate(rooms)]
    return partition(seats, Ring(wish.profile.dit.layers, len(wish.steps)), need_of(wish))


def placed(wish: MemoryRequest, rooms: Sequence[int], *, texts: Sequence[Placement]) -> MemoryRequest:
    """The request without what costs no picture, as far as it must be given up: the text encoder's place, then CUDA graphs."""
    fast = dict.fromkeys(((wish.graphs, wish.overlap), (False, False)))
    tries = [replace(wish, graphs=graphs, overlap=overlap, text=text) for graphs, overlap in fast for text in texts]
    return fit_group(tries, rooms) or tries[-1]


def fit_group(tries: Iterable[MemoryRequest], rooms: Sequence[int]) -> MemoryRequest | None:
    """The first of the requests that fits on the cards; None where none does."""
    return next((wish for wish in tries if held(wish, rooms)), None)


def remedy(wish: MemoryRequest, free: int) -> str:
    """How many cards of the size that has `free` bytes hold what one does not; empty where none of COUNTS do."""
    size = next((size for size in COMMON if size * GIB >= free), None)
    if size is None or wish.unified:
        return ""
    asked = replace(wish, text=Placement.CPU, graphs=False, overlap=False)
    for count, word in COUNTS.items():
        if held(asked, [size * GIB - RESERVED] * count):
            return f"{word} {size} GB cards hold it (model.gpus: {count})"
    return ""
