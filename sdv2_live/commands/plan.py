"""`sdv2-live plan`: how much memory the show takes with this configuration, what saves how much, and how fast it will be.

Nothing is loaded and no weights need to be there. --gpu-memory reckons for a card of that size, of which 1 GB is left to the
driver and the desktop; else the free memory of this machine's GPU (or RAM) counts. --fit shows the best settings that fit.
Weights, caches and prompts (two: one gives way to the next) are exact; a stage's peak is an upper bound, and what CUDA graphs
keep is estimated from it; figures for GPUs have not been measured on one. --card names a card that need not be in this
machine; several, such as 4090,3090, or --gpus, are a group, and what each of them computes is shown. Frames a second are
reckoned from the card's figures: public programs reach 0.7 to 0.85 of what is reckoned for them.
Where model.vae or video.size is auto, `run` takes what is reckoned to reach 25 frames a second.
The exit code is 5 when it does not fit.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from sdv2_live import logs
from sdv2_live.commands import plan_group, plan_models
from sdv2_live.commands.options import add_config_options, add_model_options, configured
from sdv2_live.commands.table import SECTION, Table
from sdv2_live.errors import MemoryShortageError

if TYPE_CHECKING:
    from sdv2_live.config.schema import Config
    from sdv2_live.cost.cards import Card
    from sdv2_live.memory.budget import Budget
    from sdv2_live.memory.request import MemoryRequest

CARDS = (24, 16, 12, 8)  # GB, of --markdown
MODELS = ("1.3b", "14b")
GROUPS = (2, 4)
GB, GIB = 1e9, 1 << 30


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the `plan` command to an argparse subparser group; its `run` is set as the default `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "plan", help="how much memory a show takes, and what saves how much", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_config_options(parser)
    add_model_options(parser)
    parser.add_argument("--gpu-memory", type=_card, metavar="SIZE", help="reckon for a card of so much, such as 16GB")
    parser.add_argument("--card", type=_known, metavar="NAME", help="reckon for this card, such as 4090, or these: 4090,3090")
    parser.add_argument("--size", metavar="HEIGHTxWIDTH", help="picture size (video.size)")
    parser.add_argument("--vae", metavar="NAME", help="autoencoder: wan, light, taehv or lighttae (default: model.vae)")
    parser.add_argument("--models", action="store_true", help="all models side by side, on --card or two usual ones")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print the manual's table of cards, or of models")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the plan and return 0 when it fits (or nothing is known to fit into), else 5."""
    if args.models:
        config = configured(args, video__size=args.size, model__vae=args.vae)
        return plan_models.run(config, args.card or (), as_json=args.json, markdown=args.markdown)
    if args.markdown:
        logs.say(markdown())
        return 0
    from sdv2_live.memory.budget import plan, savings
    from sdv2_live.memory.fit import affordable

    config = configured(args, video__size=args.size, model__vae=args.vae)
    memory, named = args.gpu_memory, args.card
    wish, free = _wish(config, int(named[0].gigabytes * GIB) if named and memory is None else memory)
    cards = plan_group.cards_of(config, wish, named, memory)
    if len(cards) > 1:
        how = plan_group.Asked(here=not (named or memory), figures=bool(named) or not (memory or wish.unified))
        return plan_group.run(config, wish, cards, how, as_json=args.json)
    card = named[0] if named else (_present(config) if memory is None else None)
    if card is not None and wish.profile.files is not None:
        wish = _live(config, card, wish)
    got = _best(config, wish, free) if config.model.fit else plan(affordable(wish, free))
    fits = got is not None and got.total <= free
    shown = got or plan(wish)
    if args.json:
        logs.say(json.dumps(_report(shown, free, fits) | _speed(card, shown.wish), indent=2))
    else:
        _print(shown, wish, free, fits)
        _print_speed(card, shown.wish)
        if not fits:
            for way in savings(wish):
                logs.say(f"  {way.setting} saves {way.bytes / GB:.1f} GB")
    return 0 if fits else MemoryShortageError.exit_code


def markdown() -> str:
    """The manual's table: what --fit chooses on cards of common sizes, for models whose every setting is auto."""
    import torch

    from sdv2_live.config.profiles import PROFILES
    from sdv2_live.memory.budget import RESERVED, fit, lighter_vaes, smaller_sizes, ways
    from sdv2_live.memory.group import fit_group
    from sdv2_live.memory.request import MemoryRequest
    from sdv2_live.model.text.encoder import Placement

    lines = [
        "| card | model | text encoder | CUDA graphs | autoencoder | size | cache | linear layers | memory | 2 cards | 4 cards |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for card in CARDS:
        for name in MODELS:
            profile, room = PROFILES[name], card * GIB - RESERVED
            wish = MemoryRequest(profile, profile.vae, (480, 832), torch.bfloat16, graphs=True, overlap=True)
            tries = list(
                ways(
                    wish, vaes=lighter_vaes(profile, wish.vae), sizes=smaller_sizes(wish.size),
                    texts=(Placement.GPU, Placement.CPU), fp8=True,
                )
            )  # fmt: skip
            best = fit(tries, room)
            groups = [fit_group(tries, [room] * count) for count in GROUPS]
            cells = (*_cells(best), *(_kept(group) for group in groups))
            lines.append(f"| {card} GB | `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(best: Budget | None) -> tuple[str, ...]:
    if best is None:
        return ("does not fit", *[""] * 6)
    got = best.wish
    return (
        got.text.value, "yes" if got.graphs else "no", f"`{got.vae}`", "{}x{}".format(*got.size),
        f"{got.kv_frames} frames", _bits(got), f"{best.total / GB:.1f} GB",
    )  # fmt: skip


def _kept(got: MemoryRequest | None) -> str:
    """The settings of a group in one cell."""
    if got is None:
        return "does not fit"
    graphs = "graphs" if got.graphs else "no graphs"
    return f"`{got.vae}`, {'{}x{}'.format(*got.size)}, {got.kv_frames} frames, {_bits(got)}, {graphs}"


def _bits(wish: MemoryRequest) -> str:
    return "8 bits" if wish.fp8 else "16 bits"


def _wish(config: Config, card: int | None) -> tuple[MemoryRequest, int]:
    """The memory request, and the bytes available."""
    import torch

    from sdv2_live.config.profiles import find_profile
    from sdv2_live.memory.budget import RESERVED
    from sdv2_live.memory.fit import chosen_placement, free_bytes, wish_of
    from sdv2_live.model.load import choose_device
    from sdv2_live.pipeline.build import chosen_profile

    if card is None:
        device = choose_device(config.model.device)
        chosen, free = chosen_profile(config), free_bytes(device)
        wish = wish_of(config, chosen, device)
        return (wish if config.model.fit else replace(wish, text=chosen_placement(config, chosen, device, free))), free
    chosen = find_profile("1.3b" if config.model.profile == "auto" else config.model.profile, config.model.profiles_dir)
    wish = wish_of(config, chosen, torch.device("cpu"))  # as on a card, which need not be in this machine
    dtype = torch.bfloat16 if config.model.dtype == "auto" else wish.dtype
    engine = config.engine
    wish = replace(wish, dtype=dtype, unified=False, graphs=engine.cuda_graphs == "auto", overlap=engine.overlaps)
    return wish, card - RESERVED


def _present(config: Config) -> Card | None:
    """The card of this machine, where the model runs on one."""
    from sdv2_live.cost.cards import card_of
    from sdv2_live.model.load import choose_device

    device = choose_device(config.model.device)
    return card_of(device) if device.type == "cuda" else None


def _live(config: Config, card: Card, wish: MemoryRequest) -> MemoryRequest:
    """The request as `run` has it on that card. Files need not be there: any autoencoder may be taken that is left open."""
    from sdv2_live.cost.choice import choices, fps_on, live
    from sdv2_live.memory.budget import lighter_vaes

    vaes, sizes = choices(config, config, wish)
    return live(
        fps_on(card), wish, vaes=lighter_vaes(wish.profile, wish.vae) if config.model.vae == "auto" else vaes, sizes=sizes
    )


def _speed(card: Card | None, wish: MemoryRequest) -> dict[str, Any]:
    """The reckoned rate, as --json tells it."""
    from sdv2_live.cost.choice import rate_of

    if card is None or wish.profile.files is None:
        return {}
    rate = rate_of(card, wish)
    return {
        "reckoned": {"card": card.name, "fps": round(rate.fps, 1), "denoise_ms": round(rate.denoise * 1e3, 1)}
        | {"vae_ms": round(rate.vae * 1e3, 1)}
    }


def _print_speed(card: Card | None, wish: MemoryRequest) -> None:
    from sdv2_live.cost.choice import fuller, told

    if card is not None and wish.profile.files is not None:
        logs.say(told(card, wish))
        if other := fuller(card, wish):
            logs.say(f"  {other}")


def _best(config: Config, wish: MemoryRequest, free: int) -> Budget | None:
    from sdv2_live.memory.budget import fit
    from sdv2_live.memory.fit import open_ways

    return fit(open_ways(config, wish, fp8=not wish.unified, files=False), free)


def _report(plan: Budget, free: int, fits: bool) -> dict[str, Any]:
    from sdv2_live.memory.budget import savings

    wish = plan.wish
    return {
        "fits": fits,
        "free": free,
        "total": plan.total,
        "parts": plan.parts,
        "settings": settings(wish),
        "savings": [asdict(way) for way in savings(wish)],
    }


def settings(wish: MemoryRequest) -> dict[str, Any]:
    """The settings that a plan is for, by their keys."""
    return {
        "model.profile": wish.profile.name,
        "model.vae": wish.vae,
        "model.text_encoder": wish.text.value,
        "model.fp8": wish.fp8,
        "model.dtype": str(wish.dtype).removeprefix("torch."),
        "video.size": "{}x{}".format(*wish.size),
        "engine.kv_frames": wish.kv_frames,
        "engine.sink_frames": wish.sink_frames,
        "engine.schedule": wish.schedule.value,
        "engine.cuda_graphs": "auto" if wish.graphs else "off",
        "engine.overlap": "on" if wish.overlap else "off",
        "params.steps": list(wish.steps),
    }


def _print(plan: Budget, asked: MemoryRequest, free: int, fits: bool) -> None:
    from sdv2_live.memory.fit import differences

    told = ", ".join(f"{name.partition('.')[2]} {value}" for name, value in settings(plan.wish).items())
    parts = [(part, f"{size / GB:.2f}") for part, size in plan.parts.items() if size]
    sums = [("together", f"{plan.total / GB:.2f}"), ("free", f"{free / GB:.2f}")]
    logs.say(told)
    Table({"part": "part", "size": "GB"}, [*parts, SECTION, *sums]).print()
    for change in differences(asked, plan.wish):
        logs.say(f"  {change}")
    if plan.parts["CUDA graphs"]:
        logs.say("  what CUDA graphs keep is an estimate; engine.cuda_graphs: off does without, at some speed")
    logs.say("fits" if fits else f"{(plan.total - free) / GB:.1f} GB too little")


def _known(text: str) -> list[Card]:
    from sdv2_live.cost.cards import CARDS, known

    cards = [(name, known(name)) for name in text.split(",")]
    if odd := [name for name, card in cards if card is None]:
        raise argparse.ArgumentTypeError(f"{odd[0]} is not one of the known cards: {', '.join(card.name for card in CARDS)}")
    return [card for _, card in cards if card]


def _card(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:GB|GiB|G)?", text.strip(), re.IGNORECASE)
    if match is None or not 1 <= float(match[1]) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text} is not a card's memory, such as 16GB")
    return int(float(match[1]) * GIB)
