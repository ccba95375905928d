"""`sdv2-live link`: join an Ableton Link session beside a show, and lead the show's tempo by it.

A show does this by itself, in a process of its own, as soon as its tempo/source is link. This command is for a show on another
machine, or to see whom Link finds here: it prints the session's tempo and its peers when they change.
"""

from __future__ import annotations

import argparse
import signal
import threading
from typing import Any

from sdv2_live import logs
from sdv2_live.commands.midi import endpoint
from sdv2_live.commands.options import add_config_options, configured
from sdv2_live.control.osc.client import reached
from sdv2_live.link.bridge import LinkBridge
from sdv2_live.music.tempo import Tempo
from sdv2_live.system.clock import monotonic_ns
from sdv2_live.system.console import STOPS, on_stop


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the `link` command to an argparse subparser group; its `run` is set as the default `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "link",
        help="lead a show's tempo by Ableton Link",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_options(parser)
    parser.add_argument("--osc", metavar="HOST:PORT", help="the daemon (default: osc.host and osc.port: 127.0.0.1:9000)")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out the parsed command until stopped, and return the exit code. Raises Sdv2Error for the top to print."""
    config = configured(args)
    host, port = endpoint(args.osc) if args.osc else (reached(config.osc.host), config.osc.port)
    stop = threading.Event()
    for number in STOPS:
        signal.signal(number, lambda *_: stop.set())
    on_stop(stop.set)
    tempo = Tempo(monotonic_ns(), 0.0, config.params.tempo_bpm)
    with LinkBridge(host, port, tempo, config.params.tempo_beats_per_bar) as bridge:
        logs.say(f"Ableton Link to OSC {host}:{port}; Ctrl-C ends it")
        bridge.run(stop.wait, lambda bpm, peers: logs.say(f"{bpm:.1f} bpm, {peers} peer{'' if peers == 1 else 's'}"))
    return 0
