"""`sdv2-live demo`: see it work on this machine, with nothing else installed."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from sdv2_live import logs
from sdv2_live.commands.options import seconds
from sdv2_live.commands.stopping import Stop
from sdv2_live.commands.ways import open_address
from sdv2_live.demo.looks import LOOKS, SECONDS


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("demo", help="restyle a clip and walk through some looks", description=__doc__)
    parser.add_argument("--seconds", type=seconds, metavar="N", help="spread the looks over N seconds, then stop")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where to write (default: out)")
    parser.add_argument("--name", default="sdv2-live", help="NDI name of the output (default: %(default)s)")
    parser.add_argument("--open", action="store_true", help="open the page in this machine's browser")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Show each look and write down what is seen; then leave the picture to the user. Exit status 0 also when stopped by hand."""
    from sdv2_live.demo.demo import Demo, DemoError, Stopped  # here: video's libraries take time to import

    if args.seconds is not None and args.seconds < len(LOOKS):
        args.parser.error(f"--seconds {args.seconds:g} is too short for {len(LOOKS)} looks; give at least {len(LOOKS)}")
    stop = Stop.on_signals()
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            demo = Demo(args.name, args.out, stop, stack)
            logs.say("starting the player and the daemon ...")
            page = demo.start()
            if args.open:
                open_address(page)
            demo.walk(LOOKS, args.seconds / len(LOOKS) if args.seconds else SECONDS)
            if args.seconds is None:
                demo.play()
    except Stopped:
        logs.say("\nstopped")
    except OSError as error:
        raise DemoError(f"nothing can be written to {args.out}: {error}; choose another folder with --out") from error
    return 0
