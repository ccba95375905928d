"""`sdv2-live sources`: the NDI sources that can be reached from here, and on Windows the Spout senders of this machine."""

from __future__ import annotations

import argparse

from sdv2_live import logs
from sdv2_live.commands.options import add_config_options, configured
from sdv2_live.commands.table import Table, add_json_option
from sdv2_live.errors import VideoError
from sdv2_live.io.ndi.lib import list_sources
from sdv2_live.io.spout import lib as spout_lib


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("sources", help="list NDI sources and Spout senders", description=__doc__)
    add_config_options(parser)
    add_json_option(parser)
    parser.add_argument("--wait", type=float, default=2.0, metavar="S", help="seconds to look (default: 2)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a table; exit status 1 when nothing was found."""
    settings = configured(args).ndi.settings
    rows = [(s.name, s.address, f"--input {quoted(f'ndi:{s.inner_name}')}") for s in list_sources(settings, args.wait)]
    rows += _spout_senders()
    if not rows:
        logs.say(
            f"no NDI source answered within {args.wait:g} s (asked {settings.ips} and the local network). Start the sender's NDI "
            "output; on Linux run avahi-daemon, or give the sender's address: --set ndi.extra_ips=192.168.1.20"
        )
        return 1
    Table({"source": "source", "address": "address", "use": "use as"}, list(rows)).print(as_json=args.json)
    return 0


def quoted(word: str) -> str:
    """One word for a POSIX shell, whatever is in it; always in quotes, as other shells read most names so too."""
    return "'" + word.replace("'", "'\\''") + "'"


def _spout_senders() -> list[tuple[str, str, str]]:
    if spout_lib.SYSTEM != "win32":
        return []
    try:
        senders = spout_lib.list_senders()
    except VideoError as error:
        logs.say(error)
        return []
    return [(s.name, f"Spout {s.width}x{s.height}{', active' if s.active else ''}", f'--input "spout:{s.name}"') for s in senders]
