"""Feedback and looks in a stream: what they feed on, what forgets it, and that nothing of it depends on time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import tiny
from support.prompts import Dictionary

from sdv2_live.chunk import Chunk
from sdv2_live.config.schema import Config, OutputConfig, VideoConfig
from sdv2_live.config.schema_engine import EngineConfig
from sdv2_live.control.params import Params
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.gpu.feedback import Feedback, Move
from sdv2_live.gpu.preprocess import Preprocessor
from sdv2_live.pipeline.stream import Stream

PARAMS = replace(Params(), prompt="red", adapt_sink_threshold=-1.0)
FED = replace(PARAMS, feedback=0.6, feedback_zoom=1.2, feedback_rotate=4.0, feedback_hue=9.0)
SIZE = (32, 48)


@pytest.fixture
def prompts() -> Iterator[PromptCache]:
    cache = PromptCache(Dictionary())
    yield cache
    cache.close()


def new_stream(prompts: PromptCache, luts: Path | None = None, fps: int = 0, **engine: Any) -> Stream:
    config = Config(engine=EngineConfig(**engine), video=VideoConfig(size=SIZE), output=OutputConfig(luts=luts, fps=fps))
    return tiny.stream(tiny.small_engine(), prompts, config)


def frames(first: int, count: int) -> list[Frame]:
    random = [np.random.default_rng(i).integers(0, 256, (SIZE[0], 4 * SIZE[1]), np.uint8) for i in range(first, first + count)]
    return [
        Frame(rows, SIZE[1], SIZE[0], PixelFormat.RGBX, Fraction(30), i * 33_000_000, i) for i, rows in enumerate(random, first)
    ]


def painted(stream: Stream, looks: Sequence[Params], *, push: int = 0, ahead: bool = False) -> list[bytes]:
    """A chunk for each of the parameters. push: so many frames of each beforehand. ahead: wait for none before the next."""
    launched, at = [], 0
    for params in looks:
        needed = stream.prepare(frames(at, 1)[0], params)
        taken = frames(at, needed)
        at += needed
        if push:
            stream.push(taken[:push])
        launched.append(stream.launch(Chunk.of(taken, params), wait_for_prompt=True))
        if not ahead:
            launched[-1].result()
    return [picture.data.tobytes() for each in launched for picture in each.result().pictures]


@pytest.mark.parametrize("engine", [{}, {"mode": "text"}, {"schedule": "stream_batch"}], ids=["video", "text", "batch"])
def test_without_feedback_its_moves_change_nothing_and_with_it_they_do(prompts: PromptCache, engine: dict[str, Any]) -> None:
    still, moving, fed = (
        painted(new_stream(prompts, **engine), [params] * 3) for params in (PARAMS, replace(FED, feedback=0.0), FED)
    )
    assert still == moving
    first = {"text": 1}.get(engine.get("mode", ""), 5)
    assert fed[:first] == still[:first]  # there was no picture before
    assert fed[first:] != still[first:]


@pytest.mark.parametrize("engine", [{}, {"mode": "text"}, {"schedule": "stream_batch"}], ids=["video", "text", "batch"])
def test_the_picture_before_is_waited_for(prompts: PromptCache, engine: dict[str, Any]) -> None:
    alone, overlapped, pushed = (
        painted(new_stream(prompts, **engine), [FED] * 4, **how) for how in ({}, {"ahead": True}, {"ahead": True, "push": 2})
    )
    assert alone == overlapped == pushed


def test_the_input_that_is_encoded_holds_the_last_picture_moved_once_more_in_each_frame(
    prompts: PromptCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, seen = new_stream(prompts), []
    encode = stream.engine.encode
    monkeypatch.setattr(stream.engine, "encode", lambda pixels, state: seen.append(pixels.clone()) or encode(pixels, state))
    painted(stream, [FED] * 2)
    state = stream._state
    assert state is not None
    last = state.painted
    assert last is not None
    painted_again = frames(9, 4)
    stream.prepare(painted_again[0], FED)
    stream.paint(painted_again, FED, wait_for_prompt=True)
    plain = Preprocessor(SIZE).chunk(painted_again)
    assert torch.equal(seen[-1], Feedback()(plain, last, Move(1.2, 4.0, hue=9.0), 0.6, range(1, 5)))


@pytest.mark.parametrize("mode", ["video", "text"])
def test_a_reset_and_a_cut_forget_the_picture(prompts: PromptCache, mode: str) -> None:
    stream = new_stream(prompts, mode=mode)
    fresh = painted(stream, [FED] * 3)
    stream.prepare(frames(0, 1)[0], FED, reset=True)
    assert painted(stream, [FED] * 3) == fresh
    cut, plain = replace(FED, prompt="blue", prompt_change="cut"), replace(PARAMS, prompt="blue", prompt_change="cut")
    one, other = (painted(new_stream(prompts, mode=mode), [FED, FED, last])[-4:] for last in (cut, plain))
    assert one == other


def test_a_picture_that_nobody_sees_is_fed_back_too(prompts: PromptCache) -> None:
    watched, unwatched = new_stream(prompts), new_stream(prompts)
    for stream in (watched, unwatched):
        for at, needed in ((0, 5), (5, 4)):
            stream.prepare(frames(at, 1)[0], FED)
            stream.paint(frames(at, needed), FED, wait_for_prompt=True, convert=stream is watched)
    one, other = (
        [picture.data.tobytes() for picture in stream.paint(frames(9, 4), FED, wait_for_prompt=True)]
        for stream in (watched, unwatched)
    )
    assert one == other


def test_frames_with_a_look_may_be_pushed(prompts: PromptCache) -> None:
    look = replace(PARAMS, input_brightness=0.1, input_hue=90.0, input_mirror=True)
    together, pushed, plain = (
        painted(new_stream(prompts), [params] * 2, push=push) for params, push in ((look, 0), (look, 3), (PARAMS, 0))
    )
    assert together == pushed != plain


def test_the_outputs_look_changes_the_picture_and_not_what_is_painted(prompts: PromptCache, tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "negative.cube").write_text("LUT_1D_SIZE 2\n1 1 1\n0 0 0\n")
    stream = new_stream(prompts, tmp_path)
    looks = [
        PARAMS,
        replace(PARAMS, output_mirror=True),
        replace(PARAMS, output_lut="negative"),
        replace(PARAMS, output_lut="no"),
    ]
    plain, made = (painted(new_stream(prompts, tmp_path), [PARAMS] * 4), painted(stream, looks))
    pictures, others = (
        [np.frombuffer(one, np.uint8).reshape(*SIZE, 4)[..., :3].astype(int) for one in each] for each in (plain, made)
    )
    assert made[:5] == plain[:5]
    assert all((one == other[:, ::-1]).all() for one, other in zip(others[5:9], pictures[5:9], strict=True))
    assert all(np.abs(255 - one - other).max() <= 1 for one, other in zip(others[9:13], pictures[9:13], strict=True))
    assert made[13:] == plain[13:]
    assert sum("output/lut" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("schedule", ["sequential", "stream_batch"])
def test_moved_pictures_depend_on_no_time_and_a_reset_forgets_the_last(prompts: PromptCache, schedule: str) -> None:
    stream = new_stream(prompts, fps=60, schedule=schedule)
    alone = painted(stream, [PARAMS] * 4)
    assert len(alone) == {"sequential": 32, "stream_batch": 24}[schedule]  # to 528 and 396 ms
    assert painted(new_stream(prompts, fps=60, schedule=schedule), [PARAMS] * 4, ahead=True, push=2) == alone
    stream.prepare(frames(0, 1)[0], PARAMS, reset=True)
    assert painted(stream, [PARAMS] * 4) == alone
