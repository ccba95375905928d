"""Streams of blocks, and streams that begin with an image, from frames to pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
import torch
from support import tiny
from support.prompts import Dictionary

from sdv2_live.chunk import AHEAD, Chunk
from sdv2_live.config.load import load_config
from sdv2_live.control.params import Params, updated
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.errors import EngineError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.gpu.preprocess import Preprocessor
from sdv2_live.model.profiles import StreamKind

BLOCKS = StreamKind(3, 13, shift=5.0, warp=True, window=6, sinks=0, adaptive_sinks=False, rope_refresh_frame=1024, recompute=3)
SINGLE = StreamKind(1, 1, shift=5.0, warp=True, window=6, sinks=0, adaptive_sinks=False, context_t=0.0, rope_refresh_frame=1024)
PARAMS = updated(Params(), {"prompt": "red", "adapt_sink_threshold": -1.0})


@pytest.fixture(scope="module")
def engine() -> Engine:
    return tiny.small_engine()


@pytest.fixture
def prompts() -> Iterator[PromptCache]:
    with closing(PromptCache(Dictionary())) as cache:
        yield cache


def frame(seed: int) -> Frame:
    data = np.random.default_rng(seed).integers(0, 256, (32, 32 * 4), dtype=np.uint8)
    return Frame(data, 32, 32, PixelFormat.RGBX, captured_ns=seed * 40_000_000, index=seed)


def painted(engine: Engine, prompts: PromptCache, *, ahead: int, push: bool) -> list[np.ndarray]:
    """Pictures of four chunks of 13 and 12 frames."""
    stream, waiting, found, at = tiny.stream(engine, prompts, kind=BLOCKS), [], [], 0
    for _ in range(4):
        count = stream.prepare(frame(at), PARAMS)
        frames = [frame(at + i) for i in range(count)]
        at += count
        for i in range(1, count if push else 1):
            stream.push(frames[:i])
        waiting.append(stream.launch(Chunk.of(frames, PARAMS), wait_for_prompt=True))
        while len(waiting) > ahead:
            found.append([picture.data.copy() for picture in waiting.pop(0).result().pictures])
    found += [[picture.data.copy() for picture in launched.result().pictures] for launched in waiting]
    assert [len(pictures) for pictures in found] == [13, 12, 12, 12]
    return [picture for pictures in found for picture in pictures]


def test_blocks_that_look_back_on_pictures_have_the_same_bits_launched_ahead_and_pushed(
    engine: Engine, prompts: PromptCache
) -> None:
    one_by_one = painted(engine, prompts, ahead=0, push=False)
    for mine, theirs in zip(painted(engine, prompts, ahead=AHEAD, push=True), one_by_one, strict=True):
        assert np.array_equal(mine, theirs)


def test_an_image_is_the_first_picture_and_again_after_a_reset(engine: Engine, prompts: PromptCache) -> None:
    image = frame(77)
    stream = tiny.stream(engine, prompts, load_config(None, ["engine.mode=text", "video.size=32x32"]), SINGLE, image)
    with torch.inference_mode():
        memory = engine.vae.new_memory()
        pixels = engine.vae.decode(engine.vae.encode(Preprocessor((32, 32)).chunk([image]), memory, normalize=True), memory)
    seen = ((pixels.clamp(-1, 1)[0, :, 0] + 1) * 127.5).round().permute(1, 2, 0).numpy()
    shown = []
    for reset in (False, True):
        counts = []
        for i in range(3):
            count = stream.prepare(frame(0), PARAMS, reset=reset and i == 0)
            pictures = stream.paint([frame(i) for i in range(count)], PARAMS, wait_for_prompt=True)
            counts.append(len(pictures))
            shown.append(pictures[-1].data.reshape(32, 32, 4)[..., 2::-1].copy())
        assert counts == [1, 4, 4]
    assert np.abs(shown[0].astype(float) - seen).max() <= 1
    assert all(np.array_equal(first, again) for first, again in zip(shown[:3], shown[3:], strict=True))


def test_an_image_begins_no_stream_of_longer_first_chunks(engine: Engine, prompts: PromptCache) -> None:
    stream = tiny.stream(engine, prompts, kind=BLOCKS, image=frame(0))
    with pytest.raises(EngineError, match="whose first chunk is a frame"):
        stream.prepare(frame(0), PARAMS)
