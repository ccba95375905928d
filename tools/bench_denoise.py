"""CPU time of a chunk's denoising, here and in another checkout: `python tools/bench_denoise.py --against FOLDER`.

Rounds alternate between the two, each in a process of its own with one thread. What is counted is the thread's own CPU time,
so that other work on the machine matters little (it still shares caches and memory). Profile `tiny`; without a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
WARM_UP = 8  # chunks: the cache is full


def measure(size: int, steps: int, chunks: int) -> list[float]:
    """Milliseconds of each chunk, with the package that is first on the path."""
    import torch

    from sdv2_live.engine.engine import Engine
    from sdv2_live.model.load import load_models
    from sdv2_live.model.profiles import profile

    try:
        from sdv2_live.engine.plan import ChunkSettings, StreamSpec
    except ImportError:  # in older checkouts
        from sdv2_live.engine.state import ChunkSettings, StreamSpec  # type: ignore[attr-defined, no-redef]

    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    models = load_models(profile("tiny"), device=cpu, dtype=torch.float32, vae="auto", weights_dir=Path())
    engine = Engine(models.dit, models.vae)
    state, settings = engine.new_state(StreamSpec(size, size)), ChunkSettings(steps=(800, 600, 400, 200)[-steps:])
    with torch.inference_mode():
        cross = models.dit.condition(torch.randn(1, 20, 96, generator=torch.Generator().manual_seed(0)))
    pixels = torch.rand(1, 3, 5, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    taken = []
    for _ in range(WARM_UP + chunks):
        seen = pixels[:, :, : state.frames_needed]
        latent = engine.encode(seen, state)
        plan = engine.plan(seen, settings, state)
        begin = time.thread_time()
        engine.denoise(latent, cross, plan, 42, state)
        taken.append((time.thread_time() - begin) * 1e3)
    return taken[WARM_UP:]


def run(checkout: Path, options: argparse.Namespace) -> list[float]:
    """One round in a process of its own."""
    command = [
        sys.executable,
        __file__,
        "--measure",
        *(f"--{name}={getattr(options, name)}" for name in ("size", "steps", "chunks")),
    ]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout, such as of an older commit")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2, choices=(1, 2, 3, 4))
    parser.add_argument("--chunks", type=int, default=12, help="counted in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measure(options.size, options.steps, options.chunks)))
        return 0
    checkouts = [path.resolve() for path in (options.against, HERE) if path is not None]
    taken: dict[Path, list[float]] = {checkout: [] for checkout in checkouts}
    for _ in range(options.rounds):
        for checkout in checkouts:
            taken[checkout] += run(checkout, options)
    for checkout, times in taken.items():
        print(
            f"{checkout}: denoise, CPU ms a chunk: least {min(times):.1f}, median {statistics.median(times):.1f} of {len(times)}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
