"""Sound that breaks, stops, has gaps or changes its rate; and what is remembered of it."""

from __future__ import annotations

import numpy as np
import pytest
from support.drum_loops import HOUSE, RATE, drums
from support.heard_loops import START_NS, blocks

from sdv2_live.music.heard import Heard
from sdv2_live.music.sound.features import Gain
from sdv2_live.music.sound.listener import Listener

AUTO = Gain()
SECOND = 1_000_000_000


def _noise(seconds: float, level: float = 0.1, rate: int = RATE) -> np.ndarray:
    return (level * np.random.default_rng(1).standard_normal(round(seconds * rate))).astype(np.float32)


def _heard(sound: np.ndarray, gain: Gain = AUTO) -> Listener:
    listener = Listener(88.0)
    for block in blocks(sound):
        listener.hear(*block, gain)
    return listener


def _at(listener: Listener, second: float, length_s: float = 0.1) -> Heard:
    begin = START_NS + round(second * SECOND)
    return listener.between(begin, begin + round(length_s * SECOND))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_samples_that_are_no_sound_count_as_silence(bad: float) -> None:
    sound = _noise(3)
    clean = _heard(sound)
    sound[RATE : RATE + 100] = bad
    listener = _heard(sound)
    assert listener.broken == 100
    assert _at(listener, 2).env == pytest.approx(_at(clean, 2).env, abs=0.02)
    assert all(0 <= getattr(_at(listener, s), name) <= 1 for s in (0.5, 0.99, 1, 1.05) for name in Heard.__slots__)


def test_a_level_is_against_its_own_peak() -> None:
    loud, soft = _heard(_noise(3, 0.5)), _heard(_noise(3, 0.005))
    assert _at(loud, 2).env == pytest.approx(_at(soft, 2).env, abs=0.01)
    assert _at(loud, 2).env > 0.8


def test_after_a_step_of_40_db_the_gain_comes_back_slowly() -> None:
    listener = _heard(np.concatenate((_noise(3, 0.5), _noise(6, 0.005))))
    assert _at(listener, 2.5).env > 0.8
    assert _at(listener, 8.5).env < 0.03


def test_a_fixed_gain_hears_soft_sound_as_soft() -> None:
    fixed = Gain(auto=False)
    loud, soft = _heard(_noise(3, 0.25), fixed), _heard(_noise(3, 0.025), fixed)
    assert _at(loud, 2).env > 0.9
    assert _at(soft, 2).env == pytest.approx(0.1, abs=0.02)
    assert _at(_heard(_noise(3, 0.025), Gain(auto=False, factor=2.0)), 2).env == pytest.approx(0.2, abs=0.04)


def test_bands_hear_what_is_in_them() -> None:
    t = np.arange(6 * RATE) / RATE
    bass, air = np.sin(2 * np.pi * 60 * t), np.sin(2 * np.pi * 8000 * t)
    sound = 0.3 * np.where(t < 2, bass + air + _noise(6, 0.3), np.where(t < 4, bass, air)).astype(np.float32)
    listener = _heard(sound)
    assert _at(listener, 3.5).low > 4 * _at(listener, 3.5).high
    assert _at(listener, 5.5).high > 4 * _at(listener, 5.5).low


def test_of_silence_nothing_is_heard() -> None:
    assert _at(_heard(np.zeros(3 * RATE, np.float32)), 2) == Heard()
    assert _at(Listener(88.0), 2) == Heard()


def test_after_its_end_sound_is_held_for_a_moment_and_then_gone() -> None:
    listener = _heard(_noise(3))
    newest = listener.memory.newest_ns
    assert newest is not None
    assert listener.between(newest + 1, newest + 30_000_000).env > 0.8
    assert listener.between(newest + SECOND, newest + 2 * SECOND) == Heard()


def test_a_span_shorter_than_a_hop_has_levels() -> None:
    listener = _heard(_noise(3))
    spans = (START_NS + 2 * SECOND + millisecond * 1_000_000 for millisecond in range(30))
    assert all(listener.between(begin, begin + 1_000_000).env > 0.5 for begin in spans)


def test_an_onset_is_heard_in_the_span_that_it_falls_into_and_in_no_other() -> None:
    loop = drums("house 120", 120, HOUSE, seconds=6)
    listener = _heard(loop.sound)
    begins = [round(beat - 0.05, 4) for beat in loop.beats[4:10]]
    assert all(_at(listener, begin).kick > 0.3 for begin in begins)
    assert all(_at(listener, begin + 0.12).kick == 0 for begin in begins)


def test_a_short_gap_is_silence_and_the_beat_goes_on() -> None:
    loop = drums("house 120", 120, HOUSE, seconds=14)
    listener = Listener(88.0)
    last = None
    for number, block in enumerate(blocks(loop.sound)):
        if not 240 <= number < 270:  # a second
            last = listener.hear(*block, AUTO) or last
    assert _at(listener, 8.5) == Heard()
    assert last is not None
    assert last.tempo.bpm == pytest.approx(120, abs=0.2)
    assert abs(last.tempo.beat(START_NS + round(loop.beats[20] * SECOND)) % 1 - 0.5) > 0.48


@pytest.mark.parametrize("away_ns", [-4 * SECOND, 3600 * SECOND])
def test_another_time_begins_anew(away_ns: int) -> None:
    listener = _heard(_noise(3))
    again = START_NS + 3 * SECOND + away_ns
    listener.hear(_noise(1)[None], RATE, again, AUTO)
    assert _at(listener, 2) == Heard()
    assert listener.between(again + SECOND // 2, again + SECOND).env > 0.8


def test_another_rate_goes_on() -> None:
    listener = _heard(_noise(2))
    at = START_NS + 2 * SECOND
    for begin in range(0, 44_100, 1470):
        listener.hear(_noise(1, rate=44_100)[None, begin : begin + 1470], 44_100, at + begin * SECOND // 44_100, AUTO)
    assert _at(listener, 1.5).env > 0.8
    assert _at(listener, 2.5).env > 0.8


def test_a_sender_that_stumbles_and_catches_up_loses_nothing() -> None:
    loop = drums("house 120", 120, HOUSE, seconds=10)
    listener = Listener(88.0)
    last = None
    for number, (samples, rate, at_ns) in enumerate(blocks(loop.sound)):
        late_ns = max(0, 200_000_000 - number % 60 * 20_000_000)  # every two seconds, and then less and less
        last = listener.hear(samples, rate, at_ns + late_ns, AUTO) or last
    assert last is not None
    assert last.tempo.bpm == pytest.approx(120, abs=0.2)


def test_jitter_of_the_blocks_times_moves_nothing() -> None:
    listener = Listener(88.0)
    rng = np.random.default_rng(2)
    for samples, rate, at_ns in blocks(_noise(3)):
        listener.hear(samples, rate, at_ns + int(rng.uniform(-20e6, 20e6)), AUTO)
    times = np.sort(listener.memory._times[listener.memory._times > 0])
    assert np.abs(np.diff(times) - 10_000_000).max() < 3_000_000
