"""Tempo and the grid of beats: pure functions of numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdv2_live.music.grid import QUANTISES, grid_beats, next_boundary
from sdv2_live.music.tempo import BPM_MAX, BPM_MIN, Tempo

DAY_NS = 24 * 3600 * 10**9

tempos = st.builds(
    Tempo,
    st.integers(0, 30 * DAY_NS),
    st.floats(-1e4, 1e6),
    st.floats(BPM_MIN, BPM_MAX),
)
times = st.integers(0, 30 * DAY_NS)


def test_beats_at_120() -> None:
    tempo = Tempo(1_000_000_000, 8.0, 120.0)
    assert tempo.beat(1_000_000_000) == 8
    assert tempo.beat(3_000_000_000) == 12
    assert tempo.beat(750_000_000) == 7.5
    assert tempo.time_at(16) == 5_000_000_000
    assert tempo.moved(0.5).time_at(16) == 4_750_000_000


@given(tempos, times)
def test_time_at_is_the_inverse_of_beat(tempo: Tempo, at_ns: int) -> None:
    assert abs(tempo.time_at(tempo.beat(at_ns)) - at_ns) <= 2000  # nanoseconds: a float holds a beat of 30 days so well


@given(tempos, times, st.floats(allow_nan=False, min_value=1e-9, allow_infinity=False))
def test_another_tempo_does_not_move_the_beat(tempo: Tempo, at_ns: int, bpm: float) -> None:
    changed = tempo.at_bpm(bpm, at_ns)
    assert changed.beat(at_ns) == tempo.beat(at_ns)
    assert BPM_MIN <= changed.bpm <= BPM_MAX


@pytest.mark.parametrize("bpm", [0.0, -120.0, float("nan"), float("inf"), 1e6])
def test_no_tempo_out_of_range(bpm: float) -> None:
    with pytest.raises(ValueError, match="bpm"):
        Tempo(0, 0.0, bpm)
    if bpm != 1e6:
        with pytest.raises(ValueError, match="bpm"):
            Tempo(0, 0.0, 120.0).at_bpm(bpm, 0)


def test_what_quantise_means_in_beats() -> None:
    assert [grid_beats(name, 4) for name in QUANTISES] == [0, 1, 4, 8, 16, 32]
    assert [grid_beats(name, 3) for name in QUANTISES] == [0, 1, 3, 6, 12, 24]


@given(tempos, times, st.sampled_from([1, 3, 4, 32]))
def test_next_boundary_is_the_first_at_or_after(tempo: Tempo, at_ns: int, grid: int) -> None:
    beat, ns = next_boundary(tempo, at_ns, grid)
    assert beat % grid == 0
    assert ns >= at_ns
    assert ns - at_ns <= grid * tempo.beat_ns + 2000


def test_a_boundary_that_is_now_is_the_next() -> None:
    tempo = Tempo(0, 0.0, 120.0)
    assert next_boundary(tempo, 2_000_000_000, 4) == (4, 2_000_000_000)
    assert next_boundary(tempo, 2_000_000_001, 4) == (8, 4_000_000_000)
    with pytest.raises(ValueError, match="no boundaries"):
        next_boundary(tempo, 0, 0)
