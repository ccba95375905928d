"""`sdv2-live play`: publish a video file, or the test card, as an NDI source; a stand-in for a VJ's software."""

from __future__ import annotations

import argparse
import threading

from sdv2_live import logs
from sdv2_live.commands.options import add_config_options, configured, seconds
from sdv2_live.commands.stopping import Stop


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("play", help="publish a video file as an NDI source", description=__doc__)
    add_config_options(parser)
    parser.add_argument("source", metavar="SOURCE", help="file:PATH or test[:HEIGHTxWIDTH]")
    parser.add_argument("--name", default="sdv2-live clip", help="name of the NDI source (default: %(default)s)")
    parser.add_argument("--seconds", type=seconds, metavar="N", help="stop after N seconds (default: on Ctrl-C)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Play in a loop until stopped."""
    from sdv2_live.io.ndi.sink import NdiSink  # here: the libraries for video take time to import, and --help shall not
    from sdv2_live.io.open import open_source

    stop = Stop.on_signals()
    if args.seconds is not None:
        timer = threading.Timer(args.seconds, stop.set)
        timer.daemon = True
        timer.start()
    with open_source(args.source) as source, NdiSink(args.name, configured(args).ndi.settings) as sink:
        logs.say(f"playing {source.name} as NDI source '{args.name}'")
        while not stop.is_set() and not source.ended:
            frame = source.read(0.25)
            if frame is not None:
                sink.send(frame)
    return 0
