"""`sdv2-live timeline`: look at timelines, and carry them between this form and Scope's."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sdv2_live import logs
from sdv2_live.commands.options import add_config_options, configured, timeline_of
from sdv2_live.commands.table import Table, add_json_option
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.control.timeline.write import write_timeline
from sdv2_live.errors import ConfigError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("timeline", help="show, check and convert timelines", description=__doc__)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    show = actions.add_parser("show", help="list a timeline's events; every mistake in the file is named")
    show.add_argument("file", type=Path, metavar="FILE")
    add_json_option(show)
    add_config_options(show)
    show.set_defaults(run=run_show)
    convert = actions.add_parser("convert", help="write a timeline in the other form")
    convert.add_argument("file", type=Path, metavar="FILE", help="a .yaml timeline, or a .json one that Scope exported")
    convert.add_argument("target", type=Path, metavar="TARGET", help="a new .json (for Scope) or .yaml file")
    convert.add_argument("--force", action="store_true", help="replace TARGET if it exists")
    add_config_options(convert)
    convert.set_defaults(run=run_convert)


def run_show(args: argparse.Namespace) -> int:
    """Print the events. Raises ConfigError for a file that cannot be used."""
    timeline = timeline_of(args.file, configured(args))
    title = f"{timeline.name}  {timeline.duration:g} s{', looping' if timeline.loop else ''}"
    events = [(event.at, event.marker, event.values) for event in timeline.events]
    heads = {name: name for name in ("at", "marker", "sets")}
    Table(heads, events, wraps=("sets",), title=title).print(as_json=args.json)
    return 0


def run_convert(args: argparse.Namespace) -> int:
    """Write the other form. Reports a line for everything that the target's form cannot hold. Raises ConfigError."""
    timeline = load_timeline(args.file, configured(args).names)
    if not args.force and args.target.exists():
        raise ConfigError(f"{args.target}: exists already; choose another name, or --force to replace it")
    for sentence in write_timeline(args.target, timeline, replacing=args.force):
        logs.say(f"not carried over: {sentence}", to=sys.stderr)
    logs.say(f"{args.target}: {len(timeline.events)} events")
    return 0
