"""A show on several cards: which take part, which computes what, and how fast that is reckoned to be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from sdv2_live.config.schema import Config
from sdv2_live.cost.cards import Card, by_properties
from sdv2_live.cost.links import between, boundary_bytes
from sdv2_live.cost.rate import stage_times
from sdv2_live.engine.spec import CHUNK_FRAMES, Schedule
from sdv2_live.errors import EngineError, MemoryShortageError
from sdv2_live.memory.budget import GB, changes
from sdv2_live.memory.fit import free_bytes, open_texts, open_ways, wish_of
from sdv2_live.memory.group import fit_group, held, need_of, placed, remedy
from sdv2_live.memory.request import MemoryRequest
from sdv2_live.model.dit.fp8 import CAPABILITY as FP8_FROM
from sdv2_live.model.load import choose_device, gpu_dtype
from sdv2_live.model.profiles import Profile
from sdv2_live.ranks.measured import Measured, recall, remember
from sdv2_live.ranks.partition import Partition, Ring, Seat, StageTimes, partition, worth_it
from sdv2_live.ranks.together import saw_together, seen_together

log = logging.getLogger("sdv2_live.ranks")

CPU = Card("CPU", (0, 0), 1, 0.1, 0.02, 0)  # one core, roughly: ranks are alike, and what they do is measured soon


@dataclass(frozen=True, slots=True)
class Present:
    """A card that can take a rank.

    Attributes:
        number: as CUDA counts them.
        name: as its driver has it.
        card: what it can do.
        free: bytes.
    """

    number: int
    name: str
    card: Card
    free: int

    def __str__(self) -> str:
        if self.card is CPU:
            return f"process {self.number}"
        major, minor = self.card.capability
        return f"GPU {self.number} ({self.name}, compute {major}.{minor})"


def chosen(gpus: int | tuple[int, ...] | None, there: Sequence[Present], wish: MemoryRequest, *, dtype: str) -> list[Present]:
    """The cards that model.gpus means, in the order of their ranks; of auto the first and, fastest first, what goes with it.

    Args:
        gpus: model.gpus.
        there: the machine's cards.
        wish: the show.
        dtype: model.dtype.

    Raises:
        EngineError: there is no such card, or they do not go together.
    """
    if gpus is None:
        fastest = [*there[:1], *sorted(there[1:], key=lambda each: -each.card.tflops)]  # the first is this process's own
        return [each for each in fastest if not list(_odds(fastest[0], each, wish, dtype))]
    wanted = list(gpus) if isinstance(gpus, tuple) else list(range(gpus))
    known = {each.number: each for each in there}
    if lacking := [number for number in wanted if number not in known]:
        raise EngineError(
            f"model.gpus = {_shown(gpus)}, but there is no GPU {', '.join(map(str, lacking))}: this machine has "
            f"{', '.join(map(str, there)) or 'none that torch can use'}; set model.gpus to what it has, or to auto"
        )
    cards = [known[number] for number in wanted]
    for other in cards[1:]:
        for odd in _odds(cards[0], other, wish, dtype):
            raise EngineError(odd)
    return cards


def present() -> list[Present]:
    """The machine's GPUs that torch can use."""
    found = []
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        free = int(torch.cuda.mem_get_info(number)[0])
        found.append(Present(number, properties.name, by_properties(properties), free))
    return found


def processes(count: int) -> list[Present]:
    """So many processes of this machine's CPU, which share its memory."""
    free = free_bytes(torch.device("cpu")) // count
    return [Present(number, "CPU", CPU, free) for number in range(count)]


def taking_part(config: Config, wish: MemoryRequest, device: torch.device) -> list[Present]:
    """The cards of this machine that model.gpus means, or processes on a CPU.

    Raises:
        EngineError: there is no such card, or they do not go together.
    """
    gpus = config.model.gpus
    if device.type == "cuda" or isinstance(gpus, tuple):
        return chosen(gpus, present(), wish, dtype=config.model.dtype)
    return processes(gpus or 1)


def fps_of(config: Config, cards: Sequence[Present], *, every: bool) -> Callable[[MemoryRequest], float]:
    """The reckoned frames a second of requests on these cards, once they are settled; 0 where there is no room."""

    def fps(wish: MemoryRequest) -> float:
        rooms = [each.free for each in cards]
        found = grouped(cards, placed(wish, rooms, texts=open_texts(config, wish)), every=every)
        return CHUNK_FRAMES / found.period if found else 0.0

    return fps


def planned(config: Config, profile: Profile) -> tuple[MemoryRequest, Partition]:
    """The settings that fit on the cards of this machine that model.gpus means, and who computes what.

    With model.fit the best that fit; else those of the configuration, and of what it leaves open the text encoder's place and
    CUDA graphs as far as there is room. Of `auto` it is one card, where that is enough, until several have been seen together.

    Raises:
        ConfigError: there are more cards than stages.
        EngineError: there is no such card, or they do not go together.
        MemoryShortageError: there is no room.
    """
    device = choose_device(config.model.device)
    wish = wish_of(config, profile, device)
    cards, every = taking_part(config, wish, device), config.model.gpus is not None
    if not every and len(cards) > 1 and not seen_together([each.name for each in cards]):
        settled = settle(config, wish, cards[:1])
        if (found := grouped(cards[:1], settled, every=False)) is not None:
            log.info(
                "this show takes one of %d GPUs: sdv2-live doctor tries whether they work together, and then auto takes more",
                len(cards),
            )
            return settled, found
    settled = settle(config, wish, cards)
    found = grouped(cards, settled, every=every)
    if found is None:
        raise MemoryShortageError(shortage(settled, cards))
    return settled, found


def settle(config: Config, wish: MemoryRequest, cards: Sequence[Present], *, files: bool = True) -> MemoryRequest:
    """The request with what the configuration leaves open so that it fits on the cards, if it can; files: see `open_ways`."""
    rooms = [each.free for each in cards]
    fp8 = all(each.card.capability >= FP8_FROM for each in cards)
    found = fit_group(open_ways(config, wish, fp8=fp8, files=files), rooms) if config.model.fit else None
    return found or placed(wish, rooms, texts=open_texts(config, wish))


def _odds(first: Present, other: Present, wish: MemoryRequest, dtype: str) -> Iterator[str]:
    """A sentence for each reason why two cards cannot share a model."""
    precise = [str(gpu_dtype(each.card.capability)).removeprefix("torch.") for each in (first, other)]
    if dtype == "auto" and precise[0] != precise[1]:
        yield (
            f"{first} computes in {precise[0]} and {other} in {precise[1]}, but all ranks need one precision: set model.dtype to "
            "fp16, or model.gpus to cards of one age"
        )
    if wish.fp8 and other.card.capability < FP8_FROM:
        yield f"model.fp8 needs compute capability 8.9, and {other} has less: set it to false, or leave that out of model.gpus"


def ring_of(wish: MemoryRequest, cards: Sequence[Card]) -> Ring:
    """The work of a show, and what its slowest link takes to pass a call on."""
    size = boundary_bytes(wish.profile.dit, wish.size, wish.dtype)
    hop = max((between(a, b).seconds(size) for a, b in pairwise(cards)), default=0.0)
    return Ring(wish.profile.dit.layers, len(wish.steps), wish.schedule is Schedule.SEQUENTIAL, hop)


def seats(cards: Sequence[Present], wish: MemoryRequest) -> list[Seat]:
    """The cards with the times of their stages: as measured where all were, else as reckoned."""
    seen = [recall(_measured(each.name, wish)) for each in cards]
    times = [known for known in seen if known is not None]
    if len(times) < len(cards):
        vae, dit = wish.vae if wish.profile.files else "tiny", wish.profile.dit
        times = [stage_times(each.card, dit, vae, wish.size, kv_frames=wish.kv_frames, fp8=wish.fp8) for each in cards]
    return [Seat(each.number, time, each.free, each.name) for each, time in zip(cards, times, strict=True)]


def learn(wish: MemoryRequest, found: Partition, calls: Sequence[float], encode: float, decode: float) -> None:
    """Keep what a running group has measured, for its next set-up.

    Args:
        wish: the show.
        found: who computes what.
        calls: seconds of one call of each rank's blocks; 0 where it has none, or has not said.
        encode: seconds of a chunk on the leader.
        decode: seconds of a chunk on the leader. A card that has not coded is taken to be as much slower as its blocks are.
    """
    ranks = found.ranks
    blocks = [call / rank.part.blocks if rank.part.blocks else 0.0 for call, rank in zip(calls, ranks, strict=True)]
    if not all(block for block, rank in zip(blocks, ranks, strict=True) if rank.part.blocks) or not encode or not decode:
        return
    saw_together([rank.seat.name for rank in ranks])
    planned_by = [rank.seat.times.block for rank in ranks]
    if not blocks[0]:  # the leader has none: by the others' and what was planned
        blocks[0] = sum(blocks) * planned_by[0] / sum(planned_by[1:])
    by_name: dict[str, list[float]] = {}
    for rank, block in zip(ranks, blocks, strict=True):
        by_name.setdefault(rank.seat.name, []).append(block)
    for name, seen in by_name.items():
        block = sum(seen) / len(seen)
        slower = 1.0 if name == ranks[0].seat.name else block / blocks[0]
        remember(_measured(name, wish), StageTimes(slower * encode, block, slower * decode))


def _measured(name: str, wish: MemoryRequest) -> Measured:
    precision = "fp8" if wish.fp8 else str(wish.dtype).removeprefix("torch.")
    return Measured(name, wish.profile.name, wish.vae, wish.size, precision, wish.kv_frames)


def grouped(cards: Sequence[Present], wish: MemoryRequest, *, every: bool) -> Partition | None:
    """Who computes what; None where there is no room.

    Args:
        cards: in the order of their ranks.
        wish: the show.
        every: all of these cards take part; else as many of the first as make it faster.

    Raises:
        ConfigError: there are more cards than stages.
    """
    ring, there = ring_of(wish, [each.card for each in cards]), seats(cards, wish)
    return (partition if every else worth_it)(there, ring, need_of(wish))


def shortage(wish: MemoryRequest, cards: Sequence[Present]) -> str:
    """The error's sentence where a show does not fit on several cards, with what helps."""
    height, width = wish.size
    rooms = ", ".join(f"{each.free / GB:.1f} GB on {each}" for each in cards)
    told = f"{wish.profile.name} at {height}x{width} does not fit on {len(cards)} cards, where there are free: {rooms}. "
    helps = [setting for setting, less in changes(wish) if held(less, [each.free for each in cards])]
    ways = [f"any of these makes room: {'; '.join(helps)}"] if helps else []
    ways += filter(None, [remedy(wish, min(each.free for each in cards))])
    return told + "; ".join([*ways, "sdv2-live plan --fit shows what fits"])


def _shown(gpus: int | tuple[int, ...]) -> str:
    return str(list(gpus)) if isinstance(gpus, tuple) else str(gpus)
