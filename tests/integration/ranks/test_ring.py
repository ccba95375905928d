"""A ring of real processes over gloo paints what one process paints, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import tiny
from support.lora_files import linear_layers, pairs_for, write
from support.prompts import Dictionary
from support.ranks import Ranks, part

from sdv2_live.chunk import AHEAD, Chunk
from sdv2_live.config.load import load_config
from sdv2_live.control.params import Params
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt import PromptDirector
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.engine.spec import ChunkSettings, Schedule, StreamSpec
from sdv2_live.frame import Frame
from sdv2_live.io.synthetic import TestSource
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.lora.lora import LoraSet
from sdv2_live.model.sizes import DitConfig, WanVaeConfig
from sdv2_live.model.vae.wan import WanVAE
from sdv2_live.pipeline.stream import Stream
from sdv2_live.ranks import denoising
from sdv2_live.ranks.denoising import RingEngine
from sdv2_live.stats import StageTimer

MODEL = DitConfig(dim=96, heads=2, ffn=192, layers=4, text_dim=tiny.TEXT_DIM)
SMALL = ["video.size=64x64", "engine.kv_frames=4", "engine.sink_frames=2", "engine.rope_refresh_frame=7"]
START = Params(prompt="ink", adapt_sink_threshold=0.3, steps=(700, 500), lora_scales=(0.4,))


@pytest.fixture(scope="module")
def ranks() -> Iterator[Ranks]:
    torch.set_num_threads(1)
    group = Ranks()
    yield group
    group.close()


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dit, _ = part(job(), 0)
    return write(tmp_path_factory.mktemp("lora") / "lora.safetensors", pairs_for(dit, linear_layers(dit)))


def job(**other: Any) -> dict[str, Any]:
    """All of the model in one process."""
    return {
        "config": {name: getattr(MODEL, name) for name in MODEL.__slots__},
        "cuts": [0, 4],
        "dtype": "float32",
        "loras": [],
    } | other


@dataclass(frozen=True)
class Played:
    """One chunk of a show: its parameters, and what happens before it."""

    params: Params = START
    reset: bool = False
    size: tuple[int, int] = (64, 64)


def played(engine: Engine, loras: LoraSet, chunks: list[Played], *options: str, ahead: int = AHEAD) -> list[np.ndarray]:
    """The pictures of these chunks, of which up to `ahead` are launched before the first is fetched."""
    config = load_config(None, [*SMALL, *options])
    prompts = PromptCache(Dictionary())
    stream = Stream(engine, PromptDirector(engine.dit, prompts), config, 64 * 64, StageTimer(), loras=loras)
    found, waiting = [], []
    with ExitStack() as opened:
        opened.callback(prompts.close)
        sizes = {chunk.size for chunk in chunks}
        sources = {size: opened.enter_context(TestSource(size[1], size[0], Fraction(30), realtime=False)) for size in sizes}
        for chunk in chunks:
            frames = iter(partial(sources[chunk.size].read, 1.0), None)
            like = next(frames)
            needed = stream.prepare(like, chunk.params, reset=chunk.reset)
            taken: list[Frame] = [like, *islice(frames, needed - 1)]
            waiting.append(stream.launch(Chunk.of(taken, chunk.params), wait_for_prompt=True))
            while len(waiting) > ahead:
                found += [frame.data.copy() for frame in waiting.pop(0).result().pictures]
        for last in waiting:
            found += [frame.data.copy() for frame in last.result().pictures]
    return found


def vae(dtype: str = "float32") -> WanVAE:
    made = tiny.synthetic(WanVAE(WanVaeConfig(dim=4, num_res_blocks=1)))
    assert isinstance(made, WanVAE)
    return made.to(getattr(torch, dtype))


ALONE: dict[str, list[np.ndarray]] = {}  # what one process painted, by what it was asked for


def same(ranks: Ranks, size: int, chunks: list[Played], *options: str, **model: Any) -> None:
    """Assert that a ring of this size paints what one process does, also with chunks in flight."""
    kept, dtype = f"{chunks} {options} {model}", model.get("dtype", "float32")
    if kept not in ALONE:
        dit, loras = part(job(dtype=dtype, loras=model.get("loras", [])), 0)
        ALONE[kept] = played(Engine(dit, vae(dtype)), loras, chunks, *options)
    alone = ALONE[kept]
    assert len({picture.tobytes() for picture in alone}) > len(alone) / 2  # something moves
    for ahead in (AHEAD, 0) if size == 2 else (AHEAD,):
        with ranks.ring(MODEL, size, **model) as (ring, ring_loras):
            together = played(RingEngine(ring, vae(dtype)), ring_loras, chunks, *options, ahead=ahead)
        assert len(alone) == len(together)
        assert all(map(np.array_equal, alone, together)), (size, ahead)


SHOW = [
    *[Played()] * 5,  # the cache is full, and its sinks adapt
    *[Played(replace(START, prompt="moss", transition_chunks=3))] * 4,  # past the refresh of positions
    *[Played(replace(START, prompt="rust", prompt_change="cut"))] * 2,
    Played(reset=True),
    *[Played(replace(START, seed=5, noise_scale=0.5))] * 2,
]


@pytest.mark.parametrize("size", [2, 3, 4])
def test_all_steps_in_turn(ranks: Ranks, size: int) -> None:
    same(ranks, size, SHOW)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_a_step_of_each_chunk_at_once(ranks: Ranks, size: int) -> None:
    same(ranks, size, SHOW, "engine.schedule=stream_batch")


@pytest.mark.parametrize("schedule", ["sequential", "stream_batch"])
def test_a_leader_without_blocks(ranks: Ranks, schedule: str) -> None:
    same(ranks, 3, SHOW, f"engine.schedule={schedule}", cuts=[0, 0, 3, 4])


@pytest.mark.parametrize("schedule", ["sequential", "stream_batch"])
def test_other_steps_other_sizes(ranks: Ranks, schedule: str) -> None:
    more = replace(START, steps=(800, 600, 300))
    same(
        ranks,
        3,
        [*[Played()] * 3, *[Played(more)] * 4, *[Played(size=(48, 80))] * 3],
        f"engine.schedule={schedule}",
        "video.size=auto",
    )


@pytest.mark.parametrize(("size", "schedule"), [(2, "sequential"), (3, "sequential"), (2, "stream_batch")])
def test_live_loras_of_changing_scales(ranks: Ranks, lora: Path, size: int, schedule: str) -> None:
    louder = [Played(replace(START, lora_scales=(scale,))) for scale in (0.4, 0.4, 0.0, 0.9, 0.9, 0.2)]
    same(ranks, size, louder, f"engine.schedule={schedule}", loras=[lora])


def test_bfloat16(ranks: Ranks) -> None:
    same(ranks, 2, SHOW, "engine.schedule=stream_batch", dtype="bfloat16")


def test_levels_stay_together_where_apart_they_would_round_otherwise(ranks: Ranks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoising, "levels_apart", lambda *_: False)
    same(ranks, 3, SHOW, "engine.schedule=stream_batch")


@pytest.mark.parametrize(
    "kind",
    [
        {"context_t": 0.0, "block": 3, "first_frames": 9},
        {"context_t": 0.0, "positions": "relative", "block": 2, "first_frames": 5},
        {"context_t": 0.0, "rope_refresh_frame": 8, "block": 1},
    ],
    ids=["context pass", "relative positions", "the table's end"],
)
def test_models_of_other_kinds(ranks: Ranks, kind: dict[str, Any]) -> None:
    spec = StreamSpec(64, 64, **{"cache": CacheSpec(7, 1, -1), "rope_refresh_frame": 50, **kind})
    dit, _ = part(job(), 0)
    alone = latents(Engine(dit, vae()), spec)
    for size in (2, 4):
        with ranks.ring(MODEL, size) as (ring, _):
            assert all(map(torch.equal, alone, latents(RingEngine(ring, vae()), spec))), size


@torch.inference_mode()
def latents(engine: Engine, spec: StreamSpec, chunks: int = 6) -> list[torch.Tensor]:
    """Clean latents of some chunks."""
    state, cross = engine.new_state(spec), tiny.prompt(engine)
    generator, found = torch.Generator().manual_seed(4), []
    for _ in range(chunks):
        pixels = torch.randn(1, 3, state.frames_needed, spec.height, spec.width, generator=generator)
        latent = engine.encode(pixels, state)
        clean = engine.denoise(latent, cross, engine.plan(pixels, ChunkSettings(steps=(700, 500)), state), 3, state)
        assert clean is not None
        found.append(clean)
    return found


def test_a_past_that_weighs_less_is_made_anew_or_flushed(ranks: Ranks) -> None:
    spec = StreamSpec(64, 64, cache=CacheSpec(4, 1, 0.2))
    dit, _ = part(job(), 0)
    alone = remembered(Engine(dit, vae()), spec)
    for size in (2, 4):
        with ranks.ring(MODEL, size) as (ring, _):
            assert all(map(torch.equal, alone, remembered(RingEngine(ring, vae()), spec))), size


@pytest.mark.parametrize("size", [2, 3])
def test_a_past_of_levels_that_weighs_less_is_flushed(ranks: Ranks, size: int) -> None:
    spec = StreamSpec(64, 64, cache=CacheSpec(4, 1, 0.2), schedule=Schedule.STREAM_BATCH)
    dit, _ = part(job(), 0)
    alone = remembered(Engine(dit, vae()), spec)
    with ranks.ring(MODEL, size) as (ring, _):
        assert all(map(torch.equal, alone, remembered(RingEngine(ring, vae()), spec)))


@torch.inference_mode()
def remembered(engine: Engine, spec: StreamSpec) -> list[torch.Tensor]:
    """Clean latents of chunks between which the past is weighed, made anew for another prompt, and flushed."""
    state, prompts = engine.new_state(spec), [tiny.prompt(engine, seed) for seed in (1, 2)]
    generator, found = torch.Generator().manual_seed(4), []
    for chunk in range(10):
        if chunk == 5:
            engine.recache(prompts[1], state)
        if chunk == 7:
            state.flush_()
        pixels = torch.randn(1, 3, state.frames_needed, spec.height, spec.width, generator=generator)
        latent = engine.encode(pixels, state)
        settings = ChunkSettings(steps=(700, 500), memory=0.3 if chunk in (3, 6, 9) else 1.0)
        clean = engine.launch(latent, prompts[chunk >= 5], engine.plan(pixels, settings, state), 3, state)
        found.append(clean)
    return [clean if isinstance(clean, torch.Tensor) else clean() for clean in found if clean is not None]


def test_two_streams_of_one_ring_never_touch_each_other(ranks: Ranks) -> None:
    spec = StreamSpec(64, 64, cache=CacheSpec(4, 2, 0.2))
    with ranks.ring(MODEL, 2) as (ring, _):
        engine = RingEngine(ring, vae())
        first, again = latents(engine, spec), latents(engine, spec)
        other = engine.new_state(replace(spec, schedule=Schedule.STREAM_BATCH))
        assert other.queue is not None
    assert all(map(torch.equal, first, again))
