"""`sdv2-live osc`: the addresses that the OSC server knows, and files for other programs' controls made from them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sdv2_live import logs
from sdv2_live.commands.options import add_config_options, configured
from sdv2_live.commands.table import Table, write_file
from sdv2_live.config.schema import Config
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.surfaces.reference import reference_markdown, rows
from sdv2_live.control.surfaces.touchdesigner import script


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the `osc` command to an argparse subparser group; its `run` is set as the default `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser("osc", help="list the OSC addresses, or write controls for them")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the addresses as JSON")
    form.add_argument("--markdown", action="store_true", help="print the whole reference as Markdown")
    form.add_argument("--touchosc", type=Path, metavar="FILE", help="write a layout for TouchOSC, with your presets (FILE.tosc)")
    form.add_argument(
        "--touchdesigner", type=Path, metavar="FILE", help="write the script of a TouchDesigner component (FILE.py)"
    )
    add_config_options(parser)
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the table or write a file, and return the exit code. Raises ConfigError when the file cannot be written."""
    if args.markdown:
        logs.say(reference_markdown())
        return 0
    if args.touchosc is not None:
        write_file(args.touchosc, touchosc(configured(args)))
        return 0
    if args.touchdesigner is not None:
        write_file(args.touchdesigner, script().encode())
        return 0
    heads = {"address": "Address", "value": "Value", "default": "Default", "applies": "Applies", "doc": "Meaning"}
    Table(heads, list(rows()), wraps=("value", "default", "doc")).print(as_json=args.json)
    return 0


def touchosc(config: Config) -> bytes:
    """The TouchOSC layout with the configuration's presets."""
    from sdv2_live.control.surfaces.touchosc import layout, tosc  # its library is for this command alone

    return tosc(layout(PresetLibrary(config.presets.folder, painter=config.model.profile).presets))
