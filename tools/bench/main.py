"""Measure the frame path: `python tools/bench.py --model tiny --device cpu --size 256x256`.

By default the engine's throughput: stages in milliseconds a chunk, frames per second, first chunk, jitter, memory, and how
near it is to the least that the card's arithmetic and memory allow (see floor.py). On a GPU stages are timed by CUDA
events. `--compare` times the package `streamdiffusionv2` beside it (see benchmarks.md). Frames are ready in memory (capture
hands them over) and go to an NDI sink without receivers (send). Models other than tiny run with synthetic weights of their
real sizes. `--live latency|bypass|memory` measures the whole daemon over real NDI on this machine instead (see live.py),
`--live flood|prompt` its answer to OSC (see control.py), `--live siege` what it does beside clients at their worst (see
siege.py), `--live beat` how near to the beat a launch is seen (see beat.py), `--isa` the small model with the instructions of
older processors (see isa.py), `--ranks 2` two ranks of one core each against one process (see ranks.py).
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sdv2_live.errors import Sdv2Error
from sdv2_live.model.vae_choice import VAES

from .compare import peer
from .throughput import STEPS, throughput

LIVE = {
    **dict.fromkeys(("latency", "bypass", "memory"), "live"),
    **dict.fromkeys(("flood", "prompt"), "control"),
    "siege": "siege",
    "beat": "beat",
}  # the modules beside this file that hold the functions of these names


def show(result: dict[str, Any]) -> None:
    """Print the figures for people."""
    table = Table("figure", "value", title="sdv2-live bench")
    for key, value in result.items():
        if isinstance(value, dict):
            for name, number in value.items():
                table.add_row(f"{key}: {name}", f"{number:.2f}" if isinstance(number, float) else str(number))
        else:
            table.add_row(key, str(value))
    Console(width=100).print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny", choices=["tiny", "1.3b", "14b"])
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--size", default="256x256", metavar="HEIGHTxWIDTH")
    parser.add_argument("--vae", default="auto", choices=["auto", *VAES])
    parser.add_argument("--steps", type=int, default=2, choices=sorted(STEPS))
    parser.add_argument("--schedule", default="sequential", choices=["sequential", "stream_batch"])
    parser.add_argument("--dtype", default="auto", choices=["auto", "fp32", "fp16", "bf16"])
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: torch's choice)")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--overlap", action="store_true", help="launch a chunk before the one ahead is fetched")
    parser.add_argument("--autotune", action="store_true", help="let cuDNN try its kernels (bits may differ from run to run)")
    parser.add_argument("--peak-tflops", type=float, help="of the card, for the floor (default: measured)")
    parser.add_argument("--bandwidth", type=float, help="of the card's memory in TB/s (default: measured)")
    parser.add_argument(
        "--compare", metavar="PYTHON|auto", help="also time the package streamdiffusionv2, by its Python interpreter"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any configuration key")
    parser.add_argument("--live", choices=[*LIVE], help="the whole daemon")
    parser.add_argument("--clients", metavar="NAME,...", help="of --live siege: these alone (default: all of bench/clients.py)")
    parser.add_argument("--launches", type=int, default=200, help="of each case of --live beat")
    parser.add_argument("--fp8", action="store_true", help="the error of 8-bit linear layers against bf16 (see fp8.py)")
    parser.add_argument("--fp8-layers", type=int, default=0, metavar="N", help="of the DiT that --fp8 compares (default: all)")
    parser.add_argument("--isa", action="store_true", help="the small model as on older processors, alone and beside a program")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="of --isa: another checkout, in turn with this one")
    ranks = "so many ranks of one core each against one process of one core, tiny and a wider model (see ranks.py)"
    parser.add_argument("--ranks", type=int, default=0, metavar="N", help=ranks)
    parser.add_argument("--rounds", type=int, default=3, help="of --isa and --ranks")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    try:
        if options.fp8:
            from .fp8 import compare

            result = compare(options)
        elif options.isa:
            from .isa import compare as by_instructions

            result = by_instructions(options)
        elif options.ranks:
            from .ranks import compare as by_ranks

            result = by_ranks(options)
        elif options.live:
            result = getattr(importlib.import_module(f".{LIVE[options.live]}", __package__), options.live)(options)
        else:
            result = throughput(options)
            if options.compare:
                result["peer"] = peer(options, result["fps"])
    except Sdv2Error as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(result, indent=1)) if options.json else show(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
