"""What is captured does the same as what is not: it depends on device memory alone and reads nothing on the host."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
import torch
from support import tiny
from support.recording import HostReadError, RecordingCapture
from torch import Tensor

from sdv2_live.engine.engine import Engine
from sdv2_live.engine.graphs import Captured
from sdv2_live.engine.spec import ChunkSettings, Mode, Schedule, StreamSpec
from sdv2_live.engine.state import StreamState
from sdv2_live.model.dit.cache_spec import CacheSpec

SPECS = {
    "sequential": tiny.spec(rope_refresh_frame=9),
    "adaptive sinks": StreamSpec(32, 32, cache=CacheSpec(4, 2, 0.9)),
    "stream_batch": StreamSpec(32, 32, Schedule.STREAM_BATCH, 2, cache=CacheSpec(4, 1, -1)),
    "stream_batch, adaptive sinks": StreamSpec(32, 32, Schedule.STREAM_BATCH, 2, cache=CacheSpec(4, 2, 0.9)),
    **tiny.kin(),
}
specs = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


@pytest.fixture(scope="module")
def plain() -> Engine:
    return tiny.small_engine()


def pair(plain: Engine, spec: StreamSpec) -> tuple[RecordingCapture, Engine, StreamState, StreamState]:
    """An engine with the same weights that captures, and a state of each."""
    capture = RecordingCapture()
    engine = Engine(plain.dit, plain.vae, capture=capture)
    return capture, engine, engine.new_state(spec), plain.new_state(spec)


def assert_same(found: list[Tensor | None], expected: list[Tensor | None]) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine is None) == (theirs is None)
        assert mine is None or (theirs is not None and torch.equal(mine, theirs))


def chunks(
    engine: Engine, state: StreamState, video: Tensor, cross: object, count: int, **settings: object
) -> list[Tensor | None]:
    """As tiny.run, with results that no later chunk overwrites."""
    out: list[Tensor | None] = []
    for i in range(count):
        latent = tiny.run(engine, state, video[:, :, 4 * i :], cross, 1, ChunkSettings(**settings))[0]  # type: ignore[arg-type]
        out.append(None if latent is None else latent.clone())
    return out


@specs
def test_captured_equals_eager_bit_for_bit(plain: Engine, spec: StreamSpec) -> None:
    capture, engine, mine, theirs = pair(plain, spec)
    video, prompts = tiny.clip(60), [tiny.prompt(plain, seed) for seed in (1, 2)]
    for prompt, settings in ((0, {}), (1, {}), (0, {"noise_scale": 0.5, "seed": 7})):
        for state, model in ((mine, engine), (theirs, plain)):
            out = chunks(model, state, video, prompts[prompt], 9, **settings)
            if model is engine:
                found = out
        assert_same(found, out)
    assert capture.captures == 1
    assert capture.replays > 15


def test_another_number_of_steps_has_a_graph_of_its_own(plain: Engine) -> None:
    capture, engine, mine, theirs = pair(plain, tiny.spec())
    video, cross = tiny.clip(60), tiny.prompt(plain)
    for steps in ((700, 500), (600,), (800, 600, 300), (600,), (700, 500)):
        assert_same(chunks(engine, mine, video, cross, 6, steps=steps), chunks(plain, theirs, video, cross, 6, steps=steps))
    assert capture.captures == 3


@specs
def test_reset_and_cut_keep_the_graph(plain: Engine, spec: StreamSpec) -> None:
    capture, engine, mine, theirs = pair(plain, spec)
    video, cross = tiny.clip(60), tiny.prompt(plain)
    for change in ("reset_", "cut_", "reset_"):
        assert_same(chunks(engine, mine, video, cross, 8), chunks(plain, theirs, video, cross, 8))
        for state in (mine, theirs):
            getattr(state, change)()
    assert capture.captures == 1


@pytest.mark.parametrize("mode", [Mode.VIDEO, Mode.TEXT])
@specs
def test_warm_up_captures_and_leaves_no_trace(plain: Engine, spec: StreamSpec, mode: Mode) -> None:
    if mode is Mode.TEXT:
        spec = replace(spec, schedule=Schedule.SEQUENTIAL, mode=mode)
    capture, engine, mine, theirs = pair(plain, spec)
    engine.warm_up(mine)
    video_steps = 4 if spec.schedule is Schedule.SEQUENTIAL else 1
    assert capture.captures == 2 * (video_steps if mode is Mode.VIDEO else 1 + (spec.first_steps is not None))
    cross = tiny.prompt(plain, 3)
    video = tiny.clip(60) if mode is Mode.VIDEO else None
    assert_same(
        [x if x is None else x.clone() for x in tiny.run(engine, mine, video, cross, 3)],
        tiny.run(plain, theirs, video, cross, 3),
    )


def test_two_streams_of_an_engine_do_not_share_graphs(plain: Engine) -> None:
    capture, engine, mine, _ = pair(plain, tiny.spec())
    other, cross = engine.new_state(tiny.spec()), tiny.prompt(plain)
    clips = [tiny.clip(60, seed) for seed in (1, 2)]
    alone = [chunks(plain, plain.new_state(tiny.spec()), video, cross, 10) for video in clips]
    for i in range(10):
        for state, video, expected in zip((mine, other), clips, alone, strict=True):
            assert_same(chunks(engine, state, video[:, :, 4 * i :], cross, 1), [expected[i]])
    assert capture.captures == 2


def test_what_cannot_be_captured_runs_as_it_is() -> None:
    calls = []
    captured = Captured(lambda x: calls.append(1) or x + 1, lambda function: None)
    assert [float(captured(torch.tensor(float(i)))) for i in range(4)] == [1, 2, 3, 4]
    assert len(calls) == 4


def test_a_captured_function_sees_new_inputs_and_only_those() -> None:
    captured = Captured(lambda x, y: x * 2 + y, RecordingCapture())
    for i in range(5):
        assert torch.equal(captured(torch.full((3,), float(i)), torch.ones(3)), torch.full((3,), 2.0 * i + 1))


def test_the_recording_finds_host_reads() -> None:
    with pytest.raises(HostReadError), torch.inference_mode():
        RecordingCapture()(lambda: torch.ones(2) * float(torch.ones(1)))


@pytest.mark.gpu
@specs
def test_on_a_gpu_graphs_equal_eager(spec: StreamSpec, caplog: pytest.LogCaptureFixture) -> None:
    from sdv2_live.engine.graphs import CudaCapture

    plain = tiny.small_engine()
    for model in (plain.dit, plain.vae):
        model.to("cuda", torch.bfloat16)
    plain = Engine(plain.dit, plain.vae)
    engine = Engine(plain.dit, plain.vae, capture=CudaCapture(plain.device))
    mine, theirs, video, cross = engine.new_state(spec), plain.new_state(spec), tiny.clip(80).cuda(), tiny.prompt(plain)
    with caplog.at_level(logging.WARNING, "sdv2_live"):
        engine.warm_up(mine)
        for found, expected in zip(chunks(engine, mine, video, cross, 16), chunks(plain, theirs, video, cross, 16), strict=True):
            assert (found is None) == (expected is None)
            if found is not None and expected is not None:
                assert (found - expected).norm() / expected.norm() < 1e-2  # the same kernels: usually nothing at all
    assert caplog.records == []  # no capture failed, no kernel was refused


@pytest.mark.gpu
@pytest.mark.parametrize("graphs", [True, False])
@specs
def test_on_a_gpu_a_steady_chunk_never_waits(spec: StreamSpec, graphs: bool) -> None:
    """But for the motion's one number, which is waited for by an event and does not count here."""
    from sdv2_live.engine.graphs import CudaCapture

    made = tiny.small_engine()
    for model in (made.dit, made.vae):
        model.to("cuda", torch.bfloat16)
    device = made.dit.device
    engine = Engine(made.dit, made.vae, capture=CudaCapture(device) if graphs else None)
    state, video, cross = engine.new_state(spec), tiny.clip(80).cuda(), tiny.prompt(engine)
    engine.warm_up(state)
    chunks(engine, state, video, cross, 10)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for latent in chunks(engine, state, video[:, :, 40:], cross, 3):
            if latent is not None:
                engine.decode(latent, state)
    finally:
        torch.cuda.set_sync_debug_mode("default")
