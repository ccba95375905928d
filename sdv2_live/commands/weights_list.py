"""What `sdv2-live weights list` shows: the models, how each streams and what it may be used for, and their files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sdv2_live import logs
from sdv2_live.commands.table import SECTION, Table
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.model.profiles import Profile

GB = 1e9
COLOURS = {"verified": "green", "damaged": "red"}
SHARED = "all"  # in the column of models: every one that has files


def show_profiles(profiles: Iterable[Profile], *, as_json: bool) -> None:
    """Print a row for each model."""
    if as_json:
        whole = [_whole(profile) for profile in profiles]
        Table({key: key for key in whole[0]}, [tuple(each.values()) for each in whole]).print(as_json=True)
        return
    names = ("model", "trained for", "latents", "steps", "window", "positions", "licence")
    rows = [_short(profile) for profile in profiles]
    wraps = ("trained for", "steps", "window", "licence")
    Table({name: name for name in names}, rows, wraps=wraps, title="models").print()


def _whole(profile: Profile) -> dict[str, Any]:
    """All that tells a model from others, for JSON."""
    files = profile.files
    return {
        "model": profile.name,
        "title": profile.title,
        "trained_for": profile.trained_for,
        "licence": asdict(profile.licence),
        "stream": asdict(profile.stream),
        "params": profile.suited,
        "weights": files and {"file": files.dit[0], "origins": files.origins, "member": files.member or "auto"},
        "lora": files and files.lora and asdict(files.lora),
    }


def _short(profile: Profile) -> tuple[str, ...]:
    kind = profile.stream
    start = profile.suited.get("steps", Params().steps)
    steps = _steps(start) + (f"; from noise alone {_steps(kind.steps)}" if kind.steps != start else "")
    first = f"; first {_steps(kind.first_steps)}" if kind.first_steps else ""
    past = "" if kind.attention_bias == 1 else f", the past weighs {kind.attention_bias:g}"
    context = "no context pass" if kind.context_t is None else f"context pass at {kind.context_t:g}"
    context = context if kind.recompute is None else f"{kind.recompute} latents recomputed"
    latents = f"{kind.block}, {'normalised' if kind.normalize_latents else 'raw'}"
    end = f" to {kind.rope_refresh_frame}" if kind.positions == "absolute" else ""
    return (
        profile.name,
        profile.trained_for,
        latents,
        f"{steps}{first}; shift {kind.shift:g}{', warped' if kind.warp else ''}",
        f"{kind.window}, {kind.sinks} sinks; {context}{past}",
        f"{kind.positions}{end}",
        profile.licence.short,
    )


def _steps(steps: Sequence[int]) -> str:
    return ", ".join(map(str, steps))


def show_files(config: Config, profiles: Iterable[Profile], *, as_json: bool) -> None:
    """Print a row for each file that a model needs, or can use."""
    from sdv2_live.weights.catalog import all_files, needed
    from sdv2_live.weights.local import Folder

    folder, some = Folder(config.model.weights_dir), [profile for profile in profiles if profile.files is not None]
    default = {file for profile in some for file in needed(profile)}
    files = all_files(some)
    rows: list[tuple[Any, ...]] = []
    styles: dict[int, str] = {}
    for file in sorted(files, key=lambda one: not one.own):
        if not file.own and SECTION not in rows:
            rows.append(SECTION)
        state = folder.state(file)
        shown = state if state != "missing" or file in default else "missing (optional)"
        path = folder.found(file)
        name = path.relative_to(folder.path).as_posix() if path is not None else file.name
        styles[len(rows)] = COLOURS.get(state, "")
        size, origin = folder.size(file), str(file.origins[0]) if file.origins else ""
        part = f"{file.part} {file.kind}" if file.part in ("vae", "text") else file.part
        if file.part == "dit" and not as_json:
            part = f"{part} {_member(files[file])}".rstrip()
        rows.append((files[file].name if file.own else SHARED, part, name, size if as_json else _size(size), shown, origin))
    heads = {name: name for name in ("profile", "part", "file", "size", "state", "from")}
    Table(heads, rows, wraps=("from",), title=str(folder.path), styles=styles).print(as_json=as_json)
    if sys.stdout.isatty():
        logs.say("tiny is part of sdv2-live. A size of '?' is asked of the server. Fetch with: sdv2-live weights download")


def _member(profile: Profile) -> str:
    """Which of the models in the file is meant; empty where the first is."""
    return (profile.files and profile.files.member) or ""


def _size(size: int | None) -> str:
    return "?" if size is None else f"{size / GB:.2f} GB" if size >= GB / 10 else f"{size / 1e6:.1f} MB"
