"""Loops of which everything is known: their tempo, beats and drums are heard where they are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from support.drum_loops import DRUM_AND_BASS, HOUSE, MADE, RATE, Loop, beatless, clicks, drums, free_clicks, resampled
from support.heard_loops import START_NS, errors, false, found, listen

PROMISED_BPM = 0.2
PROMISED_S = 0.010


@pytest.mark.parametrize(("noise", "gain"), [(0.02, 0.5), (0.3, 0.02)], ids=["clean", "noisy and soft"])
@pytest.mark.parametrize("name", MADE)
def test_tempo_beat_and_drums_are_heard(name: str, noise: float, gain: float) -> None:
    if name == "clicks 120" and noise > 0.1:
        pytest.skip("noise drowns clicks that short")
    loop = MADE[name](noise, gain)
    heard = listen(loop.sound)
    off = np.abs(np.array([beat.tempo.bpm for _, beat in heard.beats]) - loop.bpm)
    assert heard.beats[0][0] <= 5.0, "the first beat"
    assert len(off) >= 35, "every half second"
    assert off[0] < 2 * PROMISED_BPM, "of four seconds"
    assert off[6:].max() <= PROMISED_BPM
    assert np.abs(heard.beat_errors(loop)).max() <= PROMISED_S
    assert found(heard.onsets, loop.drums) >= 0.96
    assert false(heard.onsets, loop.hits) <= 0.1
    assert np.percentile(np.abs(errors(heard.onsets, loop.hits)), 95) <= PROMISED_S
    if loop.kicks.size:
        assert found(heard.kicks, loop.kicks) >= 0.96


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000, 192_000])
def test_every_rate_is_heard_alike(rate: int) -> None:
    loop = drums("house 128", 128, HOUSE)
    heard = listen(resampled(loop, rate), rate, rate // 30)
    assert np.abs(np.array([beat.tempo.bpm for _, beat in heard.beats]) - loop.bpm).max() <= PROMISED_BPM
    assert found(heard.onsets, loop.drums) >= 0.96
    assert np.abs(errors(heard.onsets, loop.hits)).max() <= PROMISED_S


@pytest.mark.parametrize("length", [64, 480, 1601, 48_000])
def test_blocks_of_any_length_give_the_same(length: int) -> None:
    loop = drums("house 120", 120, HOUSE, seconds=8)
    expected, heard = listen(loop.sound), listen(loop.sound, length=length)
    assert np.allclose(heard.onsets, expected.onsets, atol=1e-6)
    assert [beat.tempo.bpm for _, beat in heard.beats][-1:] == pytest.approx(
        [b.tempo.bpm for _, b in expected.beats][-1:], abs=0.1
    )


def test_channels_are_heard_as_one() -> None:
    loop = drums("house 120", 120, HOUSE, seconds=8)
    silent = np.zeros_like(loop.sound)
    eight = np.stack([loop.sound, *[silent] * 7])
    assert np.allclose(listen(eight).onsets, listen(loop.sound).onsets, atol=1e-6)


def test_ten_times_the_reference_level_is_heard_as_well() -> None:
    loop = drums("house 120", 120, HOUSE, gain=10, seconds=8)
    assert np.abs(loop.sound).max() > 5
    assert found(listen(loop.sound).onsets, loop.drums) == 1.0


@pytest.mark.parametrize(
    "loop",
    [free_clicks(), beatless("noise"), beatless("quiet noise", noise=1e-4), beatless("a pad", noise=1e-3, with_pad=True)],
    ids=lambda loop: loop.name,
)
def test_where_there_is_no_beat_none_is_believed(loop: Loop) -> None:
    assert listen(loop.sound).beats == []


def test_silence_has_neither_beat_nor_onset() -> None:
    heard = listen(np.zeros(12 * RATE, np.float32))
    assert heard.beats == []
    assert heard.onsets.size == 0


@pytest.mark.parametrize("bpm", [128, 174])
def test_another_tempo_is_followed(bpm: int) -> None:
    first = drums("house 120", 120, HOUSE, seconds=12)
    second = drums("next", bpm, HOUSE if bpm == 128 else DRUM_AND_BASS, seconds=12)
    heard = listen(np.concatenate((first.sound, second.sound)))
    right = [at for at, beat in heard.beats if abs(beat.tempo.bpm - bpm) < 1]
    assert right[0] - 12 < 9
    assert abs(heard.beats[-1][1].tempo.bpm - bpm) < PROMISED_BPM


def test_a_tempo_that_drifts_is_followed() -> None:
    seconds, drift = 40.0, 6 / 60  # bpm a second
    grid = np.arange(0, 4 * seconds)
    times = (-120 + np.sqrt(120**2 + 2 * drift * 60 * grid)) / drift  # of beats: 120 t / 60 + drift t^2 / 120 = beat
    times = times[times < seconds - 0.5]
    loop = clicks(120, seconds=seconds)
    sound = np.zeros_like(loop.sound)
    drum = loop.sound[round(0.1234 * RATE) :][: RATE // 50]
    for at in times:
        begin = round(at * RATE)
        sound[begin : begin + drum.size] += drum[: sound.size - begin]
    late = listen(sound).beat_errors(Loop("drift", sound, 120, times, times, times, times))
    assert np.percentile(np.abs(late[20:]), 95) < 0.03


def test_the_count_of_beats_goes_on_over_a_break() -> None:
    loop = drums("house 120", 120, HOUSE, seconds=32)
    sound = loop.sound.copy()
    sound[12 * RATE : 20 * RATE] = beatless("a pad", noise=1e-3, with_pad=True, seconds=8).sound * 0.5
    heard = listen(sound)
    said = [(START_NS + round(at_s * 1e9), beat.tempo) for at_s, beat in heard.beats]
    jumps = [after.beat(at_ns) - before.beat(at_ns) for (_, before), (at_ns, after) in pairwise(said)]
    assert np.abs(jumps).max() < 0.5
    assert np.abs(heard.beat_errors(loop)[-10:]).max() <= PROMISED_S
