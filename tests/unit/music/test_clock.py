"""The one beat of a show, with the time as an argument."""

from __future__ import annotations

import logging
import math
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdv2_live.music.clock import BeatClock
from sdv2_live.music.tempo import BPM_MAX, BPM_MIN, Tempo

S = 1_000_000_000
MS = 1_000_000


def at_120(**asked: object) -> BeatClock:
    return BeatClock(Tempo(0, 0.0, 120.0), **asked)  # type: ignore[arg-type]


def led(bpm: float = 120.0, beat: float = 0.0) -> BeatClock:
    """A clock that the source osc leads from time 0 on."""
    clock = BeatClock(Tempo(0, beat, bpm), "osc")
    clock.lead("osc", Tempo(0, beat, bpm), at_ns=0)
    return clock


def tap(clock: BeatClock, *seconds: float) -> None:
    for at in seconds:
        clock.tap(round(at * S))


# Sources


def test_a_source_that_moves_a_little_is_joined_by_a_glide() -> None:
    clock = led()
    clock.lead("osc", Tempo(10 * S, 20.1, 121.0), at_ns=10 * S)
    assert clock.beat(10 * S) == pytest.approx(20.0)
    assert clock.tempo.beat(10 * S) == pytest.approx(20.1)
    assert clock.beat(11 * S) == pytest.approx(20.1 + 121 / 60)
    assert clock.counters.jumps == 0


def test_a_source_that_is_elsewhere_is_joined_at_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    clock = led()
    for number in range(3):
        clock.lead("osc", Tempo(10 * S, 100.0 + 10 * number, 128.0), at_ns=10 * S)
        assert clock.beat(10 * S) == pytest.approx(100 + 10 * number)
    assert clock.counters.jumps == 3
    assert [record.getMessage() for record in caplog.records] == ["osc is suddenly +80.0 beats away; the beat goes there"]


def test_a_source_that_falls_silent_is_said_once_and_the_beat_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = led(128.0)
    for at_ns in range(0, 10 * S, S // 4):
        clock.watch(at_ns)
    assert (clock.silent, clock.counters.lost, clock.bpm) == (True, 1, 128.0)
    assert clock.beat(60 * S) == pytest.approx(128.0)
    clock.lead("osc", Tempo(60 * S, 128.0, 128.0), at_ns=60 * S)
    clock.watch(60 * S)
    assert not clock.silent
    assert [record.getMessage() for record in caplog.records] == [
        "osc says nothing of the tempo; the beat goes on at 128.0 bpm",
        "the tempo follows osc again, at 128.0 bpm",
    ]


def test_where_the_source_is_lost_a_hand_gives_the_tempo_until_it_is_back() -> None:
    clock = BeatClock(Tempo(0, 0.0, 100.0), "link", leadable=["link"])
    clock.watch(5 * S)
    tap(clock, 10, 10.5, 11, 11.5)
    assert (clock.source, clock.bpm) == ("link", pytest.approx(120.0))
    clock.lead("link", Tempo(20 * S, 7.0, 100.0), at_ns=20 * S)
    assert (clock.bpm, clock.beat(20 * S)) == (100.0, pytest.approx(7.0))
    clock.watch(30 * S)
    assert clock.set_bpm(90.0, 30 * S)
    assert (clock.source, clock.bpm) == ("internal", 90.0)


def test_two_beats_of_a_slow_source_are_no_silence() -> None:
    clock = led(30.0)
    clock.watch(3 * S)
    assert not clock.silent
    clock.watch(5 * S)
    assert clock.silent


def test_only_the_chosen_source_leads_and_the_others_are_remembered() -> None:
    clock = at_120()
    clock.lead("link", Tempo(S, 8.0, 140.0), peers=2, confidence=0.5, at_ns=S)
    assert (clock.bpm, clock.sources["link"].peers, clock.sources["link"].confidence) == (120.0, 2, 0.5)
    clock.choose("link", S + 10 * MS)
    assert clock.bpm == 140.0
    assert clock.beat(S + 10 * MS) == pytest.approx(8 + 140 / 6000)
    clock.choose("internal", 2 * S)
    clock.lead("link", Tempo(2 * S, 0.0, 90.0), at_ns=2 * S)
    assert clock.bpm == 140.0
    assert clock.counters.jumps == 0


def test_a_source_that_was_heard_long_ago_leads_only_when_it_speaks_again() -> None:
    clock = at_120()
    clock.lead("midi", Tempo(0, 0.0, 90.0), at_ns=0)
    clock.choose("midi", 60 * S)
    assert clock.bpm == 120.0
    clock.watch(60 * S + S // 2)
    assert not clock.silent
    clock.lead("midi", Tempo(61 * S, 4.0, 90.0), at_ns=61 * S)
    assert (clock.bpm, clock.beat(61 * S)) == (90.0, pytest.approx(4.0))


def test_a_write_of_the_tempo_selects_internal_unless_the_source_may_be_led() -> None:
    clock = led(100.0)
    assert clock.set_bpm(125.0, S)
    assert (clock.source, clock.bpm) == ("internal", 125.0)
    assert clock.beat(S) == pytest.approx(100 / 60)
    leader = BeatClock(Tempo(0, 0.0, 100.0), "link", leadable=["link"])
    assert not leader.set_bpm(125.0, S)
    assert (leader.source, leader.bpm) == ("link", 100.0)


# Hands


def test_taps_set_the_tempo_from_the_second_and_the_beat_from_the_first() -> None:
    clock = at_120()
    tap(clock, 10.1)
    assert clock.bpm == 120.0
    assert clock.tempo.beat(round(10.1 * S)) == pytest.approx(20.0)  # it was 20.2: the nearest beat, the same bar
    tap(clock, 10.7)
    assert clock.bpm == pytest.approx(100.0)
    tap(clock, 11.3, 12.5, 13.1)  # one left out
    assert clock.bpm == pytest.approx(100.0)
    assert clock.tempo.beat(round(13.1 * S)) == pytest.approx(25.0)


def test_eight_taps_average_what_a_hand_scatters() -> None:
    errors = []
    for seed in range(40):
        hand = random.Random(seed)
        clock = at_120()
        tap(clock, *(20 + 0.47 * number + hand.gauss(0, 0.012) for number in range(8)))
        errors.append(clock.bpm - 60 / 0.47)
    assert math.sqrt(sum(error**2 for error in errors) / len(errors)) < 0.8


def test_a_new_series_begins_after_two_seconds_and_at_another_tempo() -> None:
    clock = at_120()
    tap(clock, 1, 1.5, 2, 2.5)
    tap(clock, 5, 5.6, 6.2)
    assert clock.bpm == pytest.approx(100.0)
    tap(clock, 6.55, 6.9)
    assert clock.bpm == pytest.approx(60 / 0.35)


def test_a_flood_of_taps_is_counted_and_changes_nothing() -> None:
    clock = at_120()
    tap(clock, 1, 1.5)
    for number in range(1000):
        clock.tap(round(1.5 * S) + number * 10_000)
    assert (clock.counters.bounced, clock.counters.taps) == (1000, 1002)
    assert clock.bpm == pytest.approx(120.0)


@given(st.floats(0, 200), st.lists(st.floats(0.0, 0.9), max_size=12))
def test_a_tap_never_jumps_the_bar(first: float, gaps: list[float]) -> None:
    clock = at_120()
    at_ns = round((1000 + first) * S)
    for gap in [0.0, *gaps]:
        at_ns += round(gap * S)
        before = clock.tempo.beat(at_ns)
        clock.tap(at_ns)
        assert abs(clock.tempo.beat(at_ns) - before) <= 0.5 + 1  # half a beat, and what the taps' own scatter is
        assert BPM_MIN <= clock.bpm <= BPM_MAX


def test_resync_is_beat_1_of_bar_1() -> None:
    clock = at_120()
    clock.resync(round(7.3 * S))
    assert clock.beat(round(7.3 * S)) == 0
    assert clock.bar_and_beat(round(7.3 * S)) == (1, 1)
    assert clock.bar_and_beat(round(7.3 * S) - MS) == (4, 3)  # the past stays


def test_nudge_shifts_the_beat_once() -> None:
    clock = at_120()
    clock.nudge(50, 10 * S)
    assert clock.beat(10 * S) == pytest.approx(20.0)
    assert clock.beat(12 * S) == pytest.approx(24.1)
    clock.nudge(-500, 12 * S)
    assert clock.beat(20 * S) == pytest.approx(39.1)


def test_push_and_pull_bend_the_beat_while_they_are_held() -> None:
    for way in (1, -1):
        clock = at_120()
        clock.bend(way, 10 * S)
        assert clock.bpm == 120.0
        assert clock.tempo.bpm == pytest.approx(120 * (1 + 0.03 * way))
        clock.bend(0, 20 * S)
        assert clock.tempo.bpm == 120.0
        assert clock.beat(30 * S) == pytest.approx(60 + 0.6 * way)


def test_doubled_and_halved_each_bar_begins_where_it_did() -> None:
    clock = at_120()
    clock.scale(2, round(11.37 * S))  # bar 6, beat 3.74
    assert clock.bpm == 240.0
    assert clock.beat(12 * S) % 4 == pytest.approx(0)  # where bar 7 began
    clock.scale(0.5, 12 * S)
    clock.scale(0.5, 12 * S)
    assert clock.bpm == 60.0
    assert clock.beat(16 * S) % 2 == pytest.approx(0)
    for _ in range(10):
        clock.scale(2, 20 * S)
    assert clock.bpm == 960.0  # what would be faster than 999 is left out


def test_offset_shows_earlier() -> None:
    clock = at_120()
    clock.set_offset(100, 10 * S)
    assert clock.beat(20 * S) == pytest.approx(40.2)
    assert clock.tempo.beat(20 * S) == pytest.approx(40.2)
    assert clock.time_at(44) == 22 * S - 100 * MS
    clock.resync(30 * S)  # what is heard now is beat 1; it is shown before that
    assert clock.tempo.beat(30 * S) == pytest.approx(0.2)


def test_under_a_source_hands_move_only_our_own_place_and_factor() -> None:
    clock = led(125.0, 2.5)
    clock.scale(2, 0)
    tap(clock, 1, 1.3)
    clock.nudge(20, 2 * S)
    clock.bend(1, 3 * S)
    clock.bend(0, 4 * S)
    ours = clock.tempo.beat(5 * S)
    led_there = Tempo(0, 2.5, 125.0).beat(5 * S)
    clock.lead("osc", Tempo(5 * S, led_there, 125.0), at_ns=5 * S)
    assert (clock.source, clock.bpm) == ("osc", 250.0)
    assert clock.tempo.beat(5 * S) == pytest.approx(ours)
    clock.lead("osc", Tempo(6 * S, 100.0, 125.0), at_ns=6 * S)  # it jumps: what was ours is no more
    assert (clock.bpm, clock.beat(6 * S)) == (125.0, pytest.approx(100.0))


def test_listeners_hear_of_every_change_until_they_are_removed() -> None:
    clock = at_120()
    heard: list[float] = []
    remove = clock.add_listener(lambda: heard.append(clock.bpm))
    clock.set_bpm(90, S)
    clock.choose("osc", 2 * S)
    clock.lead("osc", Tempo(3 * S, 0.0, 91.0), at_ns=3 * S)
    clock.lead("link", Tempo(3 * S, 0.0, 92.0), at_ns=3 * S)
    remove()
    clock.set_bpm(100, 4 * S)
    assert heard == [90, 90, 91]


# Properties

moves = st.lists(st.tuples(st.integers(1, 2000), st.floats(-0.5, 0.5), st.floats(0.9, 1.1)), min_size=1, max_size=40)


@settings(max_examples=200)
@given(st.floats(40, 400), moves, st.integers(0, 900))
def test_the_beat_never_goes_back_while_its_source_glides(bpm: float, news: list[tuple[int, float, float]], ahead: int) -> None:
    """Whether asked for now or for a fixed time ahead, as the picture is."""
    clock = led(bpm)
    source, at_ns, seen = Tempo(0, 0.0, bpm), 0, [clock.beat(ahead * MS)]
    for wait, move, factor in news:
        for _ in range(4):
            at_ns += wait * MS // 4
            seen.append(clock.beat(at_ns + ahead * MS))
        source = Tempo(at_ns, source.beat(at_ns) + move * 0.999, min(max(source.bpm * factor, BPM_MIN), BPM_MAX))
        clock.lead("osc", source, at_ns=at_ns)
        seen.append(clock.beat(at_ns + ahead * MS))
        assert BPM_MIN <= clock.bpm <= BPM_MAX
    assert clock.counters.jumps == 0
    assert all(after >= before - 1e-9 for before, after in pairwise(seen))


@given(st.floats(40, 400), moves, st.floats(0, 100))
def test_time_at_is_the_inverse_of_beat_through_all_glides(
    bpm: float, news: list[tuple[int, float, float]], seconds: float
) -> None:
    clock = led(bpm)
    source, at_ns = Tempo(0, 0.0, bpm), 0
    for wait, move, factor in news:
        at_ns += wait * MS
        source = Tempo(at_ns, source.beat(at_ns) + move * 0.999, min(max(source.bpm * factor, BPM_MIN), BPM_MAX))
        clock.lead("osc", source, at_ns=at_ns)
    asked = at_ns - S + round(seconds * S / 50)
    assert clock.time_at(clock.beat(asked)) == pytest.approx(asked, abs=100)


hands = st.one_of(
    st.tuples(st.just("tap")),
    st.tuples(st.just("resync")),
    st.tuples(st.just("nudge"), st.floats(-500, 500)),
    st.tuples(st.just("bend"), st.sampled_from([-1, 0, 1])),
    st.tuples(st.just("scale"), st.sampled_from([0.5, 2.0])),
    st.tuples(st.just("set_bpm"), st.floats(1e-6, 1e9)),
    st.tuples(st.just("set_offset"), st.floats(-500, 500)),
    st.tuples(st.just("choose"), st.sampled_from(["internal", "osc", "link"])),
)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 3000), hands), max_size=40), st.floats(BPM_MIN, BPM_MAX))
def test_whatever_hands_do_the_tempo_stays_in_its_range(played: list[tuple[int, tuple[object, ...]]], bpm: float) -> None:
    clock, at_ns = at_120(), 0
    for wait, (name, *args) in played:
        at_ns += wait * MS
        clock.lead("osc", Tempo(at_ns, at_ns / S * bpm / 60, bpm), at_ns=at_ns)
        getattr(clock, str(name))(*args, at_ns)
        assert BPM_MIN <= clock.bpm <= BPM_MAX
        assert BPM_MIN <= clock.tempo.bpm <= BPM_MAX
        assert math.isfinite(clock.beat(at_ns + S // 3))
