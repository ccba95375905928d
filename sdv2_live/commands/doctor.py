"""`sdv2-live doctor`: is this machine ready for a show, with this configuration?

Looks at Python, torch, CUDA and its driver, GPU, CuPy, attention, how fast cards (or two processes of the CPU) reach each other,
NDI (a picture is sent and received on this machine), on Windows Spout (the same), cameras, monitors, what windows and virtual
cameras need, colour tables, sound inputs, Ableton Link and who is in its session, MIDI ports and which of them sends clock,
light desks and who sends, how sources are found, the OSC port, weights, prompt cache and disk, and paints for a second. Each
line is ok, warn (a show is possible, with less) or fail, with what to do. The exit code is 1 when anything failed, else 0.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

from rich.console import Console
from rich.markup import escape

from sdv2_live import __version__, logs
from sdv2_live.commands.options import add_config_options, add_gpus_option, configured
from sdv2_live.config.schema import ModelConfig

if TYPE_CHECKING:
    from sdv2_live.doctor.probe import Check

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
SCHEMA = 1  # of --json; grows when a key changes its meaning or goes


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the `doctor` command to an argparse subparser group; its `run` is set as the default `run`."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "doctor",
        help="check that this machine is ready for a show",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config_options(parser)
    parser.add_argument("--model", choices=get_args(ModelConfig.model_fields["profile"].annotation), help="model profile")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], help="where the model runs (default: auto)")
    add_gpus_option(parser)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the report and return 1 when a check failed, else 0."""
    from sdv2_live.doctor.probe import run_all
    from sdv2_live.doctor.probes import PROBES

    checks = []
    for check in run_all(PROBES, configured(args)):
        checks.append(check)
        if not args.json:
            _print(check)
    failed = any(check.status == "fail" for check in checks)
    if args.json:
        logs.say(json.dumps(report(checks), indent=2))
    else:
        logs.say("not ready: see the lines that fail" if failed else "ready")
    return 1 if failed else 0


def report(checks: list[Check]) -> dict[str, Any]:
    """The report as --json prints it."""
    failed = any(check.status == "fail" for check in checks)
    return {"schema": SCHEMA, "version": __version__, "ok": not failed, "checks": [asdict(check) for check in checks]}


def _print(check: Check) -> None:
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[{COLOURS[check.status]}]{check.status:4}[/]  {check.name:13} {escape(logs.harmless(check.detail))}")
    if check.remedy:
        console.print(f"      {'':13} -> {escape(logs.harmless(check.remedy))}")
