"""The command line: `sdv2-live COMMAND ...`. Each command is a module of `sdv2_live.commands`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from sdv2_live import __version__, logs
from sdv2_live.errors import ConfigError, Sdv2Error
from sdv2_live.system import console, folders

COMMANDS = (
    "run", "render", "replay", "sources", "presets", "play", "osc", "dmx", "timeline", "midi", "link", "prompt", "weights",
    "plan", "doctor", "manual", "demo",
)  # fmt: skip


WELCOME = """sdv2-live restyles live video with a diffusion model: NDI in, NDI out, played by OSC or MIDI.

    sdv2-live demo                                         see it work: no camera, no GPU, no weights
    sdv2-live doctor                                       what is missing on this machine, and what to do about it
    sdv2-live sources                                      who sends NDI video here
    sdv2-live run --input ndi:NAME --output ndi:sdv2-live  restyle it, until Ctrl-C

Without a camera: --input test. All commands: sdv2-live --help
How to play it: sdv2-live manual"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. An error of the project's own is one sentence and its exit code."""
    logs.open_missing()
    _let_waiting_threads_sleep()
    folders.keep_kernels()
    console.prepare()
    try:
        args = _parser().parse_args(arguments)
        if args.command is None:
            logs.say(WELCOME)
            return ConfigError.exit_code
        logs.to_console()
        status: int = args.run(args)
    except Sdv2Error as error:
        logs.say(f"sdv2-live: {error}", to=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return status


def _let_waiting_threads_sleep() -> None:
    """Make waiting worker threads sleep soon instead of spinning. Call it before torch is loaded.

    On a machine that also runs the VJ's software, a spinning thread takes the core that the one it waits for needs (measured:
    half the frame rate). But the gap between two operations of a chunk is shorter than it takes to wake up: so GNU OpenMP spins
    for some microseconds (tools/benchmarks.md, on a CPU).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")


def _parser() -> argparse.ArgumentParser:
    """The parser with the options of every command. It takes half a second of imports, in which Ctrl-C may come."""
    parser = argparse.ArgumentParser(prog="sdv2-live", description="Restyle live video with StreamDiffusionV2, played by OSC.")
    parser.add_argument("--version", action="version", version=f"sdv2-live {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for name in COMMANDS:
        import_module(f"sdv2_live.commands.{name}").add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
