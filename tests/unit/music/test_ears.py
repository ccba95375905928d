"""The ears' thread: sound waits for it, never the other way round."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from support.drum_loops import HOUSE, RATE, drums
from support.heard_loops import START_NS, blocks
from support.waiting import eventually

from sdv2_live.music.ears import Ears
from sdv2_live.music.sound.features import Gain
from sdv2_live.music.sound.listener import HeardBeat
from sdv2_live.system.clock import monotonic_ns

BLOCK = np.full((1, 1600), 0.1, np.float32)


@pytest.fixture
def beats() -> list[HeardBeat]:
    return []


@pytest.fixture
def ears(beats: list[HeardBeat]) -> Iterator[Ears]:
    ears = Ears(88.0, Gain, beats.append)
    yield ears
    ears.close()


def test_the_beat_that_is_heard_is_told(ears: Ears, beats: list[HeardBeat]) -> None:
    ears.start()
    for block in blocks(drums("house 120", 120, HOUSE, seconds=6).sound):
        while ears.queues["ears_ms"].length > 500:
            threading.Event().wait(0.001)
        ears.hear(*block)
    eventually("a beat", lambda: beats)
    assert beats[0].tempo.bpm == pytest.approx(120, abs=0.4)
    assert 0 < beats[0].confidence <= 1
    assert ears.counters.dropped == 0


def test_of_sound_that_waits_too_long_the_oldest_is_dropped_and_counted(ears: Ears) -> None:
    for number in range(90):
        ears.hear(BLOCK, RATE, START_NS + number * 33_333_333)
    fill = ears.queues["ears_ms"]
    assert 1900 < fill.length <= fill.bound == 2000
    assert ears.counters.dropped == 30
    ears.start()
    eventually("the newest", lambda: ears.between(START_NS + 2_900_000_000, START_NS + 2_990_000_000).env > 0)
    assert ears.between(START_NS, START_NS + 900_000_000).env == 0


def test_broken_samples_are_counted_and_said_once(ears: Ears, caplog: pytest.LogCaptureFixture) -> None:
    ears.start()
    broken = BLOCK.copy()
    broken[0, :7] = np.nan
    with caplog.at_level(logging.INFO, "sdv2_live.ears"):
        for number in range(30):
            ears.hear(broken if number < 3 else BLOCK, RATE, START_NS + number * 33_333_333)
        eventually("them counted", lambda: ears.counters.broken == 21)
        late = START_NS + 12_000_000_000
        for number in range(2):
            ears.hear(BLOCK, RATE, late + number * 33_333_333)
        eventually("the end of it said", lambda: "whole again" in caplog.text)
    assert caplog.text.count("no numbers") == 1


@pytest.mark.parametrize("rate", [0, 100, 10**9])
def test_sound_of_no_usual_rate_is_left_out_and_told_once(ears: Ears, rate: int, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        ears.hear(BLOCK, rate, START_NS)
    assert ears.counters.dropped == 3
    assert caplog.text.count("is not listened to") == 1
    assert ears.queues["ears_ms"].length == 0


def test_a_mistake_loses_one_block(beats: list[HeardBeat]) -> None:
    gains = iter([ValueError("a mistake")])

    def gain() -> Gain:
        for mistake in gains:
            raise mistake
        return Gain()

    ears = Ears(88.0, gain, beats.append)
    ears.start()
    ears.hear(BLOCK, RATE, START_NS)
    eventually("it counted", lambda: ears.counters.failed == 1)
    ears.close()  # and does not wait for the pause


def test_meters_show_what_comes_in_now(ears: Ears) -> None:
    assert ears.meters(100_000_000).peak_db == -120
    ears.start()
    begin = monotonic_ns() - 300_000_000
    for number in range(9):
        ears.hear(BLOCK, RATE, begin + number * 33_333_333)
    eventually("the sound", lambda: ears.meters(100_000_000).heard.env > 0)
    meters = ears.meters(100_000_000)
    assert meters.live
    assert meters.peak_db == pytest.approx(-20, abs=0.1)
