"""The weights of slots over time: waves on the beat, hits that are known late, smoothing, and waves that are too fast."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdv2_live.music.heard import Deaf, Heard
from sdv2_live.music.modulation import LATE_NS, Modulator, Slot, Span, effective, moved_steps
from sdv2_live.music.tempo import Tempo

MS = 1_000_000
CHUNK = 133 * MS
SLOT = Slot(1, "noise_scale", "lfo", "cosine", "bar", 0.25, 0.0, 1.0, 1.0, "up", 0.0)


class Beats:
    """A beat that begins at time 0."""

    beats_per_bar = 4

    def __init__(self, bpm: float = 120.0) -> None:
        self.tempo = Tempo(0, 0.0, bpm)

    def beat(self, at_ns: int) -> float:
        return self.tempo.beat(at_ns)


class Hits:
    """Hears kicks at these times, each `late_ns` after it; `now_ns` is the present. The level is the time in seconds."""

    def __init__(self, *at_ns: int, late_ns: int = 30 * MS) -> None:
        self.at_ns, self.late_ns, self.now_ns = at_ns, late_ns, 0

    def between(self, start_ns: int, end_ns: int) -> Heard:
        known = [at for at in self.at_ns if start_ns <= at < end_ns and at + self.late_ns <= self.now_ns]
        return Heard(env=start_ns / 1e9, kick=0.8 if known else 0.0)


def weights(modulator: Modulator, slot: Slot, count: int, length_ns: int = CHUNK) -> list[float]:
    spans = [Span(i * length_ns, length_ns, i * length_ns) for i in range(count)]
    return [modulator.offsets([slot], span, 42).get(slot.target, 0.0) for span in spans]


def test_a_wave_is_on_the_beat_that_is_seen() -> None:
    modulator = Modulator(Beats(), Deaf())
    bar = 2_000 * MS
    spans = [Span(i * bar // 16 - bar // 32, bar // 16, 0) for i in range(33)]  # the middle of each is on a sixteenth
    found = [modulator.offsets([SLOT], span, 42)["noise_scale"] for span in spans]
    height = math.sin(math.pi / 16) / (math.pi / 16)  # that the mean over a span leaves of a cosine
    assert found == pytest.approx([0.5 + 0.5 * height * math.cos(math.tau * i / 16) for i in range(33)])


def test_depth_swing_and_polarity() -> None:
    def at_the_top(**values: object) -> float:
        return Modulator(Beats(), Deaf()).offsets([replace(SLOT, **values)], Span(0, 1, 0), 42)["noise_scale"]  # type: ignore[arg-type]

    assert at_the_top(depth=0.5, swing=0.4) == pytest.approx(0.2)
    assert at_the_top(depth=-0.5) == pytest.approx(-0.5)
    assert at_the_top(phase=0.5, polarity="both") == pytest.approx(-1.0)
    assert Modulator(Beats(), Deaf()).offsets([replace(SLOT, depth=0.0)], Span(0, 1, 0), 42) == {}


def test_slots_of_one_target_add_up() -> None:
    slots = [SLOT, replace(SLOT, number=2, depth=-0.25), replace(SLOT, number=3, target="mix", swing=2.0)]
    assert Modulator(Beats(), Deaf()).offsets(slots, Span(0, 1, 0), 42) == pytest.approx({"noise_scale": 0.75, "mix": 2.0})


def test_a_beat_has_its_full_height_in_the_chunk_that_it_falls_into() -> None:
    found = weights(Modulator(Beats(), Deaf()), replace(SLOT, source="beat"), 60)
    beats = {at * 500 * MS // CHUNK for at in range(16)}
    assert {i for i, weight in enumerate(found) if weight == 1.0} == beats
    assert all(later < earlier for (i, earlier), later in zip(enumerate(found), found[1:], strict=False) if i + 1 not in beats)


@pytest.mark.parametrize("into_ms", range(0, 133, 7))
def test_every_hit_moves_one_chunk_however_late_it_is_known(into_ms: int) -> None:
    hits = Hits(5 * CHUNK + into_ms * MS)
    modulator, found = Modulator(Beats(), hits), []
    for i in range(12):
        hits.now_ns = (i + 1) * CHUNK  # a chunk is launched when its last frame has come
        found.append(modulator.offsets([replace(SLOT, source="kick")], Span(i * CHUNK, CHUNK, i * CHUNK), 42)["noise_scale"])
    known_in_time = into_ms * MS + hits.late_ns <= CHUNK
    assert [i for i, weight in enumerate(found) if weight] == [5 if known_in_time else 6]
    assert max(found) == 0.8


def test_what_is_known_later_than_expected_is_not_heard_twice() -> None:
    hits = Hits(5 * CHUNK - LATE_NS - MS, 5 * CHUNK - MS, late_ns=0)
    modulator, found = Modulator(Beats(), hits), []
    for i in range(8):
        hits.now_ns = (i + 1) * CHUNK
        found.append(modulator.offsets([replace(SLOT, source="kick")], Span(i * CHUNK, CHUNK, i * CHUNK), 42)["noise_scale"])
    assert [i for i, weight in enumerate(found) if weight] == [4]


def test_smoothing_rounds_off_levels_and_lets_hits_through() -> None:
    square = weights(Modulator(Beats(), Deaf()), replace(SLOT, shape="square", smooth_ms=200.0), 15)
    assert square[:7] == [1.0] * 7
    assert square[7] == pytest.approx(1.0)
    assert all(later / earlier == pytest.approx(math.exp(-0.133 / 0.2)) for earlier, later in pairwise(square[8:14]))
    level = weights(Modulator(Beats(), Hits()), replace(SLOT, source="env", smooth_ms=200.0), 5)
    rise = 1 - math.exp(-0.133 / 0.2)
    assert level[0] == 0.0
    assert level[1] == pytest.approx(0.133 * rise)
    assert level[2] == pytest.approx(level[1] + (0.266 - level[1]) * rise)


def test_another_speed_in_hertz_goes_on_from_where_the_wave_is() -> None:
    modulator, slot = Modulator(Beats(), Deaf()), replace(SLOT, shape="saw", rate="hz", hz=0.5)
    at, found = 0, []
    for hz in [0.5] * 6 + [0.7] * 4:
        found.append(modulator.offsets([replace(slot, hz=hz)], Span(at, CHUNK, at), 42)["noise_scale"])
        at += CHUNK
    assert all(0 < later - earlier < 0.12 for earlier, later in pairwise(found))


def test_a_wave_that_is_too_fast_holds_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    beats = Beats(90.0)
    modulator, slot = Modulator(beats, Deaf()), replace(SLOT, number=3, rate="1/2beat")
    assert modulator.offsets([slot], Span(0, 100 * MS, 0), 42)
    assert (modulator.verdicts, caplog.text) == ({}, "")
    coarse = modulator.offsets([slot], Span(100 * MS, CHUNK, 0), 42)
    assert modulator.verdicts == {3: "coarse"}
    beats.tempo = beats.tempo.at_bpm(114.0, 0)  # half a beat is less than two chunks
    for i in range(3):
        assert modulator.offsets([slot], Span((i + 2) * CHUNK, CHUNK, 0), 42) == coarse
    assert modulator.verdicts == {3: "held"}
    beats.tempo = beats.tempo.at_bpm(111.0, 0)  # a little slower is not enough
    assert modulator.offsets([slot], Span(6 * CHUNK, CHUNK, 0), 42) == coarse
    assert [record.getMessage().partition(";")[0] for record in caplog.records] == [
        "mod/3: a wave of 333 ms is too fast for noise_scale, which moves every 133 ms: it is shown roughly",
        "mod/3: a wave of 263 ms is too fast for noise_scale, which moves every 133 ms: it stands still",
    ]
    assert modulator.offsets([slot], Span(7 * CHUNK, 33 * MS, 0), 42) != coarse  # by frames it can be shown
    assert modulator.verdicts == {}


def test_a_slot_that_was_off_begins_anew() -> None:
    modulator, slot = Modulator(Beats(), Deaf()), replace(SLOT, shape="saw", rate="hz", hz=0.5)
    first = weights(modulator, slot, 5)
    modulator.offsets([], Span(5 * CHUNK, CHUNK, 0), 42)
    assert weights(modulator, slot, 5) == first


@given(st.floats(0, 1), st.floats(-8, 8))
def test_effective_values_stay_in_range(base: float, offset: float) -> None:
    assert 0.0 <= effective(base, offset, 0.0, 1.0) <= 1.0
    assert effective(base, 0.0, 0.0, 1.0) is base


steps = st.lists(st.integers(1, 1000), min_size=1, max_size=4, unique=True).map(lambda some: tuple(sorted(some, reverse=True)))


@given(steps, st.floats(-8, 8))
def test_moved_steps_keep_their_number_their_distances_and_their_range(given: tuple[int, ...], offset: float) -> None:
    moved = moved_steps(given, offset)
    assert (len(moved), moved[0]) == (len(given), given[0])
    assert all(a > b for a, b in pairwise(moved))
    assert moved[-1] >= 1
    assert [a - b for a, b in pairwise(moved[1:])] == [a - b for a, b in pairwise(given[1:])]


def test_steps_move() -> None:
    assert moved_steps((700, 500), 0.1) == (700, 600)
    assert moved_steps((1000, 750, 500, 250), -0.1) == (1000, 650, 400, 150)
    assert moved_steps((700, 500), 0.9) == (700, 699)
    assert moved_steps((700,), 0.5) == (700,)
