"""CPU time of a chunk's denoising, here and in another checkout: `python -m tools.bench.denoise --against FOLDER`.

Rounds alternate between the two, each in a process of its own with one thread. What is counted is the thread's own CPU time,
so that other work on the machine matters little (it still shares caches and memory). Profile `tiny`; without a GPU.

With `--count`, instead, what one call of the 1.3B DiT at 480x832 in bfloat16 launches and moves when its cache is full, on
tensors without memory: operations, and bytes read and written once each. Here each fused operation counts as its kernels do.
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
from typing import Any

HERE = Path(__file__).resolve().parents[2]
WARM_UP = 8  # chunks: the cache is full


def measure(size: int, steps: int, chunks: int) -> list[float]:
    """Milliseconds of each chunk, with the package that is first on the path."""
    import torch

    from sdv2_live.config.profiles import find_profile
    from sdv2_live.engine.engine import Engine
    from sdv2_live.model.load import load_models

    try:
        from sdv2_live.engine.spec import ChunkSettings, StreamSpec
    except ImportError:  # in older checkouts
        from sdv2_live.engine.spec import StreamSpec
        from sdv2_live.engine.state import ChunkSettings  # type: ignore[attr-defined, no-redef]

    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    models = load_models(find_profile("tiny"), device=cpu, dtype=torch.float32, vae="auto", weights_dir=Path())
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


def count() -> dict[str, float]:  # noqa: C901  # of the stand-ins for every kernel
    """Launches and gigabytes of one call."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    from sdv2_live.config.profiles import PROFILES
    from sdv2_live.model.dit.cache_spec import CacheSpec  # older checkouts define it there
    from sdv2_live.model.dit.dit import CausalDiT

    found = {"launches": 0, "bytes": 0}

    def moved(*tensors: torch.Tensor) -> None:
        found["launches"] += 1
        found["bytes"] += sum(tensor.numel() * tensor.itemsize for tensor in tensors)

    class Counter(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            with self:  # in inference mode, operations made of others arrive whole
                if (out := func.decompose(*args, **(kwargs or {}))) is not NotImplemented:
                    return out
            out = func(*args, **(kwargs or {}))
            if not func.is_view and "empty" not in func.overloadpacket.__name__ and "detach" not in func.overloadpacket.__name__:
                moved(*(tensor for tensor in tree_leaves((args, kwargs, out)) if isinstance(tensor, torch.Tensor)))
            return out

    class Kernels:
        """The Triton kernels' reads and writes."""

        def add_norm(self, x, branch, gate, weight, bias):  # type: ignore[no-untyped-def]
            moved(x, x, weight[:1, :1], bias[:1, :1], *(() if branch is None else (branch, x)))
            return x, torch.empty_like(x)

        def rms_norm(self, x, weight):  # type: ignore[no-untyped-def]
            moved(x, x)
            return torch.empty_like(x)

        def linear_gelu(self, layer, x):  # type: ignore[no-untyped-def]
            return layer(x)  # GELU is in the product

        def remember(self, qkv, norms, rotations, kv, layer, plan):  # type: ignore[no-untyped-def]
            moved(qkv, qkv, rotations)
            if any(plan.adapts):
                for part in (2 / 3, 0.0, 4 / 3):  # token means; which slot; into the slot
                    moved(torch.empty(int(qkv.numel() * part), dtype=qkv.dtype, device="meta"))
            return torch.empty(*qkv.shape[:2], *kv.k.shape[-2:], dtype=qkv.dtype, device="meta")

    def attention(q, k, v, **others):  # type: ignore[no-untyped-def]
        moved(q, k, v, q)
        return torch.empty_like(q)

    torch.nn.functional.scaled_dot_product_attention = attention  # type: ignore[assignment]
    with torch.device("meta"), torch.inference_mode():
        dit = CausalDiT(PROFILES["1.3b"].dit).to(torch.bfloat16)
        cache, cross, rope = dit.new_cache(CacheSpec(), (60, 104)), dit.condition(torch.zeros(1, 512, 4096)), dit.rope()
        x, t = torch.zeros(1, 1, 16, 60, 104), torch.zeros(1, 1)
        if hasattr(dit, "pack"):  # on meta nothing is joined: say what it will be
            import sdv2_live.model.dit.dit as dit_module
            from sdv2_live.model.dit import layers as dit_layers

            def joined(layers, x):  # type: ignore[no-untyped-def]
                width = sum(layer.out_features for layer in layers)
                moved(x, torch.empty(width, x.shape[-1] + 1, dtype=x.dtype), y := x.new_empty(*x.shape[:-1], width))
                return y

            dit_module.find_ops = lambda *_: Kernels()  # type: ignore[attr-defined,assignment]
            dit_layers.packed_linear = joined  # type: ignore[attr-defined]
        for start in range(7):
            dit(x, t, [start], cross=cross, cache=cache, rope=rope)
        found.update(launches=0, bytes=0)
        with Counter():
            dit(x, t, [7], cross=cross, cache=cache, rope=rope)
    return {"launches": found["launches"], "GB": round(found["bytes"] / 1e9, 1)}


def run(checkout: Path, options: argparse.Namespace) -> Any:
    """One round in a process of its own: its measurements, or its counts."""
    command = [
        sys.executable,
        __file__,
        "--measure",
        *(f"--{name}={getattr(options, name)}" for name in ("size", "steps", "chunks")),
    ]
    command += ["--count"] if options.count else []
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout, such as of an older commit")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2, choices=(1, 2, 3, 4))
    parser.add_argument("--chunks", type=int, default=12, help="counted in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", action="store_true", help="count the 1.3B DiT's operations and bytes instead")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(count() if options.count else measure(options.size, options.steps, options.chunks)))
        return 0
    checkouts = [path.resolve() for path in (options.against, HERE) if path is not None]
    if options.count:
        for checkout in checkouts:
            print(f"{checkout}: one call of the DiT, {run(checkout, options)}")
        return 0
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
