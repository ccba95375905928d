"""The clock between the engine and a sink. Times are compared in order and ratio, never against a stopwatch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from support.fakes import FakeSink, fake_frame
from support.waiting import eventually

from sdv2_live.config.choices import Fallback
from sdv2_live.errors import VideoError
from sdv2_live.frame import MAX_RATE, Frame, PixelFormat
from sdv2_live.io.base import Sink
from sdv2_live.io.pictures import black_like
from sdv2_live.live.fallback import FallbackMixer
from sdv2_live.live.playout import QUEUE, Playout
from sdv2_live.live.switcher import OutputMode
from sdv2_live.stats import Counters
from sdv2_live.system.clock import monotonic_ns

RATE = Fraction(100)


class Hand:
    """What the performer holds down."""

    def __init__(self) -> None:
        self.showing = OutputMode()

    def __call__(self) -> OutputMode:
        return self.showing


@contextmanager
def playing(sink: Sink | None = None, cover: FallbackMixer | None = None) -> Iterator[tuple[Playout, FakeSink, Hand, Counters]]:
    sink, hand, counters = sink or FakeSink(), Hand(), Counters()
    playout = Playout(sink, counters, hand, cover)
    playout.start()
    try:
        yield playout, sink, hand, counters  # type: ignore[misc]
    finally:
        playout.close()


def painted(*indices: int, spacing_ms: float = 10.0, height: int = 16) -> list[Frame]:
    """Frames whose input was captured up to now, evenly."""
    now = monotonic_ns()
    last = len(indices) - 1
    return [
        fake_frame(index, height, rate=RATE, captured_ns=now - int((last - i) * spacing_ms * 1e6))
        for i, index in enumerate(indices)
    ]


def shown(sink: FakeSink) -> list[int]:
    """Indices of the frames sent, repeats left out."""
    order: list[int] = []
    for frame in list(sink.frames):
        if not order or order[-1] != frame.index:
            order.append(frame.index)
    return order


def test_frames_come_out_in_order_and_none_is_lost() -> None:
    with playing() as (playout, sink, _, counters):  # far enough apart for a busy machine
        playout.show(painted(1, 2, 3, 4, spacing_ms=80))
        eventually("four frames", lambda: shown(sink) == [1, 2, 3, 4])
        playout.show(painted(5, 6, 7, 8, spacing_ms=80))
        eventually("eight frames", lambda: shown(sink) == [1, 2, 3, 4, 5, 6, 7, 8])
        assert counters["frames_late"] == 0


def test_the_last_picture_is_repeated_for_ever() -> None:
    with playing() as (playout, sink, _, counters):
        playout.show(painted(1))
        eventually("repeats", lambda: len(sink.frames) > 20)
        assert shown(sink) == [1]
        assert counters["frames_repeated"] >= 19


def test_the_delay_follows_the_engine_and_no_single_hitch() -> None:
    playout = Playout(FakeSink(), Counters())

    def show(late_ms: int, chunks: int) -> float:
        for _ in range(chunks):
            playout.show([replace(frame, captured_ns=frame.captured_ns - late_ms * 1_000_000) for frame in painted(1, 2)])
        return playout.delay_ms

    steady = show(200, 12)
    assert 200 <= steady < 1000
    assert show(5000, 1) < 1000  # one hitch among thirteen
    assert show(2000, 3) >= 2000  # a slower engine
    assert show(200, 20) < 1000  # and back


@pytest.mark.parametrize("hitches", [[6000], [6000, 3000]], ids=["one", "two"])
def test_hitches_among_the_first_chunks_are_nobodys_delay(hitches: list[int]) -> None:
    playout = Playout(FakeSink(), Counters())
    for late_ms in [*hitches, *[100] * 18]:
        playout.show([replace(frame, captured_ns=frame.captured_ns - late_ms * 1_000_000) for frame in painted(1, 2)])
        if len(playout._needed) >= 2 * len(hitches):
            assert playout.delay_ms < 1000


def test_a_quick_chunk_waits_for_its_time_while_the_last_frame_is_repeated() -> None:
    with playing() as (playout, sink, _, _):
        playout.show([replace(frame, captured_ns=frame.captured_ns - 200_000_000) for frame in painted(1, 2)])
        eventually("the late chunk", lambda: shown(sink) == [1, 2])
        playout._needed.extend([playout._needed[0]] * 10)
        playout.show(painted(3, 4))
        sent = len(sink.frames)
        eventually("the quick chunk", lambda: shown(sink)[-1] == 4)
        assert len(sink.frames) - sent >= 5


def test_too_many_frames_drop_the_oldest_and_are_counted() -> None:
    with playing() as (playout, sink, hand, counters):
        hand.showing = OutputMode(freeze=True)
        future = monotonic_ns() + 3_600_000_000_000
        playout.show([fake_frame(i, rate=RATE, captured_ns=future + i) for i in range(QUEUE + 5)])
        assert counters["frames_late"] == 5
        assert sink.frames == []


def test_before_the_first_chunk_the_input_passes() -> None:
    with playing() as (playout, sink, _, _):
        playout.offer_input(fake_frame(100, rate=RATE))
        eventually("the input", lambda: shown(sink) == [100])
        playout.show(painted(1))
        eventually("the painting", lambda: shown(sink)[-1] == 1)
        playout.offer_input(fake_frame(101, rate=RATE))
        eventually("repeats", lambda: [frame.index for frame in sink.frames].count(1) > 3)
        assert shown(sink) == [100, 1]


class Recording(FakeSink):
    """A sink that nobody looks at while it is made."""

    live = False


def test_a_recording_begins_with_the_painting() -> None:
    with playing(Recording()) as (playout, sink, _, _):
        playout.offer_input(fake_frame(100, rate=RATE))
        playout.show(painted(1))
        eventually("the painting", lambda: sink.frames)
        assert shown(sink) == [1]


def test_bypass_sends_every_input_frame_as_it_is() -> None:
    with playing() as (playout, sink, hand, counters):
        playout.show(painted(1))
        eventually("the painting", lambda: shown(sink) == [1])
        hand.showing = OutputMode(bypass=True)
        given = [fake_frame(100 + i, 32, 48, rate=RATE, format=PixelFormat.UYVY) for i in range(30)]
        for i, frame in enumerate(given):
            playout.offer_input(frame)
            eventually("the frame", lambda i=i: shown(sink)[-1] == 100 + i)
        assert all(any(sent is frame for sent in sink.frames) for frame in given)
        hand.showing = OutputMode()
        playout.show(painted(2))
        eventually("the painting again", lambda: shown(sink)[-1] == 2)
        assert counters["frames_late"] == 0


def test_freeze_holds_and_going_on_shows_the_newest() -> None:
    with playing() as (playout, sink, hand, _):
        playout.show(painted(1))
        eventually("a frame", lambda: shown(sink) == [1])
        hand.showing = OutputMode(freeze=True)
        playout.show(painted(2, 3))
        sent = len(sink.frames)
        eventually("held frames", lambda: len(sink.frames) > sent + 10)
        assert shown(sink) == [1]
        hand.showing = OutputMode()
        playout.show(painted(4))
        eventually("the newest", lambda: shown(sink)[-1] == 4)


def test_blackout_is_black_and_leaves_the_picture() -> None:
    with playing() as (playout, sink, hand, _):
        playout.show(painted(200))
        eventually("a frame", lambda: sink.frames)
        hand.showing = OutputMode(blackout=True)
        eventually("black", lambda: not sink.frames[-1].data[:, 0::4].any())
        hand.showing = OutputMode()
        eventually("the picture", lambda: sink.frames[-1].data.min() == 200)


def test_a_start_in_blackout_sends_black_and_what_is_painted_meanwhile_is_seen_after_it() -> None:
    with playing() as (playout, sink, hand, _):
        hand.showing = OutputMode(blackout=True)
        playout.offer_input(fake_frame(100, rate=RATE))
        eventually("black", lambda: len(sink.frames) > 3)
        playout.show(painted(200))
        eventually("the painting to be taken", lambda: playout._switcher.painting is not None)
        assert not any(frame.data[:, 0::4].any() for frame in sink.frames)
        hand.showing = OutputMode()
        eventually("the picture", lambda: value(sink) == 200)
        assert {value for frame in sink.frames for value in frame.data[:, 0::4].flat} == {0, 200}


def test_letting_go_of_bypass_shows_the_painting_though_no_new_one_comes() -> None:
    with playing() as (playout, sink, hand, _):
        playout.show(painted(200))
        eventually("the painting", lambda: shown(sink) == [200])
        playout.offer_input(fake_frame(100, rate=RATE))
        hand.showing = OutputMode(bypass=True)
        eventually("the input of before the press", lambda: shown(sink)[-1] == 100)
        hand.showing = OutputMode()
        eventually("the painting again", lambda: shown(sink) == [200, 100, 200])


@pytest.mark.parametrize("rate", [Fraction(1000), Fraction(2**31 - 1), Fraction(1, 10), Fraction(1, 90000)])
def test_a_rate_that_cannot_be_true_sets_no_pace_and_stops_neither_blackout_nor_the_end(rate: Fraction) -> None:
    with playing() as (playout, sink, hand, _):
        playout.show([fake_frame(100, rate=rate, captured_ns=monotonic_ns())])
        sent = sink.wait_for(10)
        assert sent[-1].index == 100
        assert sink.times_ns[9] - sink.times_ns[1] > 7 / MAX_RATE * 1e9
        hand.showing = OutputMode(blackout=True)
        eventually("black", lambda: value(sink) == 0)
        ending = threading.Thread(target=playout.close, daemon=True)
        ending.start()
        eventually("the end", lambda: not ending.is_alive())


class StuckSink(FakeSink):
    """Never returns from its first frame, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def send(self, frame: Frame) -> None:
        super().send(frame)
        self.let_go.wait()


def test_a_sink_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("sdv2_live.threads.END_S", 0.05)
    with playing(sink := StuckSink()) as (playout, _, _, _):
        playout.show(painted(1))
        sink.wait_for(1)
        playout.close()
        assert sink.closed == 0
        assert "left behind" in caplog.text
        sink.let_go.set()


def test_black_is_black_in_every_format() -> None:
    for layout in PixelFormat:
        black = black_like(fake_frame(77, format=layout)).data.reshape(16, 16, -1)
        pattern = (128, 16) if layout is PixelFormat.UYVY else (0, 0, 0, 255)
        assert np.array_equal(black, np.broadcast_to(np.array(pattern, np.uint8), black.shape))


class BrokenSink(FakeSink):
    """Refuses its first three frames."""

    refused = 0

    def send(self, frame: Frame) -> None:
        if self.refused < 3:
            self.refused += 1
            raise VideoError("the disk is full; free some space")
        super().send(frame)


def test_a_sink_that_fails_does_not_stop_the_show(caplog: object) -> None:
    with playing(BrokenSink()) as (playout, sink, _, counters):
        playout.show(painted(1))
        eventually("the sink to come back", lambda: sink.frames)
        assert counters["frames_failed"] == 3


class BuggySink(FakeSink):
    """Stumbles over its second frame in a way that nobody foresaw."""

    sends = 0

    def send(self, frame: Frame) -> None:
        self.sends += 1
        if self.sends == 2:
            raise ValueError("not a VideoError")
        super().send(frame)


def test_what_nobody_foresaw_does_not_end_the_output() -> None:
    with playing(BuggySink()) as (playout, sink, _, counters):
        playout.show(painted(1))
        eventually("frames after the failure", lambda: len(sink.frames) > 4)
        assert counters["frames_failed"] == 1
        assert playout._thread.is_alive()


class UnwatchedSink(FakeSink):
    """Nobody receives."""

    @property
    def watched(self) -> bool:
        return False


def test_nothing_is_sent_while_nobody_watches() -> None:
    with playing(UnwatchedSink()) as (playout, sink, _, counters):
        playout.show(painted(1, 2))
        eventually("the queue to run empty", lambda: not playout._queue)
        assert sink.frames == []
        assert counters["frames_out"] == 0


def test_close_sends_what_is_still_waiting() -> None:
    with playing() as (playout, sink, _, _):
        playout.show(painted(1))
        eventually("a frame", lambda: sink.frames)
        future = monotonic_ns() + 3_600_000_000_000
        playout.show([fake_frame(i, rate=RATE, captured_ns=future) for i in (2, 3, 4)])
        playout.close()
        playout.close()
        assert shown(sink) == [1, 2, 3, 4]


def test_the_latency_is_that_of_what_is_shown() -> None:
    with playing() as (playout, sink, hand, _):
        hand.bypass = True
        hour_ago = monotonic_ns() - 3_600_000_000_000
        playout.offer_input(fake_frame(100, rate=RATE, captured_ns=hour_ago))
        eventually("the input", lambda: shown(sink) == [100])
        assert playout.shown_latency.p50 >= 3_600_000
        hand.bypass = False
        playout.show(painted(1))
        eventually("the painting", lambda: 1 in shown(sink))
        eventually("its latency", lambda: playout.shown_latency.count == 1)
        assert playout.shown_latency.p50 < 3_600_000


def covered(instead: Fallback = Fallback.INPUT) -> FallbackMixer:
    return FallbackMixer(instead, hold_s=0.05, fade_s=0.1)


def test_when_paintings_stop_the_input_is_faded_in_and_out_again_when_they_return() -> None:
    with playing(cover=covered()) as (playout, sink, _, _):
        playout.show(painted(200))
        eventually("the painting", lambda: shown(sink) == [200])
        playout.offer_input(fake_frame(100, rate=RATE))
        assert playout.latency.summary().count == 1  # the input is not asked for yet
        playout.lost()
        eventually("the input", lambda: playout.offer_input(fake_frame(100, rate=RATE)) or value(sink) == 100)
        values = sorted({int(frame.data[0, 0]) for frame in sink.frames}, reverse=True)
        assert values[0] == 200
        assert len(values) > 3  # it was faded
        playout.show(painted(200))
        eventually("the painting again", lambda: value(sink) == 200)


def value(sink: FakeSink) -> int:
    return int(sink.frames[-1].data[0, 0])


def test_a_substitute_that_needs_no_input_comes_without_one() -> None:
    with playing(cover=covered(Fallback.BLACK)) as (playout, sink, hand, _):
        playout.lost()  # before there is anything to cover
        playout.show(painted(200))
        eventually("the painting", lambda: shown(sink) == [200])
        assert value(sink) == 200
        playout.lost()
        eventually("black", lambda: sink.frames and value(sink) == 0)
        hand.showing = OutputMode(bypass=True)
        playout.offer_input(fake_frame(100, rate=RATE))
        eventually("the input in bypass", lambda: value(sink) == 100)
        hand.showing = OutputMode(freeze=True)
        sent = len(sink.frames)
        eventually("repeats", lambda: len(sink.frames) > sent + 10)
        assert value(sink) == 100
        hand.showing = OutputMode()
        eventually("black again", lambda: value(sink) == 0)


def test_when_nobody_watches_the_cover_costs_nothing_and_harms_nothing() -> None:
    sink, cover = FakeSink(watched=False), covered()
    with playing(sink, cover) as (playout, _, _, _):
        playout.show(painted(200))
        eventually("the painting to be due", lambda: playout._switcher.painting is not None)
        playout.lost()
        eventually("the end of the fade", lambda: cover.level(monotonic_ns()) == 1)
        playout.offer_input(fake_frame(100, rate=RATE))
        sink.watched = True
        eventually("the input", lambda: playout.offer_input(fake_frame(100, rate=RATE)) or (sink.frames and value(sink) == 100))


def test_a_slate_is_faded_over_the_painting_while_the_input_is_held_also_when_a_late_chunk_comes() -> None:
    sink, counters = FakeSink(), Counters()
    slate = FallbackMixer(Fallback.SLATE, hold_s=0.0, fade_s=0.1, text="soon")
    playout = Playout(sink, counters, slate=slate)
    playout.start()
    try:
        playout.show(painted(200))
        eventually("the painting", lambda: sink.frames and np.median(sink.frames[-1].data) == 200)
        playout.hold(True)
        eventually("the slate", lambda: np.median(sink.frames[-1].data) < 60)
        playout.show(painted(200))  # it was being painted when the input was lost
        sent = len(sink.frames)
        eventually("more of the slate", lambda: len(sink.frames) > sent + 10)
        assert np.median(sink.frames[-1].data) < 60
        playout.hold(False)
        eventually("the painting again", lambda: np.median(sink.frames[-1].data) == 200)
        assert {frame.size for frame in sink.frames} == {(16, 16)}
    finally:
        playout.close()
