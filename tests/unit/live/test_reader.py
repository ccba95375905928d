"""A thread that always reads its source."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from support.fakes import FakeClock, FakeSource, Gap, fake_frame
from support.waiting import eventually

from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame
from sdv2_live.live.input_health import InputHealth
from sdv2_live.live.reader import READ_S, SourceReader
from sdv2_live.stats import Counters


def frames(count: int, first: int = 0) -> list[Frame]:
    return [fake_frame(i) for i in range(first, first + count)]


class Rig:
    """A reader, and what was taken of it at every read."""

    def __init__(self, source: FakeSource, clock: FakeClock | None = None, **watch: float) -> None:
        self.source, self.counters, self.given = source, Counters(), list[Frame]()
        health = InputHealth(since=clock.now_ns() if clock else 0, linked=lambda: source.linked, **watch)
        keys = {"clock": clock.now_ns} if clock else {}
        self.reader = SourceReader(source, health, threading.Lock(), self._take, self.counters, **keys)

    def _take(self, reader: SourceReader) -> None:
        frame = reader.take()
        self.given += [] if frame is None else [frame]


@contextmanager
def reading(source: FakeSource) -> Iterator[Rig]:
    rig = Rig(source)
    rig.reader.start()
    try:
        yield rig
    finally:
        rig.reader.close()


def indices(given: list[Frame]) -> list[int]:
    return [frame.index for frame in given]


def test_every_frame_is_given_in_order_up_to_the_end() -> None:
    source = FakeSource([*frames(3), Gap(1), *frames(17, first=3)])
    with reading(source) as rig:
        eventually("the end", lambda: rig.reader.ended)
        assert indices(rig.given) == list(range(20))
        assert rig.reader.failure is None
        for frame, sent in zip(rig.given, frames(20), strict=True):
            np.testing.assert_array_equal(frame.data, sent.data)


def test_a_broken_source_is_remembered() -> None:
    with reading(FakeSource([*frames(2), VideoError("clip.mp4: the disk is gone"), *frames(2)])) as rig:
        eventually("the failure", lambda: rig.reader.failure)
        assert rig.reader.ended
        assert "the disk is gone" in str(rig.reader.failure)
        assert indices(rig.given) == [0, 1]


def test_what_nobody_foresaw_does_not_end_the_input() -> None:
    with reading(FakeSource([*frames(2), ValueError("not a VideoError"), *frames(3, first=2)])) as rig:
        eventually("the end", lambda: rig.reader.ended)
        assert indices(rig.given) == [0, 1, 2, 3, 4]
        assert rig.counters["reads_failed"] == 1
        assert rig.reader.failure is None


def test_close_ends_the_source_once_and_may_be_called_again() -> None:
    source = FakeSource([Gap(10_000)])
    with reading(source) as rig:
        rig.reader.close()
        rig.reader.close()
        assert source.closed >= 1
        assert not rig.reader._thread.is_alive()


def test_the_newest_frame_waits_until_it_is_taken() -> None:
    reader = SourceReader(FakeSource(frames(3)), InputHealth(), threading.Lock(), lambda reader: None, Counters())
    for _ in range(3):
        reader.step()
    newest = reader.take()
    assert newest is not None
    assert newest.index == 2
    assert reader.take() is None


class Waits(FakeSource):
    """Notes how long it may wait, in seconds."""

    def __init__(self, *script: Frame | Gap) -> None:
        super().__init__(script, clock=FakeClock())
        self.waits: list[float] = []

    def read(self, timeout: float) -> Frame | None:
        self.waits.append(timeout)
        return super().read(timeout)


def test_a_read_ends_when_the_input_counts_as_lost() -> None:
    source = Waits(*frames(2), Gap(4))
    rig = Rig(source, source._clock, lost_s=0.6)
    lost_at = source._clock.now_ns() + 2 / 30 * 1e9 + 0.6e9
    for _ in range(6):
        rig.reader.step()
    assert source.waits[2:4] == [READ_S, READ_S]
    assert abs(source.waits[4] - 0.1) < 1e-6
    assert source._clock.now_ns() >= lost_at
    assert source.waits[5] == READ_S
