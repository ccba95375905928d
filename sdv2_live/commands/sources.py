"""`sdv2-live sources`: the NDI sources that can be reached from here."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from sdv2_live.commands.options import add_config_options, configured
from sdv2_live.io.ndi_lib import list_sources


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("sources", help="list NDI sources", description="List the NDI sources that can be reached.")
    add_config_options(parser)
    parser.add_argument("--wait", type=float, default=2.0, metavar="S", help="seconds to look (default: 2)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a table; exit status 1 when nothing was found."""
    settings = configured(args).ndi.settings
    found = list_sources(settings, args.wait)
    if not found:
        print(
            f"no NDI source answered within {args.wait:g} s (asked {settings.ips} and the local network). Start the sender's NDI "
            "output; on Linux run avahi-daemon, or give the sender's address: --set ndi.extra_ips=192.168.1.20"
        )
        return 1
    table = Table("source", "address", "use as")
    for source in found:
        table.add_row(source.name, source.address, f"--input 'ndi:{source.inner_name}'")
    Console().print(table)
    return 0
