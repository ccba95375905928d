"""Compare the engine with reference cases: `python tools/parity.py DIR [DIR...]`.

A case is a folder with `case.json` (kind, configuration, weight manifest, tolerance) and `io.safetensors` (inputs, expected
outputs); how each kind is computed is in kinds.py. Error = norm(out - ref) / norm(ref) in float32. Exit status 1 when any
comparison fails or no case is found.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from torch import Tensor

from sdv2_live.errors import Sdv2Error

from .kinds import RUNNERS, run_stream
from .ranks import Ranks


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    case: str
    what: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        return self.error < self.tolerance


def relative_error(ours: Tensor, reference: Tensor) -> float:
    """norm(ours - reference) / norm(reference); infinite when the shapes differ."""
    if ours.shape != reference.shape:
        return float("inf")
    ours, reference = ours.float().cpu(), reference.float().cpu()
    return float((ours - reference).norm() / reference.norm().clamp_min(1e-30))


@torch.inference_mode()
def run_case(folder: Path, device: str = "cpu", ranks: Ranks | None = None) -> Iterator[Result]:
    """Every comparison of one case, on a device; a case that cannot be run at all is one infinite error.

    ranks: processes that share the transformer of a stream case.
    """
    case = json.loads((folder / "case.json").read_text())
    tolerance = float(case.get("tolerance", 2e-4))
    runner = RUNNERS.get(case["kind"])
    if runner is None:
        yield Result(folder.name, f"unknown kind {case['kind']!r}", float("inf"), tolerance)
        return
    try:
        data = load_file(folder / "io.safetensors", device=device)
        shared = ranks is not None and runner is run_stream
        for what, ours, reference in run_stream(case, data, ranks) if shared else runner(case, data):
            yield Result(folder.name, what, relative_error(ours, reference), tolerance)
    except (Sdv2Error, KeyError, ValueError, RuntimeError) as error:
        yield Result(folder.name, f"{type(error).__name__}: {error}", float("inf"), tolerance)


def find_cases(roots: Sequence[Path]) -> list[Path]:
    """Folders under the roots that hold a case, in name order."""
    return sorted({file.parent for root in roots for file in root.rglob("case.json")})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders searched for case.json")
    parser.add_argument("--worst", action="store_true", help="one line a case: its largest error")
    parser.add_argument("--ranks", type=int, default=1, help="processes that share the transformer of stream cases, on a CPU")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="where to compute, in float32 (no TF32)")
    options = parser.parse_args(arguments)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # in full float32
    cases = find_cases(options.folders)
    results: list[Result] = []
    table = Table("case", "what", "error", "tolerance", "")
    ranks = Ranks(options.ranks) if options.ranks > 1 else None
    for folder in cases:
        of_case = list(run_case(folder, options.device, ranks))
        results += of_case
        for r in [max(of_case, key=lambda r: r.error / r.tolerance)] if options.worst else of_case:
            table.add_row(r.case, r.what, f"{r.error:.2e}", f"{r.tolerance:.0e}", "ok" if r.passed else "[red]FAILED")
    if ranks is not None:
        ranks.close()
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    failed = sum(not r.passed for r in results)
    if not cases:
        print(f"no case.json found under {', '.join(map(str, options.folders))}", file=sys.stderr)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
