"""The tempo of a MIDI clock: its position rules, and how far off a beat is that is foretold from jittering clocks."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from sdv2_live.music.midi_clock import CHANGED, MidiClock

MS = 1e6


def clocks(bpm: float, count: int, start_ns: float = 0.0) -> Iterator[float]:
    """The exact times of clocks."""
    return (start_ns + i * 60e9 / bpm / 24 for i in range(count))


def fed(bpm: float, count: int, *, start: bool = True) -> MidiClock:
    clock = MidiClock()
    if start:
        clock.start()
    for at in clocks(bpm, count):
        clock.clock(round(at))
    return clock


def tempo_of(clock: MidiClock, now_ns: float) -> tuple[float, float]:
    """The tempo, and the beat at a time."""
    tempo = clock.tempo(round(now_ns))
    assert tempo is not None
    return tempo.bpm, tempo.beat(round(now_ns))


def test_the_first_clock_after_a_start_is_beat_0() -> None:
    clock = fed(120, 97)
    bpm, beat = tempo_of(clock, 2e9)
    assert bpm == pytest.approx(120, abs=0.01)
    assert beat == pytest.approx(4.0, abs=1e-3)
    assert clock.placed


def test_after_a_song_position_and_a_continue_the_next_clock_is_there() -> None:
    clock = fed(120, 48)
    clock.stop()
    clock.position(16)  # sixteenths: beat 4
    clock.go_on()
    for at in clocks(120, 25, 1e9):
        clock.clock(round(at))
    assert tempo_of(clock, 1.5e9)[1] == pytest.approx(5.0, abs=1e-3)


def test_clock_goes_on_while_the_song_stands_and_the_song_goes_on_where_it_stood() -> None:
    clock = fed(120, 48)
    clock.stop()
    for at in clocks(120, 48, 1e9):
        clock.clock(round(at))
    assert tempo_of(clock, 2e9)[1] == pytest.approx(4.0, abs=1e-3)
    clock.go_on()
    for at in clocks(120, 25, 2e9):
        clock.clock(round(at))
    assert tempo_of(clock, 2.5e9)[1] == pytest.approx(3.0, abs=1e-3)


def test_one_clock_that_is_lost_moves_no_beat() -> None:
    clock = MidiClock()
    clock.start()
    for number, at in enumerate(clocks(120, 240)):
        if number != 150:
            clock.clock(round(at))
    bpm, beat = tempo_of(clock, 5e9)
    assert bpm == pytest.approx(120, abs=0.01)
    assert beat == pytest.approx(10.0, abs=1e-3)


def test_a_continue_before_any_start_says_nothing_of_the_place() -> None:
    clock = fed(120, 48, start=False)
    clock.go_on()
    for at in clocks(120, 48, 1e9):
        clock.clock(round(at))
    bpm, beat = tempo_of(clock, 2e9)
    assert (bpm, beat) == (pytest.approx(120, abs=0.01), pytest.approx(4.0, abs=1e-3))
    assert not clock.placed


@pytest.mark.parametrize("between", [0, 10])
def test_a_continue_before_any_start_goes_on_at_the_song_position(between: int) -> None:
    """As from a DAW that was stopped when this program began to listen, and sends clock all the time."""
    clock = fed(120, 48, start=False)
    clock.position(64)  # beat 16
    for at in clocks(120, between, 1e9):
        clock.clock(round(at))
    clock.go_on()
    for at in clocks(120, 49, 1e9 + between * 60e9 / 120 / 24):
        clock.clock(round(at))
    assert tempo_of(clock, 2e9 + between * 60e9 / 120 / 24)[1] == pytest.approx(18.0, abs=1e-3)
    assert clock.placed


@pytest.mark.parametrize("pause_ms", [30, 100, 300, 900])
@pytest.mark.parametrize("more", [1, 3, 6, 48])
def test_a_start_after_a_short_pause_is_beat_0_from_its_first_clock(pause_ms: int, more: int) -> None:
    clock = fed(120, 97)
    clock.stop()
    again_ns = 2e9 + pause_ms * MS
    clock.start()
    for at in clocks(120, more, again_ns):
        clock.clock(round(at))
    bpm, beat = tempo_of(clock, again_ns + 1e9)
    assert (bpm, beat) == (pytest.approx(120, abs=0.01), pytest.approx(2.0, abs=0.01))


def test_clock_without_a_start_has_a_tempo_and_no_place() -> None:
    clock = fed(140, 60, start=False)
    assert tempo_of(clock, 1e9)[0] == pytest.approx(140, abs=0.01)
    assert not clock.placed


def test_a_silent_clock_has_no_tempo_and_comes_back() -> None:
    clock = fed(120, 96)
    assert clock.tempo(round(2e9)) is not None
    assert clock.tempo(round(2e9 + 1.1e9)) is None
    for at in clocks(120, 48, 10e9):
        clock.clock(round(at))
    bpm, beat = tempo_of(clock, 11e9)
    assert bpm == pytest.approx(120, abs=0.1)
    assert beat == pytest.approx(22.0, abs=0.05)  # clocks that were lost are counted by their time


def test_another_tempo_is_taken_up_after_a_few_clocks() -> None:
    clock = fed(120, 96)
    for at in list(clocks(140, 60, 2e9))[1:]:
        clock.clock(round(at))
    assert clock.breaks >= 1
    assert tempo_of(clock, 2e9 + 59 * 60e9 / 140 / 24)[0] == pytest.approx(140, abs=0.5)


def test_a_flood_has_no_tempo() -> None:
    assert fed(5000, 300).tempo(round(300 * 60e9 / 5000 / 24)) is None


def ahead(times: np.ndarray, heard: np.ndarray, bpm: float) -> tuple[float, float]:
    """The rms of the error in ms of a beat 250 ms ahead, and of the tempo in bpm, over the second half."""
    clock = MidiClock()
    clock.start()
    errors, tempos = [], []
    for i, at in enumerate(heard):
        clock.clock(round(at))
        tempo = clock.tempo(round(at))
        if i > len(heard) // 2 and tempo is not None:
            there = float(times[i]) + 250 * MS
            errors.append((tempo.beat(round(there)) - (i + 250 * MS / (60e9 / bpm / 24)) / 24) * 60e3 / bpm)
            tempos.append(tempo.bpm - bpm)
    lag = float(np.mean(errors))  # a constant lag is not seen by any filter: tempo/offset_ms
    return math.sqrt(np.mean((np.array(errors) - lag) ** 2)), math.sqrt(np.mean(np.square(tempos)))


@pytest.mark.parametrize("bpm", [90.0, 120.0, 174.0])
@pytest.mark.parametrize(("kind", "ms", "off"), [("usb", 0.15, 0.02), ("blocks", 2.5, 0.3), ("late", 1.5, 0.3)])
def test_a_beat_is_foretold_from_clocks_that_jitter(bpm: float, kind: str, ms: float, off: float) -> None:
    rng = np.random.default_rng(7)
    times = np.array(list(clocks(bpm, 24 * 60)))
    if kind == "usb":  # steps of 1 ms
        heard = np.ceil(times / MS) * MS
    elif kind == "blocks":  # of 1024 samples, as JACK and DAWs send them
        block = 1024 / 48_000 * 1e9
        heard = np.ceil(times / block) * block
    else:  # one of a hundred comes late
        heard = times + np.where(rng.random(len(times)) < 0.01, rng.uniform(5, 30, len(times)) * MS, 0)
        heard = np.maximum.accumulate(heard)
    error_ms, error_bpm = ahead(times, heard + rng.uniform(0, 0.05, len(times)) * MS, bpm)
    assert error_ms < ms
    assert error_bpm < off


def test_residuals_in_a_row_are_needed_for_a_change() -> None:
    clock = fed(120, 200)
    breaks = clock.breaks
    late = list(clocks(120, 260))[200:]
    for i, at in enumerate(late):
        clock.clock(round(at + (20 * MS if i in (3, 9, 17, 30) else 0)))
    assert clock.breaks == breaks
    assert CHANGED > 1
