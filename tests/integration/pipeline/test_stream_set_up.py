"""A stream's set-up is announced, whatever makes it necessary, and nothing of the stream before it stays."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import pytest
from support import tiny
from support.prompts import Dictionary
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from sdv2_live.config.schema import Config
from sdv2_live.config.schema_engine import EngineConfig
from sdv2_live.control.params import Params
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.engine.vae_graphs import GraphedMemory, GraphedVae
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


def once(function: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """A `Capture` that holds what one of CUDA holds: the result's memory, and nothing of the function."""
    result = function()
    return lambda: result


@pytest.mark.parametrize("schedule", ["sequential", "stream_batch"])
def test_nothing_of_a_stream_lives_on_when_the_next_begins(schedule: str, prompts: PromptCache) -> None:
    """A GPU has no room for two, and the collector of cycles does not see what they hold."""
    stream = graphed_stream(prompts, schedule)
    gc.disable()
    try:
        for anew in (
            {"size": (48, 64)},
            {"scale": 0.3},
            {"params": replace(PARAMS, normalize_latents=True), "reset": True},
            None,
        ):
            paint(stream)
            paint(stream, replace(PARAMS, prompt="green", transition_chunks=3))  # in the midst of a fade
            objects, tensors = left_of(stream)
            if anew is None:
                stream.discard()
            else:
                paint(stream, **anew)
            assert [one() for one in objects] == [None] * len(objects)
            assert all(tensor.expired() for tensor in tensors)
    finally:
        gc.enable()


def test_the_keys_and_values_of_a_prompt_go_with_it(prompts: PromptCache) -> None:
    stream = graphed_stream(prompts)
    gc.disable()
    try:
        for cut in (False, True):  # its copy for the graphs is renewed at once, or only when the cache is full again
            for _ in range(9):
                paint(stream)
            cross = stream._director._cross
            assert cross is not None
            keys, cross = StorageWeakRef(cross.k.untyped_storage()), None
            paint(stream, replace(PARAMS, prompt="green", prompt_change="cut" if cut else "soft"))
            assert keys.expired()
    finally:
        gc.enable()


def graphed_stream(prompts: PromptCache, schedule: str = "sequential") -> Stream:
    """A stream whose steady work is captured."""
    plain = tiny.small_engines()["taehv"]
    vae = GraphedVae(plain.vae, once, once)  # type: ignore[arg-type]
    engine = Engine(plain.dit, vae, capture=once, encode_ahead=False)
    return tiny.stream(engine, prompts, Config(engine=EngineConfig(schedule=schedule)))  # type: ignore[arg-type]


def left_of(stream: Stream) -> tuple[list[weakref.ref[Any]], list[StorageWeakRef]]:
    """What a stream holds: objects with their graphs, and the memory of tensors."""
    state = stream._state
    assert state is not None
    graphs, memory = state.graphs, state.vae
    assert graphs is not None
    assert isinstance(memory, GraphedMemory)
    captured = [*graphs._captured.values(), *memory.captured.values()]
    assert len(captured) >= 2
    objects = [state, graphs, memory, memory.own, state.cache, *captured, *(one._replay for one in captured if one._replay)]
    mine = graphs._cross
    assert mine is not None
    tensors = [state.cache.k, state.cache.v, mine.k, mine.v, *(tensor for one in captured for tensor in one._inputs)]
    if state.batch_cache is not None and state.queue is not None:
        tensors += [state.batch_cache.k, state.queue.latents]
    return [weakref.ref(one) for one in objects], [StorageWeakRef(tensor.untyped_storage()) for tensor in tensors]


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
