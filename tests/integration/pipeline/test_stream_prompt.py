"""What a new prompt does with the past, and when: at once, with the chunk in which it has arrived, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from support import tiny
from support.prompts import Dictionary

from sdv2_live.config.schema import Config
from sdv2_live.config.schema_engine import EngineConfig
from sdv2_live.control.params import Params, updated
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.engine.spec import Schedule
from sdv2_live.engine.state import StreamState
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.pipeline.stream import Stream

PARAMS = replace(Params(), prompt="red", adapt_sink_threshold=-1.0)
ENGINE = tiny.small_engine()
FIRST, SECOND = 8, 16  # chunks with which the second and the third prompt are asked for


@pytest.fixture
def prompts() -> Iterator[PromptCache]:
    cache = PromptCache(Dictionary())
    yield cache
    cache.close()


def frames(chunk: int, count: int) -> list[Frame]:
    """Frames of one chunk, which differ in every pixel."""
    generator = np.random.default_rng(chunk)
    rows = [generator.integers(0, 256, (32, 128), np.uint8) for _ in range(count)]
    return [Frame(x, 32, 32, PixelFormat.RGBX, Fraction(30), (8 * chunk + i) * 33_000_000, i) for i, x in enumerate(rows)]


def played(stream: Stream, changes: dict[int, dict[str, Any]], chunks: int = 20) -> list[list[bytes]]:
    """Pictures of each chunk, with parameters that change at some chunks."""
    params, out = PARAMS, []
    for number in range(chunks):
        params = updated(params, changes.get(number, {}))
        shown = frames(number, stream.prepare(frames(number, 1)[0], params))
        out.append([picture.data.tobytes() for picture in stream.paint(shown, params, wait_for_prompt=True)])
    return out


def asked(how: str, chunks: int = 0) -> dict[int, dict[str, Any]]:
    way = {"prompt_change": how, "transition_chunks": chunks}
    return {FIRST: {"prompt": "a green forest", **way}, SECOND: {"prompt": "blue"}, 18: {"prompt": "gold"}}


@pytest.mark.parametrize("schedule", Schedule)
def test_each_way_gives_another_picture_from_its_chunk_on(prompts: PromptCache, schedule: Schedule) -> None:
    config = Config(engine=EngineConfig(schedule=schedule))
    found = {how: played(tiny.stream(ENGINE, prompts, config), asked(how)) for how in ("soft", "cut", "flush", "recache")}
    for how, pictures in found.items():
        same = schedule is Schedule.STREAM_BATCH and how == "recache"  # there it is soft
        assert pictures[:FIRST] == found["soft"][:FIRST]
        assert (pictures[FIRST:] == found["soft"][FIRST:]) == (how == "soft" or same)
    assert len({str(pictures[FIRST + 1 :]) for pictures in found.values()}) == (3 if schedule is Schedule.STREAM_BATCH else 4)


@pytest.mark.parametrize(
    ("how", "chunks", "at"),
    [
        ("soft", 0, []),
        ("flush", 0, [FIRST, SECOND, 18]),
        ("flush", 4, [FIRST, SECOND, 18]),
        ("recache", 0, [FIRST, SECOND, 18]),
        ("recache", 4, [FIRST + 3]),  # the second fade is not over when the third prompt comes
    ],
)
def test_a_flush_comes_with_the_new_prompt_and_a_recache_when_it_has_arrived(
    prompts: PromptCache, monkeypatch: pytest.MonkeyPatch, how: str, chunks: int, at: list[int]
) -> None:
    done: list[tuple[str, int]] = []
    flush, recache = StreamState.flush_, Engine.recache

    def flushed(state: StreamState) -> None:
        done.append(("flush", state.chunk))
        flush(state)

    def recached(engine: Engine, cross: Any, state: StreamState) -> None:
        done.append(("recache", state.chunk))
        recache(engine, cross, state)

    monkeypatch.setattr(StreamState, "flush_", flushed)
    monkeypatch.setattr(Engine, "recache", recached)
    weights = {10 + i: {"prompt/1/weight": 0.5 + 0.1 * i} for i in range(5)}  # which begin nothing new
    played(tiny.stream(ENGINE, prompts), {**asked(how, chunks), **weights})
    assert done == [(how, number) for number in at]


def test_memory_is_taken_by_the_next_chunk_and_one_is_as_before(prompts: PromptCache) -> None:
    plain = played(tiny.stream(ENGINE, prompts), {}, 12)
    moved = played(tiny.stream(ENGINE, prompts), {6: {"memory": 0.1}, 7: {"memory": 1.0}}, 12)
    assert moved[:6] == plain[:6]
    assert moved[6] != plain[6]
    assert played(tiny.stream(ENGINE, prompts), {3: {"memory": 1.0}}, 12) == plain
