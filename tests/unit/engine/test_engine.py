"""The engine as a stream: seeds, resets, independence, schedules, modes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from support import tiny
from torch import Tensor

from sdv2_live.engine import steps
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.noise import MotionController, SeededNoise
from sdv2_live.engine.scheduler import FlowSchedule
from sdv2_live.engine.spec import ChunkSettings, Mode, Schedule, StreamSpec
from sdv2_live.engine.state import StreamState
from sdv2_live.errors import EngineError
from sdv2_live.model.dit.cache_spec import TIME_ROWS
from sdv2_live.model.dit.dit import check_starts


@pytest.fixture(scope="module")
def engine() -> Engine:
    return tiny.small_engine()


def equal(a: list[Tensor | None], b: list[Tensor | None]) -> bool:
    return all((x is None) == (y is None) and (x is None or y is None or torch.equal(x, y)) for x, y in zip(a, b, strict=True))


SPECS = {
    "sequential": tiny.spec(),
    "stream_batch": tiny.spec(schedule=Schedule.STREAM_BATCH, levels=2),
    "adaptive sinks": StreamSpec(32, 32),
    "normalised latents": tiny.spec(normalize_latents=True),
    **tiny.kin(),
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_same_seed_same_output_and_reset_equals_fresh(engine: Engine, spec: StreamSpec) -> None:
    cross, video = tiny.prompt(engine), tiny.clip(33)
    state = engine.new_state(spec)
    first = tiny.run(engine, state, video, cross, 8)
    assert equal(first, tiny.run(engine, engine.new_state(spec), video, cross, 8))
    state.reset_()
    assert equal(first, tiny.run(engine, state, video, cross, 8))


@pytest.mark.parametrize("change", [{"seed": 43}, {"noise_scale": 0.6}, {"steps": (700, 400)}, {"noise_controller": False}])
def test_every_setting_changes_the_picture(engine: Engine, change: dict[str, object]) -> None:
    cross, video = tiny.prompt(engine), tiny.clip(13)
    plain = tiny.run(engine, engine.new_state(tiny.spec()), video, cross, 3)
    settings = replace(ChunkSettings(), **change)  # type: ignore[arg-type]
    assert not equal(plain, tiny.run(engine, engine.new_state(tiny.spec()), video, cross, 3, settings))


def test_prompt_and_input_change_the_picture(engine: Engine) -> None:
    cross, video = tiny.prompt(engine), tiny.clip(13)
    plain = tiny.run(engine, engine.new_state(tiny.spec()), video, cross, 3)
    assert not equal(plain, tiny.run(engine, engine.new_state(tiny.spec()), video, tiny.prompt(engine, 2), 3))
    assert not equal(plain, tiny.run(engine, engine.new_state(tiny.spec()), tiny.clip(13, 5), cross, 3))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_interleaved_streams_are_independent(engine: Engine, spec: StreamSpec) -> None:
    cross, clips = tiny.prompt(engine), [tiny.clip(33, seed) for seed in (1, 2)]
    alone = [tiny.run(engine, engine.new_state(spec), video, cross, 8) for video in clips]
    states, at = [engine.new_state(spec) for _ in clips], 0
    for i in range(8):
        needed = states[0].frames_needed
        at = 0 if at + needed > clips[0].shape[2] else at
        for stream, state in enumerate(states):
            out = tiny.run(engine, state, clips[stream][:, :, at : at + needed], cross, 1)
            assert equal(out, [alone[stream][i]])
        at += needed


@pytest.mark.parametrize("steps", [(700,), (700, 500), (700, 500, 300), (800, 600, 400, 200)])
def test_stream_batch_gives_every_chunk_once_n_minus_1_later(engine: Engine, steps: tuple[int, ...]) -> None:
    spec = tiny.spec(schedule=Schedule.STREAM_BATCH, levels=len(steps))
    settings = ChunkSettings(steps=steps)
    out = tiny.run(engine, engine.new_state(spec), tiny.clip(41), tiny.prompt(engine), 10, settings)
    delay = len(steps) - 1
    assert [latent is None for latent in out] == [False] + [True] * delay + [False] * (9 - delay)
    assert out[0] is not None
    assert out[0].shape[1] == 2


def test_stream_batch_refuses_another_number_of_steps(engine: Engine) -> None:
    state = engine.new_state(tiny.spec(schedule=Schedule.STREAM_BATCH, levels=2))
    with pytest.raises(EngineError, match="set up for 2 steps and got 1"):
        tiny.run(engine, state, tiny.clip(9), tiny.prompt(engine), 2, ChunkSettings(steps=(600,)))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_cut_forgets_the_pictures_but_not_the_autoencoder(engine: Engine, spec: StreamSpec) -> None:
    cross, video = tiny.prompt(engine), tiny.clip(41)
    state = engine.new_state(spec)
    tiny.run(engine, state, video, cross, 6)
    state.cut_()
    assert state.frames_needed == spec.chunk_frames
    assert state.next_start == 0
    out = tiny.run(engine, state, video[:, :, 25:], cross, 1)[0]
    assert out is not None  # stream_batch too gives a picture at once
    assert out.shape[1] == state.next_start == spec.block


def test_text_mode_needs_no_input(engine: Engine) -> None:
    cross, state = tiny.prompt(engine), engine.new_state(tiny.spec(mode=Mode.TEXT))
    assert state.frames_needed == 1
    out = tiny.run(engine, state, None, cross, 3)
    assert [latent.shape[1] for latent in out if latent is not None] == [1, 1, 1]
    assert [engine.decode(latent, state).shape[2] for latent in out if latent is not None] == [1, 4, 4]


@pytest.mark.parametrize("normalized", [False, True])
def test_pictures_that_text_mode_starts_from_are_in_the_latents_of_the_stream(engine: Engine, normalized: bool) -> None:
    spec = replace(tiny.spec(mode=Mode.TEXT), normalize_latents=normalized)
    pixels = tiny.clip(9)
    whole = engine.vae.encode(pixels, engine.vae.new_memory(), normalize=normalized)
    assert torch.equal(engine.encode_apart(pixels, spec), whole[:, 1:].float())
    other = engine.encode_apart(pixels, replace(spec, normalize_latents=not normalized))
    assert not torch.equal(other, whole[:, 1:].float())


def test_decoded_pixels_stay_in_range(engine: Engine) -> None:
    state = engine.new_state(tiny.spec())
    pixels = engine.decode(torch.randn(1, 2, 16, 4, 4) * 50, state)
    assert pixels.shape == (1, 3, 5, 32, 32)
    assert pixels.abs().max() == 1


def test_first_timestep_follows_the_noise_scale_and_stays_above_the_second(engine: Engine) -> None:
    state = engine.new_state(tiny.spec())
    still = tiny.clip(1).expand(-1, -1, 5, -1, -1)
    settings = ChunkSettings(noise_scale=0.9, steps=(700, 500), noise_controller=False)
    assert engine.plan(still, settings, state).timesteps == (700, 500)  # the first chunk takes the list as it is
    assert engine.plan(still, settings, state).timesteps == (800, 500)
    assert engine.plan(still, replace(settings, noise_scale=0.5), state).timesteps == (501, 500)
    assert engine.plan(still, replace(settings, noise_scale=0.0, steps=(700,)), state).timesteps == (0,)


@pytest.mark.parametrize("steps", [(), (500, 700), (700, 700), (1001,), (9, 8, 7, 6, 5)])
def test_impossible_steps_are_refused(engine: Engine, steps: tuple[int, ...]) -> None:
    with pytest.raises(EngineError, match="1 to 4 strictly descending timesteps"):
        engine.plan(tiny.clip(5), ChunkSettings(steps=steps), engine.new_state(tiny.spec()))


@pytest.mark.parametrize(("height", "width"), [(0, 32), (32, 40), (8, 16)])
def test_impossible_sizes_are_refused(height: int, width: int) -> None:
    with pytest.raises(EngineError, match="multiples of 16"):
        StreamSpec(height, width)


def test_position_goes_back_before_it_leaves_the_table(engine: Engine) -> None:
    state = engine.new_state(replace(tiny.spec(), rope_refresh_frame=9))
    starts = [state.advance(2)] + [state.advance(1) for _ in range(12)]
    assert starts == [0, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 8, 5]


def test_every_row_of_the_position_table_can_be_used_and_none_beyond(engine: Engine) -> None:
    state = engine.new_state(replace(tiny.spec(), rope_refresh_frame=TIME_ROWS))
    starts = [state.advance(2)] + [state.advance(1) for _ in range(TIME_ROWS)]
    check_starts(starts, 1)
    assert max(starts) == TIME_ROWS - 1
    with pytest.raises(EngineError, match=f"must be above kv_frames = 6 and at most {TIME_ROWS}"):
        replace(tiny.spec(), rope_refresh_frame=TIME_ROWS + 1)


def test_noise_depends_on_seed_and_chunk_alone() -> None:
    a, b = SeededNoise(), SeededNoise()
    a.begin(7, 42)
    first, second = a.draw((2, 3)), a.draw((2, 3))
    b.begin(3, 42)
    b.draw((9,))
    b.begin(7, 42)
    assert torch.equal(b.draw((2, 3)), first)
    assert torch.equal(b.draw((2, 3)), second)
    for chunk, seed in ((8, 42), (7, 43), (42, 7), (7, 2**63 - 1)):
        b.begin(chunk, seed)
        assert not torch.equal(b.draw((2, 3)), first)


def test_motion_lowers_the_noise_scale() -> None:
    motion = MotionController()
    still = torch.zeros(1, 3, 4, 8, 8)
    assert motion.update(still, 0.7, enabled=True) == 0.7
    assert motion.update(still, 0.7, enabled=True) == pytest.approx(0.7)
    assert motion.update(still + 1, 0.7, enabled=True) == pytest.approx(0.9 * 0.6 + 0.1 * 0.7)
    assert motion.update(still, 0.7, enabled=False) == 0.7


def test_a_modulated_noise_scale_comes_through_and_motion_still_counts() -> None:
    motion, still = MotionController(), torch.zeros(1, 3, 4, 8, 8)
    motion.update(still, 0.5, enabled=True)
    before = 0.5
    for chosen in (0.7, 0.7, 0.3, 0.6):  # 0.9 of a step in its first chunk
        before = 0.9 * chosen + 0.1 * before
        assert motion.update(still, chosen, enabled=True) == pytest.approx(before)
    assert motion.update(still + 1, 0.6, enabled=True) == pytest.approx(0.9 * (0.6 - 0.1) + 0.1 * before)


def test_noise_and_clean_are_inverse() -> None:
    clean, noise = torch.randn(4, 4), torch.randn(4, 4)
    for _, sigma, noise_share, clean_share, *_ in FlowSchedule().numbers(1.0, (1000, 700, 30), (0, 0, 0)):
        noisy = steps.noised(clean, noise, clean_share, noise_share)
        torch.testing.assert_close(steps.clean(noisy, noise - clean, sigma), clean, rtol=1e-5, atol=1e-5)


def test_motion_is_measured_before_the_encoder_and_taken_in_by_the_plan(engine: Engine) -> None:
    settings, video = ChunkSettings(), tiny.clip(13)
    alone, together = engine.new_state(tiny.spec()), engine.new_state(tiny.spec())
    for begin, end in ((0, 5), (5, 9), (9, 13)):
        pixels = video[:, :, begin:end]
        engine.encode(pixels, together)
        assert together.motion.fresh == (begin == 0)  # what was only looked at does not count yet
        assert engine.plan(pixels, settings, together) == engine.plan(pixels.clone(), settings, alone)


@pytest.fixture(scope="module", params=["wan", "taehv"])
def either(request: pytest.FixtureRequest) -> Engine:
    return tiny.small_engines()[request.param]


def latents(engine: Engine, state: StreamState, pixels: Tensor, pushed: tuple[int, ...]) -> Tensor:
    """Of one chunk, whose first frames come in so many at a time."""
    have = 0
    for count in pushed:
        have += count
        engine.push(pixels[:, :, :have], state)
    return engine.encode(pixels, state)


@pytest.mark.parametrize("pushed", [(1,), (1, 1, 1), (3,), (2, 1), (1, 0, 2), (4,)])
def test_frames_pushed_as_they_come_give_the_same_latents_bit_for_bit(either: Engine, pushed: tuple[int, ...]) -> None:
    video = tiny.clip(13)
    early, late = either.new_state(tiny.spec()), either.new_state(tiny.spec())
    for pixels in (video[:, :, :5], video[:, :, 5:9], video[:, :, 9:]):
        assert torch.equal(latents(either, early, pixels, pushed), latents(either, late, pixels, ()))
        assert early.pushed == 0


def test_an_engine_that_does_not_encode_ahead_waits_for_the_whole_chunk(either: Engine) -> None:
    whole = Engine(either.dit, either.vae, encode_ahead=False)
    video = tiny.clip(9)
    ahead, late = either.new_state(tiny.spec()), whole.new_state(tiny.spec())
    for pixels in (video[:, :, :5], video[:, :, 5:]):
        theirs = latents(either, ahead, pixels, (1, 1))
        whole.push(pixels[:, :, :2], late)
        assert late.pushed == 0
        torch.testing.assert_close(whole.encode(pixels, late), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("steady", [False, True])
def test_a_reset_forgets_what_was_pushed(either: Engine, steady: bool) -> None:
    video, state = tiny.clip(14), either.new_state(tiny.spec())
    if steady:
        latents(either, state, video[:, :, :5], ())
    either.push(video[:, :, 5:8], state)
    assert state.pushed == 3
    state.reset_()
    assert state.pushed == 0
    assert torch.equal(
        latents(either, state, video[:, :, 9:], (2,)), latents(either, either.new_state(tiny.spec()), video[:, :, 9:], ())
    )


def test_a_cut_keeps_what_was_pushed_as_it_keeps_the_autoencoder(either: Engine) -> None:
    video = tiny.clip(9)
    cut, plain = either.new_state(tiny.spec()), either.new_state(tiny.spec())
    for state in (cut, plain):
        either.encode(video[:, :, :5], state)
    either.push(video[:, :, 5:8], cut)
    cut.cut_()
    assert cut.pushed == 3
    assert torch.equal(either.encode(video[:, :, 5:], cut), either.encode(video[:, :, 5:], plain))
