"""`sdv2-live osc`: the addresses that the OSC server knows."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sdv2_live.control.reference import reference_markdown, rows


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the `osc` command to an argparse subparser group; its `run` is set as the default `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser("osc", help="list the OSC addresses")
    parser.add_argument("--markdown", action="store_true", help="print the whole reference as Markdown")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the table and return the exit code."""
    if args.markdown:
        print(reference_markdown())
        return 0
    table = Table("Address", "Value", "Default", "Applies", "Meaning")
    for row in rows():
        table.add_row(*(escape(cell) for cell in row))
    Console().print(table)
    return 0
