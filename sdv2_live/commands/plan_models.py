"""`sdv2-live plan --models`: every model side by side, as it was trained: memory, speed, delay, licence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sdv2_live import logs
from sdv2_live.commands.table import Table
from sdv2_live.config.profiles import known_profiles
from sdv2_live.model.profiles import Profile

if TYPE_CHECKING:
    from sdv2_live.config.schema import Config
    from sdv2_live.cost.cards import Card

GB = 1e9
USUAL = ("RTX 4090", "H100")
INPUTS = (30, 16)  # frames a second that come in: of a camera, and of what the family was trained with
HEADS = {
    "model": "model", "trained_for": "trained for", "memory_gb": "memory", "memory_fp8_gb": "in 8 bits", "fps": "frames a second",
    **{f"delay_{fps}_s": f"delay at {fps} fps in" for fps in INPUTS}, "licence": "licence",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One model. Memory in bytes, in 16 and in 8 bits; frames a second and delays (seconds) by card, as reckoned."""

    profile: Profile
    memory: int
    eight: int
    fps: dict[str, float]
    delays: tuple[dict[str, float], ...]


def rows(config: Config, profiles: Iterable[Profile], cards: Sequence[Card]) -> list[Row]:
    """The models that have files, at the configured size, with the configured autoencoder and the text encoder in RAM."""
    import torch

    from sdv2_live.cost.choice import rate_of
    from sdv2_live.memory.budget import plan
    from sdv2_live.memory.fit import wish_of
    from sdv2_live.model.text.encoder import Placement

    found = []
    for profile in profiles:
        if profile.files is None:
            continue
        wish = wish_of(config, profile, torch.device("cpu"))
        vae = profile.vae if config.model.vae == "auto" else config.model.vae
        wish = replace(
            wish, vae=vae, dtype=torch.bfloat16, unified=False, graphs=True, overlap=True, text=Placement.CPU, fp8=False
        )
        rates = {card.name: rate_of(card, wish) for card in cards}
        delays = tuple({name: rate.latency(fps) for name, rate in rates.items()} for fps in INPUTS)
        sizes = plan(wish).total, plan(replace(wish, fp8=True)).total
        found.append(Row(profile, *sizes, {name: rate.fps for name, rate in rates.items()}, delays))
    return found


def run(config: Config, cards: Sequence[Card], *, as_json: bool, markdown: bool) -> int:
    """Print the table and return 0. cards: those to reckon for; none: two that many know."""
    from sdv2_live.cost.cards import known

    cards = cards or [card for name in USUAL if (card := known(name)) is not None]
    profiles, _ = known_profiles(config.model.profiles_dir)
    found = rows(config, profiles.values(), cards)
    if markdown:
        logs.say(table(found))
        return 0
    cells = [_cells(row, as_json=as_json) for row in found]
    Table(HEADS, cells, wraps=("trained_for", "licence"), title="models, reckoned, not measured").print(as_json=as_json)
    return 0


def table(found: Sequence[Row]) -> str:
    """The table in Markdown."""
    lines = [f"| {' | '.join(HEADS.values())} |", f"|{'---|' * len(HEADS)}"]
    for row in found:
        cells = (" / ".join(cell.values()) if isinstance(cell, dict) else cell for cell in _cells(row)[1:])
        lines.append(f"| `{row.profile.name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(row: Row, *, as_json: bool = False) -> tuple[Any, ...]:
    profile = row.profile
    lead, sizes = (profile.name, profile.trained_for), (row.memory / GB, row.eight / GB)
    if as_json:
        reckoned = ({card: round(value, 3) for card, value in each.items()} for each in (row.fps, *row.delays))
        return (*lead, *(round(size, 2) for size in sizes), *reckoned, str(profile.licence))
    fps = {card: f"{value:.0f}" for card, value in row.fps.items()}
    delays = ({card: f"{seconds:.2f} s" for card, seconds in delay.items()} for delay in row.delays)
    return (*lead, *(f"{size:.1f} GB" for size in sizes), fps, *delays, profile.licence.short)
