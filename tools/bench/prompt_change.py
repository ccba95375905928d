"""What each way to change a prompt costs: `python -m tools.bench.prompt_change [--size 256x256] [--repeats 20]`.

CPU time of one thread, so that other work on the machine matters little; the embedded model, at the settings that it starts with.
For each way: the change itself (what is done to the cache, and the new prompt's keys and values), and the denoising of the chunk
that it comes with. Below it the same chunk with another memory. The encoding of the prompt's text is not in it: it is done
beside the frame path.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from sdv2_live.config.profiles import find_profile
from sdv2_live.config.schema import Config
from sdv2_live.config.stream_spec import cache_spec
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import ChunkSettings, StreamSpec
from sdv2_live.engine.state import StreamState
from sdv2_live.model.dit.layers import CrossKV
from sdv2_live.model.load import load_models

CHUNKS = 12  # before each change: the window has rolled
WAYS: dict[str, Callable[[Engine, CrossKV, StreamState], None]] = {
    "soft": lambda engine, cross, state: None,
    "cut": lambda engine, cross, state: state.cut_(),
    "flush": lambda engine, cross, state: state.flush_(),
    "recache": lambda engine, cross, state: engine.recache(cross, state),
}


def clocked(run: Callable[[], object]) -> float:
    """Milliseconds of this thread's own time."""
    begin = time.thread_time()
    run()
    return (time.thread_time() - begin) * 1e3


class Bench:
    """A stream of the embedded model, which is always in the same state before a change."""

    def __init__(self, height: int, width: int) -> None:
        torch.set_num_threads(1)
        cpu, profile, config = torch.device("cpu"), find_profile("tiny"), Config()
        models = load_models(profile, device=cpu, dtype=torch.float32, vae="auto", weights_dir=Path())
        self.engine, self.steps = Engine(models.dit, models.vae), (400,)
        cache = cache_spec(config.engine, profile.stream, config.params.adapt_sink_threshold)
        self.state = self.engine.new_state(StreamSpec(height, width, cache=cache))
        generator = torch.Generator().manual_seed(0)
        self.prompts = [torch.randn(1, 20, profile.dit.text_dim, generator=generator) for _ in range(2)]
        self.pixels = torch.rand(1, 3, 5, height, width, generator=generator) * 2 - 1

    def chunk(self, cross: CrossKV, memory: float = 1.0) -> float:
        """Milliseconds of one chunk's denoising."""
        engine, state, settings = self.engine, self.state, ChunkSettings(0.4, self.steps, memory=memory)
        seen = self.pixels[:, :, : state.frames_needed]
        latent, plan = engine.encode(seen, state), engine.plan(seen, settings, state)
        return clocked(lambda: engine.denoise(latent, cross, plan, 42, state))

    @torch.inference_mode()
    def change(self, way: str, memory: float = 1.0) -> tuple[float, float]:
        """Milliseconds of the change, and of the chunk that it comes with."""
        self.state.reset_()
        old = self.engine.dit.condition(self.prompts[0])
        for _ in range(CHUNKS):
            self.chunk(old)
        new: list[CrossKV] = []
        prepared = clocked(lambda: new.append(self.engine.dit.condition(self.prompts[1])))
        done = clocked(lambda: WAYS[way](self.engine, new[0], self.state))
        return prepared + done, self.chunk(new[0], memory)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", default="256x256", metavar="HEIGHTxWIDTH")
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args(arguments)
    height, width = map(int, options.size.split("x"))
    bench = Bench(height, width)
    table = Table("prompt_change", "memory", "change, ms", "its chunk's denoising, ms", title=f"tiny, {options.size}, one thread")
    for way, memory in [*((way, 1.0) for way in WAYS), ("soft", 0.5)]:
        bench.change(way, memory)
        found = [bench.change(way, memory) for _ in range(options.repeats)]
        change, chunk = (statistics.median(column) for column in zip(*found, strict=True))
        table.add_row(way, f"{memory:g}", f"{change:.1f}", f"{chunk:.1f}")
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
