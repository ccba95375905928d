"""The clock between the engine and a sink, by one that moves when told; on the playout's own thread where that is the point."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest
from support.fakes import FakeClock, FakeSink, fake_frame
from support.waiting import eventually

from sdv2_live.config.choices import Fallback
from sdv2_live.errors import VideoError
from sdv2_live.frame import MAX_RATE, Frame, PixelFormat
from sdv2_live.io.pictures import black_like
from sdv2_live.live.fallback import FallbackMixer
from sdv2_live.live.jitter_buffer import MARGIN_NS, QUEUE
from sdv2_live.live.playout import HAND_NS, Playout
from sdv2_live.live.switcher import OutputMode
from sdv2_live.stats import Counters, Fill
from sdv2_live.system.clock import monotonic_ns

RATE = Fraction(100)
FRAME_S = float(1 / RATE)


class Rig:
    """A playout that sends when its clock is moved. `showing` is what the performer holds down."""

    def __init__(
        self, sink: FakeSink | None = None, fallback: FallbackMixer | None = None, slate: FallbackMixer | None = None
    ) -> None:
        self.clock = FakeClock()
        self.sink = sink or FakeSink()
        self.sink._now_ns = self.clock.now_ns
        self.counters, self.showing = Counters(), OutputMode()
        self.playout = Playout(self.sink, self.counters, lambda: self.showing, fallback, slate, self.clock.now_ns)

    def play(self, seconds: float = 1.0) -> None:
        """Send what is due in so many seconds."""
        until = self.clock.now_ns() + round(seconds * 1e9)
        while True:
            while self.playout.step():
                pass
            left, wait_s = (until - self.clock.now_ns()) / 1e9, self.playout.wait_s()
            if wait_s is None or wait_s > left:
                self.clock.advance(left)
                return
            self.clock.advance(wait_s)

    def until(self, what: str, reached: Callable[[], object]) -> None:
        """Send until this holds, for a minute at most."""
        for _ in range(round(60 / FRAME_S)):
            if reached():
                return
            self.play(FRAME_S)
        raise AssertionError(f"{what} did not come")

    def painted(self, *indices: int, spacing_ms: float = 10.0, late_ms: float = 0.0) -> list[Frame]:
        """Frames whose input was captured up to now, or up to so long ago, evenly."""
        last = self.clock.now_ns() - int(late_ms * 1e6)
        count = len(indices)
        return [
            fake_frame(index, rate=RATE, captured_ns=last - int((count - 1 - i) * spacing_ms * 1e6))
            for i, index in enumerate(indices)
        ]

    def show(self, *indices: int, late_ms: float = 0.0) -> None:
        self.playout.show(self.painted(*indices, late_ms=late_ms))

    def camera(self, index: int = 100) -> None:
        self.playout.offer_input(fake_frame(index, rate=RATE, captured_ns=self.clock.now_ns()))

    @property
    def shown(self) -> list[int]:
        """Indices of the frames sent, repeats left out."""
        order: list[int] = []
        for frame in self.sink.frames:
            if not order or order[-1] != frame.index:
                order.append(frame.index)
        return order

    @property
    def value(self) -> int:
        return int(self.sink.frames[-1].data[0, 0])


@contextmanager
def threaded(sink: FakeSink | None = None) -> Iterator[tuple[Playout, FakeSink, Counters]]:
    """A playout on its own thread, by the real clock."""
    sink, counters = sink or FakeSink(), Counters()
    playout = Playout(sink, counters)
    playout.start()
    try:
        yield playout, sink, counters
    finally:
        playout.close()


def test_frames_come_out_in_order_each_at_its_time_and_none_is_lost() -> None:
    rig = Rig()
    for first in (1, 5):
        given = rig.painted(*range(first, first + 4), spacing_ms=80)
        rig.playout.show(given)
        rig.play()
    assert rig.shown == [1, 2, 3, 4, 5, 6, 7, 8]
    assert rig.counters["frames_late"] == 0
    sent = [rig.sink.times_ns[[frame.index for frame in rig.sink.frames].index(i)] for i in (5, 6, 7, 8)]
    assert [at - frame.captured_ns for at, frame in zip(sent, given, strict=True)] == [240_000_000 + MARGIN_NS] * 4


def test_on_its_own_thread_frames_come_out_in_order_too() -> None:
    with threaded() as (playout, sink, _):
        for first in (1, 5):
            now = monotonic_ns()
            playout.show([fake_frame(first + i, rate=RATE, captured_ns=now - (3 - i) * 20_000_000) for i in range(4)])
            eventually("the last of them", lambda first=first: sink.frames and sink.frames[-1].index == first + 3)
        indices = [frame.index for frame in list(sink.frames)]
        assert indices == sorted(indices)


def test_the_last_picture_is_repeated_for_ever() -> None:
    rig = Rig()
    rig.show(1)
    rig.play(1.0)
    assert rig.shown == [1]
    assert rig.counters["frames_repeated"] == len(rig.sink.frames) - 1 == pytest.approx(100, abs=1)


def test_the_delay_follows_the_engine_and_no_single_hitch() -> None:
    rig = Rig()

    def show(late_ms: int, chunks: int) -> float:
        for _ in range(chunks):
            rig.show(1, 2, late_ms=late_ms)
        return rig.playout.delay_ns / 1e6

    needed = lambda late_ms: late_ms + 10 + MARGIN_NS / 1e6  # noqa: E731
    assert show(200, 12) == needed(200)
    assert show(5000, 1) == needed(200)  # one hitch among thirteen
    assert show(2000, 3) == needed(2000)  # a slower engine
    assert show(200, 20) == needed(200)  # and back


@pytest.mark.parametrize("hitches", [[6000], [6000, 3000]], ids=["one", "two"])
def test_hitches_among_the_first_chunks_are_nobodys_delay(hitches: list[int]) -> None:
    rig = Rig()
    for late_ms in [*hitches, *[100] * 18]:
        rig.show(1, 2, late_ms=late_ms)
        if len(rig.playout._paintings._needed) >= 2 * len(hitches):
            assert rig.playout.delay_ns < 1_000_000_000


def test_a_quick_chunk_waits_for_its_time_while_the_last_frame_is_repeated() -> None:
    rig = Rig()
    rig.show(1, 2, late_ms=200)
    rig.until("the late chunk", lambda: rig.shown == [1, 2])
    rig.playout._paintings._needed.extend([rig.playout._paintings._needed[0]] * 10)
    rig.show(3, 4)
    sent = len(rig.sink.frames)
    rig.until("the quick chunk", lambda: rig.shown[-1] == 4)
    assert len(rig.sink.frames) - sent >= 5


def test_too_many_frames_drop_the_oldest_and_are_counted() -> None:
    rig = Rig()
    rig.showing = OutputMode(freeze=True)
    future = rig.clock.now_ns() + 3_600_000_000_000
    for begin in range(0, QUEUE + 5, 3):
        rig.playout.show([fake_frame(i, rate=RATE, captured_ns=future + i) for i in range(begin, begin + 3)])
    assert rig.counters["frames_late"] == 5
    assert rig.playout.queues["playout"] == Fill(QUEUE, QUEUE)
    assert rig.sink.frames == []
    rig.play(0)
    assert rig.sink.frames == []  # none is due
    rig.play()
    assert rig.shown == [5]  # the oldest that is left, held by the freeze


def test_before_the_first_chunk_the_input_passes() -> None:
    rig = Rig()
    rig.camera(100)
    rig.play(0)
    assert rig.shown == [100]
    rig.show(1)
    rig.until("the painting", lambda: rig.shown[-1] == 1)
    rig.camera(101)
    rig.until("repeats", lambda: [frame.index for frame in rig.sink.frames].count(1) > 3)
    assert rig.shown == [100, 1]


class Recording(FakeSink):
    """A sink that nobody looks at while it is made."""

    live = False


def test_a_recording_begins_with_the_painting() -> None:
    rig = Rig(Recording())
    rig.camera(100)
    rig.play(0.1)
    assert rig.sink.frames == []
    rig.show(1)
    rig.until("the painting", lambda: rig.sink.frames)
    assert rig.shown == [1]


def test_bypass_sends_every_input_frame_as_it_is_and_at_once() -> None:
    rig = Rig()
    rig.show(1)
    rig.until("the painting", lambda: rig.shown == [1])
    rig.showing = OutputMode(bypass=True)
    given = [fake_frame(100 + i, 32, 48, rate=RATE, format=PixelFormat.UYVY) for i in range(30)]
    for i, frame in enumerate(given):
        rig.clock.advance(FRAME_S)
        rig.playout.offer_input(frame)
        rig.play(0)
        assert rig.shown[-1] == 100 + i
    assert all(any(sent is frame for sent in rig.sink.frames) for frame in given)
    rig.showing = OutputMode()
    rig.show(2)
    rig.until("the painting again", lambda: rig.shown[-1] == 2)
    assert rig.counters["frames_late"] == 0


def test_freeze_holds_and_going_on_shows_the_newest() -> None:
    rig = Rig()
    rig.show(1)
    rig.until("a frame", lambda: rig.shown == [1])
    rig.showing = OutputMode(freeze=True)
    rig.show(2, 3)
    sent = len(rig.sink.frames)
    rig.until("held frames", lambda: len(rig.sink.frames) > sent + 10)
    assert rig.shown == [1]
    rig.showing = OutputMode()
    rig.show(4)
    rig.until("the newest", lambda: rig.shown[-1] == 4)


def test_blackout_is_black_and_leaves_the_picture() -> None:
    rig = Rig()
    rig.show(200)
    rig.until("a frame", lambda: rig.sink.frames)
    rig.showing = OutputMode(blackout=True)
    rig.play(HAND_NS / 1e9)
    assert not rig.sink.frames[-1].data[:, 0::4].any()
    rig.showing = OutputMode()
    rig.play(HAND_NS / 1e9)
    assert rig.sink.frames[-1].data.min() == 200


def test_a_start_in_blackout_sends_black_and_what_is_painted_meanwhile_is_seen_after_it() -> None:
    rig = Rig()
    rig.showing = OutputMode(blackout=True)
    rig.camera(100)
    rig.until("black", lambda: len(rig.sink.frames) > 3)
    rig.show(200)
    rig.until("the painting to be taken", lambda: rig.playout._switcher.painting is not None)
    assert not any(frame.data[:, 0::4].any() for frame in rig.sink.frames)
    rig.showing = OutputMode()
    rig.until("the picture", lambda: rig.value == 200)
    assert {value for frame in rig.sink.frames for value in frame.data[:, 0::4].flat} == {0, 200}


def test_letting_go_of_bypass_shows_the_painting_though_no_new_one_comes() -> None:
    rig = Rig()
    rig.show(200)
    rig.until("the painting", lambda: rig.shown == [200])
    rig.camera(100)
    rig.showing = OutputMode(bypass=True)
    rig.until("the input of before the press", lambda: rig.shown[-1] == 100)
    rig.showing = OutputMode()
    rig.until("the painting again", lambda: rig.shown == [200, 100, 200])


@pytest.mark.parametrize("rate", [Fraction(1000), Fraction(2**31 - 1), Fraction(1, 10), Fraction(1, 90000)])
def test_a_rate_that_cannot_be_true_sets_no_pace_and_stops_neither_blackout_nor_the_end(rate: Fraction) -> None:
    rig = Rig()
    rig.playout.show([fake_frame(100, rate=rate, captured_ns=rig.clock.now_ns())])
    rig.until("repeats", lambda: len(rig.sink.frames) >= 10)
    assert rig.sink.frames[-1].index == 100
    assert rig.sink.times_ns[9] - rig.sink.times_ns[1] > 7 / MAX_RATE * 1e9
    rig.showing = OutputMode(blackout=True)
    rig.play(HAND_NS / 1e9)
    assert rig.value == 0
    rig.playout.start()
    ending = threading.Thread(target=rig.playout.close, daemon=True)
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
    with threaded(sink := StuckSink()) as (playout, _, _):
        playout.show([fake_frame(1, rate=RATE, captured_ns=monotonic_ns())])
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


def test_a_sink_that_fails_does_not_stop_the_show() -> None:
    rig = Rig(BrokenSink())
    rig.show(1)
    rig.until("the sink to come back", lambda: rig.sink.frames)
    assert rig.counters["frames_failed"] == 3


class BuggySink(FakeSink):
    """Stumbles over its second frame in a way that nobody foresaw."""

    sends = 0

    def send(self, frame: Frame) -> None:
        self.sends += 1
        if self.sends == 2:
            raise ValueError("not a VideoError")
        super().send(frame)


def test_what_nobody_foresaw_does_not_end_the_output() -> None:
    with threaded(BuggySink()) as (playout, sink, counters):
        playout.show([fake_frame(1, rate=RATE, captured_ns=monotonic_ns())])
        eventually("frames after the failure", lambda: len(sink.frames) > 4)
        assert counters["frames_failed"] == 1
        assert playout._thread.is_alive()


class UnwatchedSink(FakeSink):
    """Nobody receives."""

    @property
    def watched(self) -> bool:
        return False


def test_nothing_is_sent_while_nobody_watches() -> None:
    rig = Rig(UnwatchedSink())
    rig.show(1, 2)
    rig.until("the queue to run empty", lambda: not rig.playout._paintings)
    assert rig.sink.frames == []
    assert rig.counters["frames_out"] == 0


def test_close_sends_what_is_still_waiting() -> None:
    with threaded() as (playout, sink, _):
        playout.show([fake_frame(1, rate=RATE, captured_ns=monotonic_ns())])
        eventually("a frame", lambda: sink.frames)
        future = monotonic_ns() + 3_600_000_000_000
        playout.show([fake_frame(i, rate=RATE, captured_ns=future) for i in (2, 3, 4)])
        playout.close()
        playout.close()
        indices = [frame.index for frame in sink.frames]
        assert sorted(set(indices)) == [1, 2, 3, 4]
        assert indices[-3:] == [2, 3, 4]


def test_the_latency_is_that_of_what_is_shown() -> None:
    rig = Rig()
    rig.showing = OutputMode(bypass=True)
    hour_ago = rig.clock.now_ns() - 3_600_000_000_000
    rig.playout.offer_input(fake_frame(100, rate=RATE, captured_ns=hour_ago))
    rig.play(0)
    assert rig.shown == [100]
    assert rig.playout.shown_latency.p50 == 3_600_000
    rig.showing = OutputMode()
    rig.show(1)
    rig.until("the painting", lambda: 1 in rig.shown)
    assert rig.playout.shown_latency.count == 1
    assert rig.playout.shown_latency.p50 == MARGIN_NS / 1e6


def covered(instead: Fallback = Fallback.INPUT) -> FallbackMixer:
    return FallbackMixer(instead, hold_s=0.05, fade_s=0.1)


def test_when_paintings_stop_the_input_is_faded_in_and_out_again_when_they_return() -> None:
    rig = Rig(fallback=covered())
    rig.show(200)
    rig.until("the painting", lambda: rig.shown == [200])
    rig.camera(100)
    assert rig.playout.latency.summary().count == 1  # the input is not asked for yet
    rig.playout.lost()
    rig.until("the input", lambda: rig.camera(100) or rig.value == 100)
    values = sorted({int(frame.data[0, 0]) for frame in rig.sink.frames}, reverse=True)
    assert values[0] == 200
    assert len(values) > 3  # it was faded
    rig.show(200)
    rig.until("the painting again", lambda: rig.value == 200)


def test_a_substitute_that_needs_no_input_comes_without_one() -> None:
    rig = Rig(fallback=covered(Fallback.BLACK))
    rig.playout.lost()  # before there is anything to cover
    rig.show(200)
    rig.until("the painting", lambda: rig.shown == [200])
    assert rig.value == 200
    rig.playout.lost()
    rig.until("black", lambda: rig.value == 0)
    rig.showing = OutputMode(bypass=True)
    rig.camera(100)
    rig.until("the input in bypass", lambda: rig.value == 100)
    rig.showing = OutputMode(freeze=True)
    sent = len(rig.sink.frames)
    rig.until("repeats", lambda: len(rig.sink.frames) > sent + 10)
    assert rig.value == 100
    rig.showing = OutputMode()
    rig.until("black again", lambda: rig.value == 0)


def test_when_nobody_watches_the_cover_costs_nothing_and_harms_nothing() -> None:
    rig = Rig(FakeSink(watched=False), fallback := covered())
    rig.show(200)
    rig.until("the painting to be due", lambda: rig.playout._switcher.painting is not None)
    rig.playout.lost()
    rig.until("the end of the fade", lambda: fallback.level(rig.clock.now_ns()) == 1)
    rig.camera(100)
    rig.sink.watched = True
    rig.until("the input", lambda: rig.camera(100) or (rig.sink.frames and rig.value == 100))


def test_a_slate_is_faded_over_the_painting_while_the_input_is_held_also_when_a_late_chunk_comes() -> None:
    rig = Rig(slate=FallbackMixer(Fallback.SLATE, hold_s=0.0, fade_s=0.1, text="soon"))
    median = lambda: np.median(rig.sink.frames[-1].data)  # noqa: E731
    rig.show(200)
    rig.until("the painting", lambda: rig.sink.frames)
    assert median() == 200
    rig.playout.hold(True)
    rig.until("the slate", lambda: median() < 60)
    rig.show(200)  # it was being painted when the input was lost
    sent = len(rig.sink.frames)
    rig.until("more of the slate", lambda: len(rig.sink.frames) > sent + 10)
    assert median() < 60
    rig.playout.hold(False)
    rig.until("the painting again", lambda: median() == 200)
    assert {frame.size for frame in rig.sink.frames} == {(16, 16)}
