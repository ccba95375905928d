"""Rings of known cards, by reckoned times: ours from one to eight cards, and StreamDiffusionV2's own four H100."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from sdv2_live.chunk import AHEAD
from sdv2_live.config.profiles import PROFILES
from sdv2_live.cost.cards import Card, known
from sdv2_live.cost.group import Present, grouped
from sdv2_live.cost.links import boundary_bytes, latent_bytes, link_of
from sdv2_live.cost.rate import SERVER, call_seconds
from sdv2_live.engine.spec import CHUNK_FRAMES, Schedule
from sdv2_live.gpu.geometry import Size
from sdv2_live.memory.budget import GIB, RESERVED
from sdv2_live.memory.group import placed
from sdv2_live.memory.request import MemoryRequest
from sdv2_live.model.text.encoder import Placement
from sdv2_live.ranks import partition as parts
from simulate_ranks.model import Ring, Run, settled, simulate, stages

NAMES = ("H100", "RTX 4090", "RTX 5090")
COUNTS = (1, 2, 3, 4, 6, 8)
SIZE = (480, 832)
STOPS = 1.05  # a ring goes on to scale while the next larger one is faster by more than this


@dataclass(frozen=True, slots=True)
class Row:
    """A ring of so many cards, None where the model does not fit. latency: seconds of a chunk alone on the ring."""

    count: int
    fps: float
    latency: float
    shares: tuple[float, ...]


def card_of(name: str) -> Card:
    """The card of that name."""
    card = known(name)
    assert card is not None, name
    return card


def ring_of(card: Card, wish: MemoryRequest, found: parts.Partition) -> Ring:
    """The ring that a partition is, with what passes on its links."""
    dit, link = wish.profile.dit, link_of(card)
    calls = [rank.part.blocks * rank.seat.times.block for rank in found.ranks]
    times = found.ranks[0].seat.times
    decoder = next(i for i, rank in enumerate(found.ranks) if rank.part.decode)
    several = len(found.ranks) > 1
    return Ring(
        stages(calls, times.encode, times.decode, decoder),
        len(wish.steps),
        wish.schedule is Schedule.SEQUENTIAL,
        link.seconds(boundary_bytes(dit, wish.size, wish.dtype)) if several else 0.0,
        link.seconds(latent_bytes(dit, wish.size)) if several else 0.0,
        link.latency,
        in_turn=True,
    )


def row_of(ring: Ring) -> Row:
    """What a ring does with as many chunks in flight as this program has; stream_batch shows a chunk some chunks later."""
    run = simulate(ring, AHEAD + (0 if ring.alone else ring.steps - 1))
    latency = simulate(replace(ring, in_turn=False), 1, 8).latency
    return Row(len(ring.ranks), CHUNK_FRAMES / run.period, latency, tuple(run.shares))


def rows(name: str, model: str, vae: str, schedule: Schedule, *, steps: int = 2, size: Size = SIZE) -> Iterator[Row | None]:
    """Rings of COUNTS cards; None where the model does not fit on so many."""
    card, profile = card_of(name), PROFILES[model]
    nominal = (700, 600, 500, 400)[:steps]
    wish = MemoryRequest(profile, vae, size, torch.bfloat16, nominal, text=Placement.CPU, graphs=True, overlap=True)
    wish = replace(wish, schedule=schedule)
    for count in COUNTS:
        cards = [Present(i, name, card, int(card.gigabytes * GIB) - RESERVED) for i in range(count)]
        settled_wish = placed(wish, [each.free for each in cards], texts=(Placement.CPU,))
        found = grouped(cards, settled_wish, every=True)
        yield row_of(ring_of(card, settled_wish, found)) if found else None


def passed(name: str) -> str:
    """What passes on a card's link in a call of `1.3b` and of `14b`, in words."""
    link = link_of(card_of(name))
    sizes = [boundary_bytes(PROFILES[model].dit, SIZE, torch.bfloat16) for model in ("1.3b", "14b")]
    return f"{name}: {link.name}, " + ", ".join(f"{size / 1e6:.1f} MB in {link.seconds(size) * 1e3:.2f} ms" for size in sizes)


def stops(found: Sequence[Row | None]) -> int:
    """The number of cards after which more of them gain little."""
    there = [row for row in found if row]
    last = there[0]
    for row in there[1:]:
        if row.fps > STOPS * last.fps:
            last = row
    return last.count


@dataclass(frozen=True, slots=True)
class Published:
    """A rate that StreamDiffusionV2's authors have published of four H100 with NVLink: arXiv 2511.07399, abstract and 5.2.2."""

    model: str
    size: Size
    steps: int
    fps: float
    note: str = ""


PUBLISHED = (
    Published("1.3b", (512, 512), 1, 64.52, "the abstract's; 61.57 in its section 5.2.2"),
    Published("1.3b", (480, 832), 1, 42.26),
    Published("1.3b", (480, 832), 4, 40.0, "more than 40"),
    Published("14b", (512, 512), 1, 58.28),
    Published("14b", (480, 832), 1, 39.24),
    Published("14b", (512, 512), 4, 31.62, "with more steps; size and number not told, four at 512x512 assumed"),
)

# The Wan autoencoder as those authors run it, operation by operation, as counted: 10^12 operations and 10^9 bytes of encoding and
# decoding a chunk. Kernels follow each other, so that neither hides the other.
EAGER = {(512, 512): ((5.27, 33.0), (8.88, 57.0)), (480, 832): ((8.05, 50.0), (13.55, 87.0))}


def eager(card: Card, size: Size) -> tuple[float, float]:
    """Seconds of encoding and decoding a chunk in eager mode."""
    arithmetic, memory = SERVER.convolution * card.tflops * 1e12, SERVER.memory * card.bandwidth * 1e12
    encode, decode = (flops * 1e12 / arithmetic + moved * 1e9 / memory for flops, moved in EAGER[size])
    return encode, decode


def reference(case: Published) -> tuple[Ring, Run]:
    """Their ring: the first of four ranks encodes, the last decodes, and each step has a cache of its own."""
    card, dit = card_of("H100"), PROFILES[case.model].dit
    encode, decode = eager(card, case.size)
    block = call_seconds(card, dit, case.size, 6) / dit.layers
    link = link_of(card)
    hop = link.seconds(boundary_bytes(dit, case.size, torch.bfloat16))
    seats = [parts.Seat(i, parts.StageTimes(encode, block, decode), 1) for i in range(4)]
    shape = parts.Ring(dit.layers, case.steps, alone=False, hop=hop, apart=True)
    found = parts.partition(seats, shape, lambda part: 2 if (part.encode and part.decode) or not part.blocks else 1)
    assert found is not None
    ring = Ring(
        stages([rank.part.blocks * block for rank in found.ranks], encode, decode, 3),
        case.steps, False, hop, link.seconds(latent_bytes(dit, case.size)), link.latency,
    )  # fmt: skip
    return ring, settled(ring)[1]
