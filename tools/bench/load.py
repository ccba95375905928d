"""Measure the loading of real-size weights on the CPU: `python -m tools.bench.load --work /tmp/bench_load`.

Files of the real checkpoints' sizes with synthetic weights are written into the work folder (up to 18 GB; they stay there
for the next run, remove them afterwards) and each is then loaded in a fresh process, after the system has forgotten its
pages where it lets go of them (posix_fadvise). `dit` and `dit-pt`: the 1.3B transformer in float32, mapped, and one chunk of
2 latents at 128x128 denoised in 2 steps. `text`: the UMT5-XXL encoder in fp8, loaded for short prompts and freed, its matrices
kept in fp8; `text-wide`: the same, widened at loading.

Memory is Linux's own account: `anon` is the process's own memory, `file` are pages of mapped files, which the system takes
back when others need room, `peak` is the highest sum of the two at one time (VmHWM).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import ChunkPlan, StreamSpec
from sdv2_live.model.checkpoints.assign import assign, on_meta
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.text.umt5 import UMT5, TextEncoder, transformers_state
from sdv2_live.model.vae.taehv import TAEHV

from .weights import PROFILE, write_dit, write_text

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
GB = 1e9
SIZE = 128  # pixels each way
_FP8 = "umt5-xxl-enc-fp8_e4m3fn.safetensors"
CASES = {"dit": "dit.safetensors", "dit-pt": "dit.pt", "text": _FP8, "text-wide": _FP8}


def memory() -> dict[str, float]:
    """This process's memory now, GB."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return {name: int(re.findall(rf"{key}:\s+(\d+)", text)[0]) * 1024 / GB for name, key in FIELDS.items()}


FIELDS = {"anon": "RssAnon", "file": "RssFile", "peak": "VmHWM"}


class Watch:
    """The highest of each kind of memory while it is open; `peak` is the kernel's own and misses nothing."""

    def __enter__(self) -> Watch:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # VmHWM starts again from here
        self.start = self.highest = memory()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            now = memory()
            self.highest = {name: max(now[name], self.highest[name]) for name in now}

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.highest["peak"] = memory()["peak"]


def clocked(times: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    begin = time.perf_counter()
    result = work()
    times[name] = time.perf_counter() - begin
    return result


def measure_dit(path: Path) -> dict[str, Any]:
    """Load the transformer, denoise two chunks."""
    times: dict[str, float] = {}
    with Watch() as watch:
        dit = on_meta(lambda: CausalDiT(PROFILE.dit))
        clocked(times, "load", lambda: assign(dit, path, CPU, torch.float32))
        loaded = memory()
        engine = Engine(dit.eval().requires_grad_(False), on_meta(TAEHV))  # the autoencoder has nothing to do here
        state = engine.new_state(StreamSpec(SIZE, SIZE))
        with torch.inference_mode():
            cross = dit.condition(torch.randn(1, 20, PROFILE.dit.text_dim))
        for name, frames in (("first chunk", 2), ("second chunk", 1)):
            latent = torch.randn(1, frames, PROFILE.dit.channels, SIZE // 8, SIZE // 8)
            plan = ChunkPlan(0.7, (700, 500))
            begin = time.perf_counter()
            clean = engine.denoise(latent, cross, plan, 1, state)
            times[name] = time.perf_counter() - begin
            assert clean is not None
            assert clean.isfinite().all()
    weights = sum(parameter.nbytes for parameter in dit.parameters()) / GB
    ratio = (watch.highest["peak"] - watch.start["anon"] - watch.start["file"]) / weights
    return {"weights_gb": weights, "seconds": times, "before": watch.start, "loaded": loaded, "highest": watch.highest,
            "peak_above_start_by_weights": ratio}  # fmt: skip


def measure_text(path: Path, keep: bool) -> dict[str, Any]:
    """Have the text encoder loaded for one prompt, and freed when no other waits, as a show with the encoder on demand does."""
    from sdv2_live.model.checkpoints.files import TextIdentity
    from sdv2_live.model.cpu import multiplies_bf16  # here: the other cases do without
    from sdv2_live.model.text.encoder import Placement, Text

    times: dict[str, float] = {}
    dtype = torch.bfloat16 if multiplies_bf16() else torch.float32

    def load() -> TextEncoder:
        model = on_meta(lambda: UMT5(PROFILE.text))
        clocked(times, "load", lambda: assign(model.encoder, path, CPU, dtype, transformers_state, keep=keep))
        return TextEncoder(model.eval().requires_grad_(False), lambda prompt: [*prompt.encode(), 1])

    text = Text(load, (TextIdentity("umt5-xxl", "fp8"),), Placement.ON_DEMAND, CPU)
    with Watch() as watch:
        embedding = clocked(times, "load and first prompt", lambda: text.encode("A red boat"))
        assert embedding.isfinite().all()
        used = memory()
        clocked(times, "second prompt", lambda: text.encode("A green boat"))
        clocked(times, "free", text.rest)
        after = memory()
    return {"weights_gb": path.stat().st_size / GB, "dtype": str(dtype)[6:], "seconds": times, "before": watch.start,
            "after_first_prompt": used, "highest": watch.highest, "after": after}  # fmt: skip


def forget(path: Path) -> None:
    """Ask the system to drop the file's pages, so that loading reads the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(cases: Iterable[str], work: Path, warm: bool) -> dict[str, Any]:
    """Each case in a process of its own."""
    work.mkdir(parents=True, exist_ok=True)
    results = {}
    for case in cases:
        path = work / CASES[case]
        if not path.is_file():
            part = path.with_name(f"part-{path.name}")  # with its ending, by which its format is told
            (write_text if case.startswith("text") else write_dit)(part)
            part.replace(path)
        if not warm:
            forget(path)
        child = subprocess.run(
            [sys.executable, "-m", "tools.bench.load", "--child", case, "--work", str(work.resolve())],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
        results[case] = json.loads(child.stdout.splitlines()[-1])
    return results


def show(results: Mapping[str, Any]) -> None:
    """Print the figures for people."""
    table = Table("figure", *results, title="loading (GB, seconds)")
    flat = {case: dict(_flat(result)) for case, result in results.items()}
    for name in dict.fromkeys(name for figures in flat.values() for name in figures):
        table.add_row(name, *(str(figures.get(name, "")) for figures in flat.values()))
    Console(width=110).print(table)


def _flat(result: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in result.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}: ")
        else:
            yield before + name, round(value, 3) if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="for the files: up to 18 GB")
    parser.add_argument("--case", action="append", choices=sorted(CASES), help="default: all")
    parser.add_argument("--warm", action="store_true", help="leave the files' pages in memory, if they are there")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--child", choices=sorted(CASES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        path = options.work / CASES[options.child]
        measured = measure_text(path, options.child == "text") if options.child.startswith("text") else measure_dit(path)
        print(json.dumps(measured))
        return 0
    results = run(options.case or CASES, options.work, options.warm)
    print(json.dumps(results, indent=1)) if options.json else show(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
