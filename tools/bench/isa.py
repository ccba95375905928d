"""`--isa`: the small model's frames a second with the instructions of older processors, alone and beside a busy program.

Every case is a process of its own, of a few seconds; they take turns, round after round, so that what else a machine does falls
on all of them alike. The medians of the rounds are told. `--against FOLDER` gives another checkout its turns, such as
`git worktree add FOLDER COMMIT`; it measures with its own bench. A processor's name is not what is emulated: a checkout that
chooses its precision by name would take bfloat16 where the real processor takes float32, so each gets the one that it would have
there (`AUTO`: what it chooses).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[2]
BUSY = "while True: pass"  # takes a core, or what it gets of one, at this process's own priority
AUTO = "auto"
# Variables that hide instructions from oneDNN and from PyTorch, and the precision of a checkout that goes by names.
CASES: dict[str, tuple[dict[str, str], str]] = {
    "AVX2": ({"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}, "fp32"),
    "AVX-512": ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, "fp32"),
    "AVX-512 with bfloat16": ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}, "fp32"),
    "all of this processor": ({}, AUTO),
}


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Frames a second, median by case and by what runs beside it; for each checkout."""
    checkouts = {"here": HERE} | ({"before": options.against.resolve()} if options.against else {})
    found: dict[str, list[float]] = {}
    for number in range(options.rounds):
        for name, (variables, by_name) in CASES.items():
            for beside in ("alone", "beside a busy program"):
                for who, checkout in checkouts.items():
                    dtype = by_name if who == "before" else options.dtype
                    with busy() if beside != "alone" else idle():
                        result = measured(checkout, variables, dtype, options)
                    found.setdefault(f"{name}, {result['dtype']}, {beside}: {who}", []).append(result["fps"])
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    rows = {case: f"{statistics.median(fps):.1f} ({min(fps):.1f} to {max(fps):.1f})" for case, fps in sorted(found.items())}
    return {"size": options.size, "steps": options.steps, "rounds": options.rounds, "frames a second": rows}


def measured(checkout: Path, variables: dict[str, str], dtype: str, options: argparse.Namespace) -> Any:
    """The figures of one run of a checkout's bench."""
    size, steps, seconds = f"--size={options.size}", f"--steps={options.steps}", f"--seconds={options.seconds}"
    command = [sys.executable, str(checkout / "tools" / "bench.py"), "--model=tiny", "--device=cpu", "--overlap", "--json"]
    command += [size, steps, seconds, f"--dtype={dtype}", "--peak-tflops=1", "--bandwidth=1"]
    environment = {**os.environ, "PYTHONPATH": str(checkout), **variables}
    return json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


@contextmanager
def busy() -> Iterator[None]:
    """A program that takes a core, while entered."""
    with subprocess.Popen([sys.executable, "-c", BUSY]) as program:
        try:
            yield
        finally:
            program.kill()


@contextmanager
def idle() -> Iterator[None]:
    """Nothing beside."""
    yield
