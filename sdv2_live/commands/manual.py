"""`sdv2-live manual`: the manual on the terminal, by page or by the words that are looked for."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.markdown import Markdown

from sdv2_live import logs, manual
from sdv2_live.commands.table import Table

COLUMNS = 100  # a line that is longer is hard to read


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("manual", help="print a page of the manual, or search it", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="PAGE", help="a page's name, or words to search for; without: the contents")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a page where there is one of that name, else where the words occur; exit status 1 when they occur nowhere."""
    name = "-".join(args.words) or manual.CONTENTS
    if name in manual.pages():
        _print(manual.page(name))
        return 0
    found = manual.search(" ".join(args.words))
    if not found:
        logs.say(f"no page of the manual has all of: {' '.join(args.words)}; `sdv2-live manual` lists the pages")
        return 1
    rows = [(one.section.page, one.section.heading, one.line) for one in found]
    Table({"page": "page", "heading": "where", "line": "what"}, rows, wraps=("heading", "line")).print()
    return 0


def _print(text: str) -> None:
    """Set for reading on a terminal; as it is in a pipe."""
    if sys.stdout.isatty():
        console = Console()
        console.print(Markdown(text), width=min(console.width, COLUMNS))
    else:
        sys.stdout.write(text)
