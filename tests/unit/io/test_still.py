"""When a frame is given again, by a clock that moves when told."""

from __future__ import annotations

from fractions import Fraction

import pytest
from support.fakes import FakeClock, fake_frame

from sdv2_live.io.still import SILENT_S, Still


class Rig:
    """What a source with a Still gives in steps of a millisecond: (seconds since the start, index)."""

    def __init__(self, rate: Fraction = Fraction(30)) -> None:
        self.clock, self.still, self.rate = FakeClock(), Still(), rate
        self.begin = self.clock.now()
        self.given: list[tuple[float, int]] = []

    def come(self, index: int) -> None:
        self.still.came(fake_frame(index, rate=self.rate), self.clock.now_ns())
        self.given.append((self.clock.now() - self.begin, index))

    def wait(self, seconds: float) -> list[int]:
        """What was given meanwhile."""
        count = len(self.given)
        for _ in range(round(seconds * 1000)):
            self.clock.advance(0.001)
            again = self.still.again(self.clock.now_ns())
            if again is not None:
                assert again.captured_ns == self.clock.now_ns()
                self.given.append((self.clock.now() - self.begin, again.index))
        return [index for _, index in self.given[count:]]


@pytest.mark.parametrize(("rate", "given"), [(1, 10), (5, 10), (25, 25), (60, 60), (240, 240)])
def test_a_lone_frame_is_repeated_at_its_rate_and_so_often_that_the_hand_shows(rate: int, given: int) -> None:
    rig = Rig(Fraction(rate))
    rig.come(1)
    assert rig.wait(SILENT_S - 0.01) == []
    assert len(rig.wait(2.0)) == pytest.approx(2 * given, abs=2)
    assert rig.still.silent


def test_a_slide_that_comes_in_a_silence_fills_a_chunk_in_a_chunks_time() -> None:
    rig = Rig()
    rig.come(1)
    rig.wait(4.0)
    rig.come(2)
    assert rig.wait(0.13) == [2, 2, 2]  # with itself four frames
    assert rig.still.silent


def test_a_stream_is_never_repeated_into_however_late_its_frames_are() -> None:
    rig = Rig()
    for i, pause in enumerate([0.033, 0.1, 0.01, 0.2, 0.001, 0.24, 0.033]):
        rig.come(i)
        assert rig.wait(pause) == []
    assert not rig.still.silent


def test_two_frames_in_a_row_end_the_silence() -> None:
    rig = Rig()
    rig.come(1)
    rig.wait(1.0)
    rig.come(2)
    assert rig.wait(0.03) == []
    rig.come(3)
    assert rig.wait(0.2) == []
    assert not rig.still.silent


def test_a_reader_that_was_late_does_not_catch_up() -> None:
    rig = Rig()
    rig.come(1)
    rig.clock.advance(10)
    assert len(rig.wait(0.1)) <= 5


def test_nothing_is_repeated_before_anything_came() -> None:
    rig = Rig()
    assert rig.wait(1) == []
    assert rig.still.wait_s(rig.clock.now_ns(), 0.25) == 0.25
