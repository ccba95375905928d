"""`sdv2-live presets`: list, show and check preset files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sdv2_live.commands.options import add_config_options, configured
from sdv2_live.control.presets import Preset, PresetLibrary
from sdv2_live.errors import ConfigError


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the `presets` command to an argparse subparser group; its `run` is set as the default `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser("presets", help="list, show and check presets")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the presets of the folder, with their numbers")
    show = actions.add_parser("show", help="every value that a preset sets")
    show.add_argument("name", metavar="NAME", help="name or number of the preset")
    check = actions.add_parser("check", help="check every file of a folder; exit code 2 when one is broken")
    check.add_argument("dir", metavar="DIR", nargs="?", type=Path, help="folder to check instead of presets.dir")
    for action in (listing, show, check):
        add_config_options(action)
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out the parsed command and return the exit code. Raises ConfigError or ParamError for the top to print."""
    config = configured(args)
    folder = getattr(args, "dir", None) or config.presets.folder
    library = PresetLibrary(folder, names=config.names)
    console = Console()
    match args.action:
        case "list":
            console.print(_list(library))
            for problem in library.problems:
                print(problem, file=sys.stderr)
            return ConfigError.exit_code if library.problems else 0
        case "show":
            console.print(_show(library.get(args.name)))
        case "check":
            if library.problems:
                raise ConfigError("\n".join(library.problems))
            console.print(f"{folder}: {len(library.presets)} presets, no mistakes", soft_wrap=True, markup=False)
    return 0


def _list(library: PresetLibrary) -> Table:
    table = Table("#", "Name", "Description", "Sets", title=escape(str(library.folder)))
    for preset in library.presets:
        table.add_row(str(preset.number), escape(preset.name), escape(preset.description), ", ".join(preset.values))
    return table


def _show(preset: Preset) -> Table:
    title, caption = escape(f"{preset.number} {preset.name}"), escape(preset.description) or None
    table = Table("Parameter", "Value", title=title, caption=caption)
    for name, value in preset.values.items():
        table.add_row(name, escape(", ".join(map(str, value)) if isinstance(value, tuple) else str(value)))
    return table
