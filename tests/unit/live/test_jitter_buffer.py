"""Paintings that wait to be due."""

from __future__ import annotations

import pytest
from support.fakes import fake_frame

from sdv2_live.frame import Frame
from sdv2_live.live.beat_delay import LIMIT_NS, BeatDelay
from sdv2_live.live.jitter_buffer import LEFT_OUT, MARGIN_NS, MEMORY, QUEUE, JitterBuffer
from sdv2_live.stats import Counters

MS = 1_000_000


def chunk(first: int, captured_ms: int, count: int = 4) -> list[Frame]:
    return [fake_frame(first + i, captured_ns=(captured_ms + 10 * i) * MS) for i in range(count)]


def test_each_frame_is_due_as_long_after_its_capture_as_the_chunk_needed() -> None:
    buffer = JitterBuffer(counters := Counters())
    buffer.add(given := chunk(0, captured_ms=0), now=100 * MS)
    assert buffer.delay_ns == 100 * MS + MARGIN_NS
    for frame in given:
        due = frame.captured_ns + buffer.delay_ns
        assert buffer.next_due == due
        assert buffer.pop_due(due - 1) is None
        assert buffer.pop_due(due) is frame
    assert buffer.next_due is None
    assert counters["frames_late"] == 0


def test_of_frames_that_are_due_together_the_newest_counts() -> None:
    buffer = JitterBuffer(counters := Counters())
    buffer.add(given := chunk(0, captured_ms=0), now=100 * MS)
    assert buffer.pop_due(given[2].captured_ns + buffer.delay_ns) is given[2]
    assert counters["frames_late"] == 2
    assert len(buffer) == 1


def test_at_the_end_every_frame_is_due_in_order() -> None:
    buffer = JitterBuffer(Counters())
    buffer.add(given := chunk(0, captured_ms=0), now=100 * MS)
    assert [buffer.pop_due(0, ending=True) for _ in range(5)] == [*given, None]


@pytest.mark.parametrize("hitches", range(LEFT_OUT + 2))
def test_rare_hitches_are_nobodys_delay(hitches: int) -> None:
    buffer = JitterBuffer(Counters())
    for i in range(MEMORY):
        buffer.add(chunk(0, captured_ms=0), now=(5000 if i % 6 == 3 and i // 6 < hitches else 100) * MS)
    assert buffer.delay_ns == (5000 if hitches > LEFT_OUT else 100) * MS + MARGIN_NS


def test_too_many_frames_drop_the_oldest_and_are_counted() -> None:
    buffer = JitterBuffer(counters := Counters())
    given = [frame for i in range(0, QUEUE + 5, 3) for frame in chunk(i, captured_ms=10 * i, count=3)]
    for i in range(0, QUEUE + 5, 3):
        buffer.add(given[i : i + 3], now=0)
    assert len(buffer) == QUEUE
    assert counters["frames_late"] == 5
    assert buffer.pop_due(0, ending=True) is given[5]


def test_a_long_chunk_waits_whole_beside_those_before_it() -> None:
    buffer = JitterBuffer(counters := Counters())
    for i in range(4):
        buffer.add(chunk(12 * i, captured_ms=120 * i, count=12), now=0)
    assert len(buffer) == buffer.bound == 36
    assert counters["frames_late"] == 12


def test_a_raised_delay_is_whole_beats_and_all_frames_that_wait_for_it_are_kept() -> None:
    beat_ns = 500.0 * MS
    buffer = JitterBuffer(counters := Counters(), BeatDelay(1, lambda: beat_ns))
    shown: list[tuple[int, int]] = []
    for number in range(200):  # a chunk of 40 ms, painted 150 ms after its first frame came
        now = number * 40 + 150
        buffer.add(chunk(number * 4, captured_ms=number * 40), now * MS)
        due = ((ms, buffer.pop_due(ms * MS)) for ms in range(now, now + 40))
        shown += [(frame.index, ms - frame.captured_ns // MS) for ms, frame in due if frame is not None]
        assert len(buffer) <= buffer.bound < 60
    assert buffer.delay_ns == 500 * MS
    assert [index for index, _ in shown] == list(range(len(shown)))
    assert {delay for _, delay in shown} == {500}
    assert counters["frames_late"] == 0


def test_a_delay_that_would_take_too_much_memory_is_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    buffer = JitterBuffer(Counters(), lambda needed: 10**16)
    for number in range(3):
        buffer.add(chunk(number * 4, captured_ms=number * 40), (number * 40 + 100) * MS)
    assert (buffer.delay_ns, buffer.bound) == (100 * MS + MARGIN_NS, QUEUE)
    assert len(caplog.records) == 1


def test_whole_beats_are_left_only_when_the_delay_needed_is_clearly_shorter() -> None:
    delay = BeatDelay(2, lambda: 200.0 * MS)
    assert [delay(ms * MS) // MS for ms in (390, 410, 395, 375, 365, 410)] == [400, 800, 800, 800, 400, 800]
    assert delay(LIMIT_NS + 1) == LIMIT_NS + 1
    assert BeatDelay(0, lambda: 200.0 * MS)(123) == 123
