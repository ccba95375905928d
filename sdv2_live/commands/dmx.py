"""`sdv2-live dmx`: the channels on which a light desk plays, and files for desks made from them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sdv2_live import __version__
from sdv2_live.commands.table import Table, write_file
from sdv2_live.music.dmx import exports


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the `dmx` command to an argparse subparser group; its `run` is set as the default `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "dmx", help="list the channels of a light desk, or write files for it"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the channels as JSON")
    form.add_argument("--qxf", type=Path, metavar="FILE", help="write the fixture for QLC+ (FILE.qxf)")
    form.add_argument("--csv", type=Path, metavar="FILE", help="write the channels for desks that read them as CSV (FILE.csv)")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the channels or write a file, and return the exit code. Raises ConfigError when the file cannot be written."""
    if args.qxf is not None:
        write_file(args.qxf, exports.qxf(__version__))
        return 0
    if args.csv is not None:
        write_file(args.csv, exports.chart_csv().encode())
        return 0
    heads = {"channel": "Channel", "in_8bit": "8 bit", "in_16bit": "16 bit", "address": "Plays", "levels": "Levels"}
    Table(heads, list(exports.rows()), wraps=("levels",)).print(as_json=args.json)
    return 0
