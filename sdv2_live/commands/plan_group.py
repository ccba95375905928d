"""`sdv2-live plan` for several cards: which computes what, how long that takes, and whether it fits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sdv2_live import logs
from sdv2_live.commands.table import Table
from sdv2_live.errors import ConfigError, MemoryShortageError

if TYPE_CHECKING:
    from sdv2_live.config.schema import Config
    from sdv2_live.cost.cards import Card
    from sdv2_live.cost.group import Present
    from sdv2_live.memory.request import MemoryRequest
    from sdv2_live.ranks.partition import Partition

GB, GIB = 1e9, 1 << 30
UNKNOWN = "4090"  # by its figures ranks are balanced where only a card's memory is named


def cards_of(config: Config, wish: MemoryRequest, named: Sequence[Card] | None, memory: int | None) -> list[Present]:
    """The cards that are reckoned with: those named, so many of a size, or this machine's.

    Args:
        config: the configuration; model.gpus says how many.
        wish: the show.
        named: of --card.
        memory: of --gpu-memory, bytes.

    Raises:
        ConfigError: model.gpus and --card contradict each other.
        EngineError: this machine has no such card, or its cards do not go together.
    """
    from sdv2_live.cost.cards import known
    from sdv2_live.cost.group import Present, chosen, taking_part
    from sdv2_live.memory.budget import RESERVED
    from sdv2_live.model.load import choose_device

    gpus = config.model.gpus
    if named is None and memory is None:
        return taking_part(config, wish, choose_device(config.model.device))
    cards = list(named or filter(None, [known(UNKNOWN)]))
    count = len(gpus) if isinstance(gpus, tuple) else gpus or len(cards)
    if len(cards) == 1:
        cards *= count
    elif len(cards) != count:
        raise ConfigError(f"--card names {len(cards)} cards, and model.gpus {count}; leave one of them out")
    sizes = [memory or int(card.gigabytes * GIB) for card in cards]
    names = [card.name if named else f"{size / GIB:.0f} GB" for card, size in zip(cards, sizes, strict=True)]
    there = enumerate(zip(names, cards, sizes, strict=True))
    return chosen(
        count, [Present(i, name, card, size - RESERVED) for i, (name, card, size) in there], wish, dtype=config.model.dtype
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What the cards are reckoned for.

    Attributes:
        here: they are in this machine, where an autoencoder can be taken only if its weights are there.
        figures: their speed is known.
    """

    here: bool
    figures: bool


def run(config: Config, wish: MemoryRequest, cards: Sequence[Present], asked: Asked, *, as_json: bool) -> int:
    """Print what each card does, and return 0 when it fits, else 5."""
    from sdv2_live.cost.choice import choices, live
    from sdv2_live.cost.group import fps_of, grouped, settle, shortage
    from sdv2_live.memory.budget import lighter_vaes
    from sdv2_live.ranks.together import seen_together

    every = config.model.gpus is not None or not asked.here
    if asked.figures and wish.profile.files is not None:
        vaes, sizes = choices(config, config, wish)
        vaes = lighter_vaes(wish.profile, wish.vae) if config.model.vae == "auto" else vaes
        wish = live(fps_of(config, cards, every=every), wish, vaes=vaes, sizes=sizes)
    wish = settle(config, wish, cards, files=asked.here)
    found = grouped(cards, wish, every=every)
    if as_json:
        logs.say(json.dumps(_report(wish, cards, found, asked), indent=2))
    elif found is None:
        logs.say(shortage(wish, cards))
    else:
        _print(wish, cards, found, asked)
        if not every and len(found.ranks) > 1 and not seen_together([each.name for each in cards]):
            logs.say(
                "where the first card holds it alone, auto takes no other before sdv2-live doctor has seen them work together"
            )
    return 0 if found else MemoryShortageError.exit_code


def _report(wish: MemoryRequest, cards: Sequence[Present], found: Partition | None, asked: Asked) -> dict[str, Any]:
    from sdv2_live.commands.plan import settings
    from sdv2_live.cost.group import ring_of
    from sdv2_live.engine.spec import CHUNK_FRAMES

    told: dict[str, Any] = {"fits": found is not None, "settings": settings(wish)}
    if found is None:
        return told | {"free": [each.free for each in cards]}
    names = {each.number: each.name for each in cards}
    told["ranks"] = [
        {"rank": i, "gpu": rank.seat.card, "card": names[rank.seat.card], "stages": str(rank.part)}
        | ({"ms": round(rank.busy * 1e3, 1)} if asked.figures else {})
        | {"bytes": rank.bytes, "free": rank.seat.room}
        for i, rank in enumerate(found.ranks)
    ]
    if asked.figures:
        hop = ring_of(wish, [each.card for each in cards]).hop
        fps = CHUNK_FRAMES / found.period
        told["reckoned"] = {
            "fps": round(fps, 1), "latency_ms": round(found.latency * 1e3, 1), "hop_ms": round(hop * 1e3, 2),
        }  # fmt: skip
    return told


HEADS = {"rank": "rank", "gpu": "GPU", "card": "card", "stages": "stages", "ms": "ms a chunk", "bytes": "GB", "free": "GB free"}


def _print(wish: MemoryRequest, cards: Sequence[Present], found: Partition, asked: Asked) -> None:
    from sdv2_live.commands.plan import settings

    logs.say(", ".join(f"{name.partition('.')[2]} {value}" for name, value in settings(wish).items()))
    report = _report(wish, cards, found, asked)
    ranks = report["ranks"]
    rows = [[f"{cell / GB:.1f}" if key in ("bytes", "free") else cell for key, cell in row.items()] for row in ranks]
    Table({key: HEADS[key] for key in ranks[0]}, rows).print()
    taken = {rank.seat.card for rank in found.ranks}
    for each in cards:
        if each.number not in taken:
            logs.say(f"  {each} would gain nothing and stays free")
    if asked.figures:
        reckoned = report["reckoned"]
        logs.say(
            f"{reckoned['fps']:.0f} frames a second, {reckoned['latency_ms']:.0f} ms from a chunk's frames to its pictures, "
            f"{reckoned['hop_ms']:g} ms from card to card: reckoned, not measured"
        )
    else:
        logs.say("  stages are dealt out by rough figures; the first show measures them, and the next deals by what it measured")
    logs.say("fits")
