"""`sdv2-live timeline`: look at timelines, and carry them between this form and Scope's."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from sdv2_live import logs
from sdv2_live.commands.options import add_config_options, configured, timeline_of
from sdv2_live.commands.table import Table, add_json_option
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.control.timeline.model import Timeline
from sdv2_live.control.timeline.scope_export import to_scope
from sdv2_live.errors import ConfigError
from sdv2_live.system.files import check


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
    lost: list[str] = []
    match args.target.suffix.lower():
        case ".json":
            data, lost = to_scope(timeline)
            text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
        case ".yaml" | ".yml":
            text = yaml.dump(plain(timeline), Dumper=_Plain, allow_unicode=True, sort_keys=False, width=110)
        case _:
            raise ConfigError(f"{args.target}: a timeline is written as .yaml, or as .json for Scope; choose one of these")
    try:
        check(args.target)
        with args.target.open("w" if args.force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{args.target}: exists already; choose another name, or --force to replace it") from error
    except OSError as error:
        raise ConfigError(f"{args.target}: cannot be written: {error.strerror}") from error
    for sentence in lost:
        logs.say(f"not carried over: {sentence}", to=sys.stderr)
    logs.say(f"{args.target}: {len(timeline.events)} events")
    return 0


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True  # which are not read here


def plain(timeline: Timeline) -> dict[str, Any]:
    """The timeline as the data of its own YAML form."""
    events = [
        {
            "at": event.at,
            **({"marker": event.marker} if event.marker else {}),
            "set": {name: list(value) if isinstance(value, tuple) else value for name, value in event.values.items()},
        }
        for event in timeline.events
    ]
    return {
        "name": timeline.name,
        **({"description": timeline.description} if timeline.description else {}),
        "duration": timeline.duration,
        "loop": timeline.loop,
        "events": events,
        **({"scope": dict(timeline.foreign)} if timeline.foreign else {}),
    }
