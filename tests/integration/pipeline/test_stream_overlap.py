"""Chunks launched before the ones ahead are fetched give the same pictures; on a GPU they overlap and race for nothing."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
import torch

from sdv2_live.chunk import AHEAD, Chunk
from sdv2_live.config.load import load_config
from sdv2_live.frame import Frame
from sdv2_live.io.synthetic import TestSource
from sdv2_live.pipeline.build import load, new_prompts, new_stream
from sdv2_live.stats import StageTimer


def painted(device: str, chunks: int, *, ahead: int, reset_at: int = -1) -> tuple[list[np.ndarray], dict[str, int]]:
    """Pictures of so many chunks of the embedded model, fetched when `ahead` further chunks are launched."""
    config = load_config(None, [f"model.device={device}", "video.size=64x64", "engine.kv_frames=3", "engine.sink_frames=1"])
    models = load(config)
    prompts = new_prompts(config, models)
    timer = StageTimer(10_000)
    found: list[np.ndarray] = []
    try:
        stream = new_stream(config, models, prompts, timer)
        with TestSource(64, 64, Fraction(30), realtime=False) as source:
            frames = iter(lambda: source.read(1.0), None)
            waiting = []
            for i in range(chunks):
                like = next(frames)
                needed = stream.prepare(like, config.params, reset=i == reset_at)
                chunk: list[Frame] = [like, *islice(frames, needed - 1)]
                waiting.append(stream.launch(Chunk.of(chunk, config.params), wait_for_prompt=True))
                while len(waiting) > ahead:
                    found += [frame.data.copy() for frame in waiting.pop(0).result().pictures]
            for wait in waiting:
                found += [frame.data.copy() for frame in wait.result().pictures]
    finally:
        prompts.close()
    return found, {stage: summary.count for stage, summary in timer.summaries().items()}


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_launched_ahead_equals_one_by_one() -> None:
    one_by_one, counts = painted("cpu", 5, ahead=0, reset_at=3)
    assert len(one_by_one) == 5 + 4 + 4 + 5 + 4
    assert set(counts.values()) == {5}
    assert same(painted("cpu", 5, ahead=AHEAD, reset_at=3)[0], one_by_one)


@pytest.mark.gpu
def test_overlapping_chunks_have_the_same_bits_over_two_hundred() -> None:
    one_by_one, counts = painted("cuda", 200, ahead=0, reset_at=120)
    assert set(counts) >= {"preprocess", "encode", "denoise", "decode", "postprocess"}
    for _ in range(2):
        assert same(painted("cuda", 200, ahead=AHEAD, reset_at=120)[0], one_by_one)


@pytest.mark.gpu
def test_launching_does_not_wait_for_the_pictures() -> None:
    """At least one launched chunk is not done when `launch` returns: the host runs ahead of the device."""
    config = load_config(None, ["model.device=cuda", "video.size=512x512"])
    models = load(config)
    prompts = new_prompts(config, models)
    try:
        stream = new_stream(config, models, prompts, StageTimer())
        with TestSource(512, 512, Fraction(30), realtime=False) as source:
            frames = iter(lambda: source.read(1.0), None)
            busy = False
            for _ in range(20):
                like = next(frames)
                needed = stream.prepare(like, config.params)
                chunk = Chunk.of([like, *islice(frames, needed - 1)], config.params)
                launched = stream.launch(chunk, wait_for_prompt=True)
                done = torch.cuda.Event()
                done.record(stream._lanes._streams["output"])  # type: ignore[attr-defined]
                busy |= not done.query()
                launched.result()
        assert busy
    finally:
        prompts.close()
