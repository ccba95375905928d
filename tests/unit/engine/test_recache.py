"""What a new prompt may do with a stream's past: make it anew (recache), or forget most of it (flush)."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from support import tiny
from support.recording import RecordingCapture
from torch import Tensor

from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import ChunkSettings, Schedule, StreamSpec
from sdv2_live.engine.state import StreamState
from sdv2_live.model.dit.cache_spec import CacheSpec

OLD, NEW = 1, 2  # seeds of prompts


@pytest.fixture(scope="module")
def engine() -> Engine:
    return tiny.small_engine()


def painted(engine: Engine, spec: StreamSpec, chunks: int) -> StreamState:
    """A stream after so many chunks of the old prompt."""
    state = engine.new_state(spec)
    tiny.run(engine, state, tiny.clip(4 * chunks + 1), tiny.prompt(engine, OLD), chunks)
    return state


def one_call(engine: Engine, state: StreamState, seed: int, t: float) -> tuple[Tensor, Tensor]:
    """Keys and values of all clean latents of a stream, made in one call over an empty cache."""
    clean = list(state.clean)
    cache = engine.dit.new_cache(state.spec.cache, state.spec.latent_hw)
    with torch.inference_mode():
        x = torch.cat([each.latent for each in clean], dim=1)
        times = torch.full((1, len(clean)), t)
        engine.dit(x, times, [clean[0].start], cross=tiny.prompt(engine, seed), cache=cache, rope=engine.dit.rope())
    return cache.k, cache.v


@pytest.mark.parametrize("context_t", [None, 30.0])
def test_before_the_window_rolls_the_whole_past_is_made_anew(engine: Engine, context_t: float | None) -> None:
    state = painted(engine, tiny.spec(context_t=context_t), 5)
    assert [each.start for each in state.clean] == list(range(6))
    engine.recache(tiny.prompt(engine, NEW), state)
    for found, expected in zip((state.cache.k, state.cache.v), one_call(engine, state, NEW, context_t or 0), strict=True):
        torch.testing.assert_close(found, expected)


def test_once_it_has_rolled_the_sinks_stay(engine: Engine) -> None:
    state = painted(engine, tiny.spec(), 9)
    before, after = state.cache.k.clone(), state.cache.k
    engine.recache(tiny.prompt(engine, NEW), state)
    sinks = state.spec.cache.sink_frames
    assert torch.equal(after[:, :, :sinks], before[:, :, :sinks])
    assert not any(torch.equal(after[:, :, slot], before[:, :, slot]) for slot in range(sinks, state.spec.cache.kv_frames))
    assert len(state.clean) == state.spec.cache.kv_frames
    again = after.clone()
    engine.recache(tiny.prompt(engine, NEW), state)
    torch.testing.assert_close(after, again)  # it depends on the clean latents and the sinks alone


def test_where_the_profile_says_so_sinks_are_made_anew_too(engine: Engine) -> None:
    state = painted(engine, tiny.spec(recache_sinks=True), 9)
    engine.recache(tiny.prompt(engine, NEW), state)
    for found, expected in zip((state.cache.k, state.cache.v), one_call(engine, state, NEW, 0), strict=True):
        torch.testing.assert_close(found, expected)


SPECS = {
    "sequential": tiny.spec(),
    "positions set back": tiny.spec(rope_refresh_frame=9),
    "adaptive sinks": StreamSpec(32, 32, cache=CacheSpec(4, 2, 0.9)),
    "no sinks": StreamSpec(32, 32, cache=CacheSpec(3, 0, -1)),
}


def shown(engine: Engine, state: StreamState, change: str, seed: int = NEW) -> list[Tensor]:
    """Clean latents: nine chunks of the old prompt, then four of another, with a change of the cache before its first."""
    video, cross = tiny.clip(53), tiny.prompt(engine, seed)
    out = tiny.run(engine, state, video, tiny.prompt(engine, OLD), 9)
    if change == "recache":
        engine.recache(cross, state)
    elif change:
        getattr(state, change)()
    return [x.clone() for x in out + tiny.run(engine, state, video[:, :, 37:], cross, 4) if x is not None]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_each_change_looks_different_and_is_repeatable(engine: Engine, spec: StreamSpec) -> None:
    found = []
    for change in ("", "recache", "flush_", "cut_"):
        state = engine.new_state(spec)
        found.append(shown(engine, state, change))
        state.reset_()
        assert all(map(torch.equal, found[-1], shown(engine, state, change)))  # in a stream that was reset as in a new one
    for one, other in combinations(found, 2):
        assert all(map(torch.equal, one[:9], other[:9]))
        assert not torch.equal(one[9], other[9])


def test_before_the_first_chunk_and_after_a_cut_there_is_nothing_to_make_anew(engine: Engine) -> None:
    state = engine.new_state(tiny.spec())
    for change in (lambda: None, lambda: tiny.run(engine, state, tiny.clip(21), tiny.prompt(engine), 5), state.cut_):
        change()
    engine.recache(tiny.prompt(engine, NEW), state)
    state.flush_()
    assert not state.clean
    assert state.cache.filled == [0]


def test_stream_batch_flushes_every_level_and_recaches_nothing(engine: Engine) -> None:
    spec = tiny.spec(schedule=Schedule.STREAM_BATCH, levels=2)
    state, video, cross = engine.new_state(spec), tiny.clip(61), tiny.prompt(engine)
    tiny.run(engine, state, video, cross, 9)
    assert state.batch_cache is not None
    before = state.batch_cache.k.clone()
    engine.recache(tiny.prompt(engine, NEW), state)
    assert torch.equal(state.batch_cache.k, before)
    assert not state.clean
    state.flush_()
    assert state.batch_cache.filled == [3, 3]
    out = tiny.run(engine, state, video[:, :, 37:], cross, 5)
    assert all(latent is not None for latent in out)  # latents in flight go on
    assert state.batch_cache.filled == [6, 6]


@pytest.mark.parametrize("spec", [*SPECS.values(), tiny.spec(schedule=Schedule.STREAM_BATCH, levels=2)], ids=[*SPECS, "batch"])
def test_a_moving_memory_and_changes_of_the_cache_need_no_new_capture(engine: Engine, spec: StreamSpec) -> None:
    capture = RecordingCapture()
    graphed = Engine(engine.dit, engine.vae, capture=capture)
    mine, theirs, video = graphed.new_state(spec), engine.new_state(spec), tiny.clip(9)
    crosses = [tiny.prompt(engine, seed) for seed in (OLD, NEW)]

    for number in range(28):
        cross, settings = crosses[number // 2 % 2], ChunkSettings(memory=(1.0, 0.5, 0.1, 0.9)[number % 4])
        out = []
        for owner, state in ((graphed, mine), (engine, theirs)):
            if number == 17:
                state.flush_()
            if number % 4 == 2:
                owner.recache(cross, state)
            out += tiny.run(owner, state, video, cross, 1, settings)
        assert (out[0] is None) == (out[1] is None)
        assert out[0] is None or (out[1] is not None and torch.equal(out[0], out[1]))
    assert capture.captures == 2  # at full weight and below it
    assert capture.replays > 10


@pytest.mark.parametrize("sinks", [False, True])
def test_where_there_is_no_memory_for_a_recache_the_show_goes_on(
    engine: Engine, sinks: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*given: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    state, cross, video = painted(engine, tiny.spec(recache_sinks=sinks), 9), tiny.prompt(engine, NEW), tiny.clip(9)
    before = state.cache.k.clone()
    with monkeypatch.context() as patched, caplog.at_level("WARNING"):
        patched.setattr(type(engine.dit), "remember", full)
        engine.recache(cross, state)
    assert "no memory for a recache" in caplog.text
    assert state.cache.filled == [0 if sinks else 6]
    assert sinks or torch.equal(state.cache.k, before)
    (latent,) = tiny.run(engine, state, video, cross, 1)
    assert latent is not None
    assert latent.isfinite().all()
