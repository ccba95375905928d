"""Frames that are pushed as they come give the pictures that they give when they come together, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from support import tiny
from support.prompts import Dictionary

from sdv2_live.config.schema import Config, VideoConfig
from sdv2_live.config.schema_engine import EngineConfig
from sdv2_live.control.params import Params
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt import PromptDirector
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.errors import EngineError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.pipeline.stream import Stream
from sdv2_live.stats import StageTimer

PARAMS = replace(Params(), prompt="red", adapt_sink_threshold=-1.0, mix=0.75)
ENGINES = tiny.small_engines()


@pytest.fixture
def prompts() -> Iterator[PromptCache]:
    cache = PromptCache(Dictionary())
    yield cache
    cache.close()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


def new_stream(engine: Engine, prompts: PromptCache, size: tuple[int, int] | None = None, **keys: object) -> Stream:
    config = Config(engine=EngineConfig(**keys), video=VideoConfig(size=size))  # type: ignore[arg-type]
    return Stream(engine, PromptDirector(engine.dit, prompts), config, 64 * 64, StageTimer())


def noise(first: int, count: int, height: int = 32, width: int = 32, format: PixelFormat = PixelFormat.RGBX) -> list[Frame]:
    """Frames that differ in every pixel."""
    shape = (height, width * format.bytes_per_pixel)
    return [
        Frame(np.random.default_rng(i).integers(0, 256, shape, np.uint8), width, height, format, Fraction(30), i * 33_000_000, i)
        for i in range(first, first + count)
    ]


def chunk(
    stream: Stream,
    frames: Sequence[Frame],
    pushed: Sequence[int],
    params: Params = PARAMS,
    *,
    reset: bool = False,
    scale: float = 1.0,
) -> bytes:
    """The pictures of one chunk: `pushed` says how many of its frames were there at each push."""
    stream.prepare(frames[0], params, render_scale=scale)
    for count in pushed:
        stream.push(frames[:count])
    needed = stream.prepare(frames[0], params, reset=reset, render_scale=scale)
    return b"".join(frame.data.tobytes() for frame in stream.paint(frames[:needed], params, wait_for_prompt=True))


@pytest.mark.parametrize("schedule", ["sequential", "stream_batch"])
@pytest.mark.parametrize("pushed", [(1, 2, 3), (2, 2, 3), (3,), (4,)])
def test_pushed_or_not_the_pictures_are_the_same(
    engine: Engine, prompts: PromptCache, schedule: str, pushed: tuple[int, ...]
) -> None:
    early, late = (new_stream(engine, prompts, schedule=schedule) for _ in range(2))
    for i in range(5):
        frames = noise(5 * i, 5)
        now = pushed if i != 2 else ()  # now and then a chunk's frames are all there
        assert chunk(early, frames, now) == chunk(late, frames, ())
    stages = early.timer.summaries()
    assert stages["push"].count == 4 * len(pushed)
    assert stages["preprocess"].count == stages["encode"].count == 5


def test_a_reset_in_mid_chunk_begins_with_the_frames_that_were_pushed(engine: Engine, prompts: PromptCache) -> None:
    early, late = (new_stream(engine, prompts) for _ in range(2))
    for stream in (early, late):
        chunk(stream, noise(0, 5), ())
    for i, pushed in ((1, (1, 2, 3)), (2, (3,))):
        frames = noise(5 * i, 5)
        assert chunk(early, frames, pushed, reset=True) == chunk(late, frames, (), reset=True)
    early.prepare(frames[0], PARAMS)
    early.push(frames[:2])
    early.prepare(frames[0], PARAMS, reset=True)
    early.push(frames[:3])  # what was forgotten is taken in again
    assert chunk(early, frames, (4,)) == chunk(new_stream(engine, prompts), frames, ())


def test_a_prompt_cut_in_mid_chunk_keeps_what_was_pushed(engine: Engine, prompts: PromptCache) -> None:
    early, late = (new_stream(engine, prompts) for _ in range(2))
    for stream in (early, late):
        chunk(stream, noise(0, 5), ())
    cut = replace(PARAMS, prompt="a green forest", prompt_change="cut", transition_chunks=0)
    for i in (1, 2):
        assert chunk(early, noise(5 * i, 5), (1, 3), cut) == chunk(late, noise(5 * i, 5), (), cut)


def test_what_was_pushed_is_gone_with_a_stream_that_is_thrown_away(engine: Engine, prompts: PromptCache) -> None:
    stream, frames = new_stream(engine, prompts), noise(20, 5)
    chunk(stream, noise(0, 5), ())
    stream.prepare(frames[0], PARAMS)
    stream.push(noise(10, 3))
    stream.discard()
    assert chunk(stream, frames, (2,)) == chunk(new_stream(engine, prompts), frames, ())


@pytest.mark.parametrize("change", ["size", "render scale", "spec"])
def test_what_was_pushed_is_gone_with_a_new_stream(engine: Engine, prompts: PromptCache, change: str) -> None:
    stream, fresh, frames, scale = new_stream(engine, prompts), new_stream(engine, prompts), noise(20, 5), 1.0
    chunk(stream, noise(0, 5), ())
    stream.prepare(frames[0], PARAMS)
    stream.push(frames[:3])
    if change == "size":
        frames = noise(30, 5, 48, 64)
    elif change == "render scale":
        scale = 0.3
    else:
        state = stream._state
        assert state is not None
        stream.begin(state.spec)
    assert chunk(stream, frames, (2,), scale=scale) == chunk(fresh, frames, (), scale=scale)


@pytest.mark.parametrize("other", [{"height": 48}, {"format": PixelFormat.UYVY}])
def test_frames_of_another_kind_do_not_go_on_with_those_that_were_pushed(
    engine: Engine, prompts: PromptCache, other: dict[str, object]
) -> None:
    """The model's size stays; the encoder can only be rid of them by a reset. Nothing pushed, nothing reset."""
    stream, plain = (new_stream(engine, prompts, size=(32, 32)) for _ in range(2))
    for one in (stream, plain):
        chunk(one, noise(0, 5), ())
    frames = noise(20, 5, **other)  # type: ignore[arg-type]
    assert chunk(stream, frames, (1, 3)) == chunk(plain, frames, ())
    stream.prepare(noise(30, 1)[0], PARAMS)
    stream.push(noise(30, 2))
    assert stream.prepare(frames[0], PARAMS) == 5
    assert chunk(stream, frames, (2,)) == chunk(new_stream(engine, prompts, size=(32, 32)), frames, ())


def test_frames_that_were_left_out_are_refused(prompts: PromptCache) -> None:
    stream, frames = new_stream(ENGINES["wan"], prompts), noise(0, 6)
    stream.prepare(frames[0], PARAMS)
    stream.push(frames[:2])
    with pytest.raises(EngineError, match="do not go on from the 2 of 5"):
        stream.paint(frames[1:6], PARAMS)


def test_in_text_mode_nothing_is_looked_at(prompts: PromptCache) -> None:
    early, late = (new_stream(ENGINES["wan"], prompts, mode="text") for _ in range(2))
    for i in range(3):
        frames = noise(5 * i, 5)
        assert chunk(early, frames, (1, 2)) == chunk(late, frames, ())
    assert "push" not in early.timer.summaries()
