"""Detail comes from the input frames of the same moment, and from nothing that their memory holds later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from support import tiny
from support.prompts import Dictionary

from sdv2_live.config.schema import Config, VideoConfig
from sdv2_live.config.schema_engine import EngineConfig
from sdv2_live.control.params import Params
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.pipeline.stream import Stream

PARAMS = replace(Params(), prompt="red", adapt_sink_threshold=-1.0, detail=1.0)
ENGINE = tiny.small_engine()
SIZE = (96, 144)


@pytest.fixture
def prompts() -> Iterator[PromptCache]:
    cache = PromptCache(Dictionary())
    yield cache
    cache.close()


def new_stream(prompts: PromptCache, **engine: object) -> Stream:
    video = VideoConfig(size=(32, 48), output_size="input")
    return tiny.stream(ENGINE, prompts, Config(engine=EngineConfig(**engine), video=video))  # type: ignore[arg-type]


def moving_line(index: int) -> Frame:
    """A white line on grey, at a place of its own in every frame."""
    rows = np.full((SIZE[0], SIZE[1], 4), 90, np.uint8)
    rows[:, 4 + 8 * index : 6 + 8 * index] = 255
    return Frame(rows.reshape(SIZE[0], -1), SIZE[1], SIZE[0], PixelFormat.RGBX, Fraction(30), index * 33_000_000, index)


def painted(prompts: PromptCache, params: Params, *, spoil: bool = False, **engine: object) -> list[Frame]:
    """Three chunks. spoil: the frames' memory is another's as soon as their chunk is painted."""
    stream, out, begun = new_stream(prompts, **engine), [], 0
    for _ in range(3):
        needed = stream.prepare(moving_line(begun), params)
        frames = [moving_line(i) for i in range(begun, begun + needed)]
        out += stream.paint(frames, params, wait_for_prompt=True)
        begun += needed
        for frame in frames if spoil else ():
            frame.data[:] = 0
    return out


@pytest.mark.parametrize("schedule", ["sequential", "stream_batch"])
def test_the_detail_of_each_picture_is_that_of_its_own_frame(prompts: PromptCache, schedule: str) -> None:
    """The line lies in every picture where it lay in the frame of that index: it neither lags nor trails."""
    without = painted(prompts, replace(PARAMS, detail=0.0), schedule=schedule)
    crisp = painted(prompts, PARAMS, schedule=schedule, spoil=True)
    assert len(crisp) == (13 if schedule == "sequential" else 9)
    for plain, picture in zip(without, crisp, strict=True):
        change = picture.data.reshape(*SIZE, 4)[..., 1].astype(int) - plain.data.reshape(*SIZE, 4)[..., 1]
        strength = np.abs(change).mean(0)
        assert abs(int(strength.argmax()) - (4 + 8 * picture.index)) <= 2


def test_frames_whose_memory_goes_to_others_leave_their_detail(prompts: PromptCache) -> None:
    whole, spoiled = (painted(prompts, PARAMS, spoil=spoil, schedule="stream_batch") for spoil in (False, True))
    assert [frame.data.tobytes() for frame in whole] == [frame.data.tobytes() for frame in spoiled]


def test_detail_begins_with_the_chunk_that_asks_for_it(prompts: PromptCache) -> None:
    """With stream_batch an older chunk, whose frames were not kept, is shown as it was painted."""
    frames = [moving_line(i) for i in range(9)]
    streams = [new_stream(prompts, schedule="stream_batch") for _ in range(2)]
    for stream in streams:
        stream.prepare(frames[0], PARAMS)
        stream.paint(frames[:5], replace(PARAMS, detail=0.0), wait_for_prompt=True)
    one, other = (
        stream.paint(frames[5:], replace(PARAMS, detail=detail), wait_for_prompt=True)
        for stream, detail in zip(streams, (0.0, 1.0), strict=True)
    )
    assert [frame.data.tobytes() for frame in one] == [frame.data.tobytes() for frame in other]


def test_in_text_mode_there_is_no_detail(prompts: PromptCache) -> None:
    with_it, without = (painted(prompts, replace(PARAMS, detail=detail), mode="text") for detail in (1.0, 0.0))
    assert [frame.data.tobytes() for frame in with_it] == [frame.data.tobytes() for frame in without]
