"""A stream's set-up is announced, whatever makes it necessary, and nothing of the stream before it stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
from support import tiny
from support.prompts import Dictionary

from sdv2_live.config.schema import Config
from sdv2_live.config.schema_engine import EngineConfig
from sdv2_live.control.params import Params
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.pipeline.stream import Stream

PARAMS = replace(Params(), prompt="red", adapt_sink_threshold=-1.0)
LOST = "CUDA error: an illegal memory access was encountered"


@pytest.fixture
def prompts() -> Iterator[PromptCache]:
    cache = PromptCache(Dictionary())
    yield cache
    cache.close()


def new_stream(prompts: PromptCache, schedule: str = "sequential") -> tuple[Stream, list[bool]]:
    """A stream, and a list that grows with each announcement: whether the old stream is still there."""
    stream = tiny.stream(tiny.small_engine(), prompts, Config(engine=EngineConfig(schedule=schedule)))  # type: ignore[arg-type]
    announced: list[bool] = []
    stream.on_set_up = lambda: announced.append(stream._state is not None)
    return stream, announced


def paint(
    stream: Stream, params: Params = PARAMS, *, size: tuple[int, int] = (32, 32), reset: bool = False, scale: float = 1.0
) -> None:
    height, width = size
    frames = (
        Frame(np.full((height, width * 4), 9, np.uint8), width, height, PixelFormat.RGBX, Fraction(30), i, i) for i in range(9)
    )
    like = next(frames)
    needed = stream.prepare(like, params, reset=reset, render_scale=scale)
    stream.paint([like, *islice(frames, needed - 1)], params, wait_for_prompt=True)


def test_every_cause_of_a_set_up_is_announced_before_it_begins(prompts: PromptCache) -> None:
    stream, announced = new_stream(prompts)
    paint(stream)
    assert announced == [False]
    paint(stream, scale=0.3)
    paint(stream)
    assert announced == [False, True, True]
    paint(stream, size=(48, 64))
    assert len(announced) == 4
    for change in ({"normalize_latents": True}, {"adapt_sink_threshold": 0.5}):
        params = replace(PARAMS, **change)
        paint(stream, params, size=(48, 64))
        before = len(announced)
        paint(stream, params, size=(48, 64), reset=True)
        assert len(announced) == before + 1
    stream.discard()
    paint(stream, params, size=(48, 64))
    assert announced[-1] is False


def test_with_stream_batch_another_number_of_steps_is_a_set_up(prompts: PromptCache) -> None:
    stream, announced = new_stream(prompts, "stream_batch")
    for steps in ((700, 500), (700,), (700,), (800, 600, 300)):
        paint(stream, replace(PARAMS, steps=steps))
    assert len(announced) == 3


def test_what_needs_no_set_up_announces_none(prompts: PromptCache) -> None:
    stream, announced = new_stream(prompts)
    paint(stream)
    for params in (PARAMS, replace(PARAMS, steps=(700,)), replace(PARAMS, prompt="green", prompt_change="cut")):
        paint(stream, params, reset=params is PARAMS)
    assert len(announced) == 1


def test_a_lost_gpu_leaves_nothing_of_the_stream(prompts: PromptCache) -> None:
    stream, _ = new_stream(prompts)
    paint(stream)

    @contextmanager
    def lost() -> Iterator[None]:
        raise RuntimeError(LOST)
        yield

    there, stream._lanes.alone = stream._lanes.alone, lost  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(RuntimeError, match="illegal memory access"):
            stream.discard()
        assert stream.size is None
        assert not stream._launched
    stream._lanes.alone = there  # type: ignore[method-assign]
    paint(stream)  # what failed is no obstacle
    assert stream.size is not None
