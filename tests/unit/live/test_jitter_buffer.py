"""Paintings that wait to be due."""

from __future__ import annotations

import pytest
from support.fakes import fake_frame

from sdv2_live.frame import Frame
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
    buffer.add(given := chunk(0, captured_ms=0, count=QUEUE + 5), now=0)
    assert len(buffer) == QUEUE
    assert counters["frames_late"] == 5
    assert buffer.pop_due(0, ending=True) is given[5]
