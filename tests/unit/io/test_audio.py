"""The sound's delay line: every sample whole and in order, and no step in the sound where the delay changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdv2_live.io.audio import LATE_NS, LIMIT_S, AudioBlock, DelayLine

RATE, LENGTH = 48_000, 420
BLOCK_NS = LENGTH * 1_000_000_000 // RATE  # 8.75 ms
START = 10**12


def tone(index: int, level: float = 0.5) -> AudioBlock:
    """Block `index` of a 100 Hz sine, 7/8 of a period: two blocks that do not belong together join with a step."""
    at = np.arange(index * LENGTH, (index + 1) * LENGTH)
    wave = (level * np.sin(2 * np.pi * 100 * at / RATE)).astype(np.float32)
    return AudioBlock(np.stack([wave, -wave]), RATE, START + index * BLOCK_NS)


def played(line: DelayLine, blocks: int, delays: dict[int, int]) -> list[tuple[int, AudioBlock]]:
    """(when, block) of a sound of so many blocks, each a block's time after the last, with delays that hold from a block on."""
    given: list[tuple[int, AudioBlock]] = []
    for index in range(blocks + 200):
        now = START + index * BLOCK_NS
        if index in delays:
            line.follow(delays[index])
        if index < blocks:
            line.push(tone(index))
        for step in range(4):
            given += [(now + step * BLOCK_NS // 4, block) for block in line.due(now + step * BLOCK_NS // 4)]
    return given


def sound(given: list[tuple[int, AudioBlock]]) -> np.ndarray:
    return np.concatenate([block.samples for _, block in given], axis=1)


def largest_step(samples: np.ndarray) -> float:
    return float(np.abs(np.diff(samples, axis=1)).max())


STEP = largest_step(np.concatenate([tone(0).samples, tone(1).samples], axis=1))


def test_a_steady_delay_changes_no_sample() -> None:
    given = played(DelayLine(), 50, {0: 300_000_000})
    assert np.array_equal(sound(given), np.concatenate([tone(i).samples for i in range(50)], axis=1))
    assert all(when >= block.captured_ns + 300_000_000 for when, block in given)
    assert all(when < block.captured_ns + 300_000_000 + BLOCK_NS for when, block in given)


def test_nothing_sounds_before_a_picture_was_shown() -> None:
    line = DelayLine()
    line.push(tone(0))
    assert line.due(START + 10**9) == []
    assert line.next_due is None
    line.follow(0)
    assert line.next_due == START


def test_a_small_change_moves_blocks_and_changes_no_sample() -> None:
    given = played(DelayLine(), 700, {0: 300_000_000, 100: 340_000_000})
    assert np.array_equal(sound(given), np.concatenate([tone(i).samples for i in range(700)], axis=1))
    moments = np.array([when - block.captured_ns for when, block in given])
    assert moments[-1] == pytest.approx(340_000_000, abs=BLOCK_NS / 2)
    assert np.abs(np.diff(moments)).max() <= BLOCK_NS / 4 + BLOCK_NS * 0.01 + 1  # by the step of this test's clock at most


@pytest.mark.parametrize(("before", "after"), [(600_000_000, 5_000_000), (5_000_000, 600_000_000), (100_000_000, 203_700_000)])
def test_a_large_change_is_made_in_silence(before: int, after: int) -> None:
    line = DelayLine()
    given = played(line, 300, {0: before, 150: after})
    samples = sound(given)
    assert largest_step(samples) <= STEP * 1.2
    assert given[-1][0] - given[-1][1].captured_ns == pytest.approx(after, abs=BLOCK_NS)
    change = (after - before) * RATE / 1e9
    assert samples.shape[1] == pytest.approx(300 * LENGTH + change, abs=LENGTH)  # one unbroken stream, longer or shorter
    late = np.concatenate([tone(i).samples for i in range(250, 300)], axis=1)  # long after the change all is as it was
    assert np.array_equal(samples[:, -50 * LENGTH :], late)


@pytest.mark.parametrize("delays", [(300, 150, 5), (5, 150, 300), (300, 5, 300), (5, 300, 5), (5, 300, 600)])
@pytest.mark.parametrize("apart", [1, 2, 5])
def test_changes_on_the_heels_of_each_other_make_no_step(delays: tuple[int, int, int], apart: int) -> None:
    given = played(DelayLine(), 300, {index * apart + 100 * (index > 0): ms * 1_000_000 for index, ms in enumerate(delays)})
    assert largest_step(sound(given)) <= STEP * 1.2


def test_blocks_that_are_far_too_late_are_left_out() -> None:
    line = DelayLine()
    line.follow(0)
    for index in range(100):
        line.push(tone(index))
    given = line.due(START + 99 * BLOCK_NS)
    assert len(given) + line.dropped == 100
    assert given[0].captured_ns >= START + 99 * BLOCK_NS - LATE_NS
    assert abs(given[0].samples[0, 0]) == 0.0
    assert np.array_equal(given[1].samples, tone(round((given[1].captured_ns - START) / BLOCK_NS)).samples)


@pytest.mark.parametrize("apart_ns", [0, 5_000_000, 10**9])
@pytest.mark.parametrize("delay_ns", [50_000_000, 300_000_000])
def test_another_input_takes_over_without_a_step(delay_ns: int, apart_ns: int) -> None:
    """apart: how much later than the first the second sound is dated."""
    line = DelayLine()
    line.follow(delay_ns)
    given: list[AudioBlock] = []
    for index in range(400):
        if index == 100:
            line.cut()
        if index < 200:
            block = tone(index) if index < 100 else tone(index, 0.25)
            line.push(replace(block, captured_ns=block.captured_ns + apart_ns * (index >= 100)))
        given += line.due(START + index * BLOCK_NS)
    samples = np.concatenate([block.samples for block in given], axis=1)
    assert largest_step(samples) <= STEP * 1.2
    assert np.array_equal(samples[:, : 99 * LENGTH], np.concatenate([tone(i).samples for i in range(99)], axis=1))
    assert np.abs(samples[:, -50 * LENGTH :]).max() <= 0.25
    assert len(given) == 200
    captured = [block.captured_ns for block in given]
    assert captured == sorted(captured)


def test_what_was_captured_before_the_cut_belongs_to_the_sound_before() -> None:
    line = DelayLine()
    line.follow(10**9)
    for index in range(10):
        line.push(tone(index))
    line.cut()
    for index in range(5, 15):
        line.push(tone(index))
    given = line.due(START + 15 * BLOCK_NS + 10**9)
    assert [block.captured_ns for block in given] == [START + index * BLOCK_NS for index in range(15)]


def test_memory_is_bounded() -> None:
    line = DelayLine()
    line.follow(int(100e9))
    for index in range(5000):
        line.push(tone(index))
    line.due(START)
    kept = 5000 - line.dropped
    assert kept * BLOCK_NS <= LIMIT_S * 1e9
    assert kept > LIMIT_S * 1e9 / BLOCK_NS - 2


@given(
    st.dictionaries(st.integers(0, 199), st.integers(0, 1_500_000_000), min_size=1, max_size=6),
    st.lists(st.integers(16, 2000), min_size=200, max_size=200),
)
def test_any_delays_and_lengths_keep_the_order(delays: dict[int, int], lengths: list[int]) -> None:
    """Blocks of a constant, which only fades may change."""
    line, now, given = DelayLine(), START, []
    line.follow(delays.get(0, 0))
    for index, length in enumerate(lengths):
        if index in delays:
            line.follow(delays[index])
        line.push(AudioBlock(np.ones((1, length), np.float32), RATE, now))
        now += length * 1_000_000_000 // RATE
        given += line.due(now)
    given += line.due(now + 2_000_000_000)
    captured = [block.captured_ns for block in given if block.samples.any()]
    assert captured == sorted(set(captured))
    assert all(0.0 <= block.samples.min() <= block.samples.max() <= 1.0 for block in given)
