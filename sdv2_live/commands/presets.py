"""`sdv2-live presets`: list, show and check preset files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from sdv2_live import logs
from sdv2_live.commands.options import add_config_options, configured
from sdv2_live.commands.table import Table, add_json_option
from sdv2_live.control.presets.file import Preset
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.errors import ConfigError


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the `presets` command to an argparse subparser group; its `run` is set as the default `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser("presets", help="list, show and check presets")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the presets of the folder, with their numbers")
    show = actions.add_parser("show", help="every value that a preset sets")
    show.add_argument("name", metavar="NAME", help="name or number of the preset")
    for action in (listing, show):
        add_json_option(action)
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
    library = PresetLibrary(folder, names=config.names, painter=config.model.profile)
    match args.action:
        case "list":
            _list(library).print(as_json=args.json)
            for problem in library.problems:
                logs.say(problem, to=sys.stderr)
            return ConfigError.exit_code if library.problems else 0
        case "show":
            _show(library.get(args.name)).print(as_json=args.json)
        case "check":
            if library.problems:
                raise ConfigError("\n".join(library.problems))
            logs.say(f"{folder}: {len(library.presets)} presets, no mistakes")
    return 0


def _list(library: PresetLibrary) -> Table:
    heads = {"number": "#", "name": "Name", "description": "Description", "sets": "Sets"}
    presets = [(preset.number, preset.name, preset.description, list(preset.values)) for preset in library.presets]
    return Table(heads, presets, wraps=("description", "sets"), title=str(library.folder))


def _show(preset: Preset) -> Table:
    heads = {"parameter": "Parameter", "value": "Value"}
    blocks = {f"for.{model}.{name}": value for model, block in preset.blocks.items() for name, value in block.items()}
    values = [*preset.values.items(), *blocks.items()]
    return Table(heads, values, wraps=("value",), title=f"{preset.number} {preset.name}", caption=preset.description)
