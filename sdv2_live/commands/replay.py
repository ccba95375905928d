"""`sdv2-live replay`: a recorded take painted again."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from sdv2_live.commands.options import add_gpus_option


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "replay",
        help="paint a recorded take again",
        description="Paint a recorded take again: the same pictures, bit by bit, on the same machine with the same model.",
    )
    parser.add_argument("take", type=Path, metavar="TAKE", help="folder that the parameter record made")
    parser.add_argument("--output", type=Path, metavar="VIDEO", help="file to write: .mp4, or .mkv for lossless")
    parser.add_argument(
        "--check", action="store_true", help="compare every chunk with what the show painted; exit status 1 if one differs"
    )
    add_gpus_option(parser, "as recorded")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of the take's configuration"
    )
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Replay; exit status 1 when --check finds a difference."""
    if args.output is None and not args.check:
        args.parser.error("give --output VIDEO to see the take, --check to compare it, or both")
    from sdv2_live import logs
    from sdv2_live.takes.replay import Take, replay  # here: torch takes seconds to import, and --help shall not

    take = Take(args.take)
    overrides = [*args.set, *([] if args.gpus is None else [f"model.gpus={args.gpus}"])]
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("replaying", total=take.chunks)
        outcome = replay(
            take, overrides, output=args.output, check=args.check, progress=lambda done: bar.update(task, completed=done)
        )
    how = f", compared {outcome.compared}" if outcome.compared else ""
    if outcome.difference:
        logs.say(f"{outcome.difference} differs from what the show painted{how}")
        return 1
    what = "replayed" if not args.check else "alike" if how else "identical"
    logs.say(f"{args.take}: {outcome.chunks} chunks {what}{how}")
    return 0
