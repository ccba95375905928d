"""Chunks in flight, over a painter whose pictures come when the test says so: handed on in order, two at most, and what began on
what a failed one left is thrown away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest
from support.fakes import FakeSink, FakeSource, fake_frame, only
from support.waiting import eventually

from sdv2_live.chunk import AHEAD, Chunk, Generated
from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore
from sdv2_live.engine.spec import Painting, PromptMix, PromptStep
from sdv2_live.errors import EngineLostError
from sdv2_live.frame import Frame
from sdv2_live.live.intake import Intake
from sdv2_live.live.loop import LiveLoop
from sdv2_live.live.playout import Playout
from sdv2_live.stats import Counters, StageTimer

RECIPE = Painting(None, PromptStep(PromptMix.of(""), 1, 1, began=False, anew=False))


class Painter:
    """Takes four frames a chunk. `finish` and `fail` end the chunk of that number."""

    ready = True

    def __init__(self) -> None:
        self.timer = StageTimer()
        self.launched: list[Chunk] = []
        self.discarded = 0
        self._generated: list[Future[Generated]] = []

    def prepare(self, like: Frame, params: Params, *, reset: bool = False, render_scale: float = 1.0) -> int:
        return 4

    def push(self, frames: Sequence[Frame]) -> None:
        pass

    def launch(self, chunk: Chunk, *, convert: bool = True) -> Future[Generated]:
        self._generated.append(generated := Future[Generated]())
        self.launched.append(chunk)
        return generated

    def settle(self) -> None:
        pass

    def discard(self) -> None:
        self.discarded += 1

    def finish(self, index: int) -> None:
        """The chunk that was launched as the `index`th is painted."""
        chunk = self.launched[index]
        self._generated[index].set_result(Generated(chunk, chunk.frames, RECIPE, 0.1))

    def finish_all(self) -> None:
        for index in range(len(self.launched)):
            if not self._generated[index].done():
                self.finish(index)

    def fail(self, index: int, error: Exception) -> None:
        self._generated[index].set_exception(error)


class Camera(FakeSource):
    """Gives a frame every two milliseconds: one that never waits would take the whole processor."""

    def read(self, timeout: float) -> Frame | None:
        time.sleep(0.002)
        return super().read(timeout)


class Shown(Playout):
    """Keeps what it is to show, and notes what it is told."""

    def __init__(self, counters: Counters) -> None:
        super().__init__(FakeSink(), counters)
        self.frames: list[Frame] = []
        self.losses = 0

    def show(self, frames: Sequence[Frame]) -> None:
        self.frames += frames

    def lost(self) -> None:
        self.losses += 1


class Rig:
    """A loop with overlap, and more frames than it can take."""

    def __init__(self) -> None:
        self.painter, self.counters = Painter(), Counters()
        self.playout = Shown(self.counters)
        frames = [fake_frame(i, 16, 16, captured_ns=i * 33_000_000) for i in range(5)]
        self.input, self.intake = only(Camera(frames, loop=True), self.counters), Intake(self.counters)
        self.loop = LiveLoop(self.painter, self.intake, self.playout, ParamStore(Params()), self.counters, overlap=True)

    def launched(self, count: int) -> None:
        eventually(f"{count} chunks to be launched", lambda: len(self.painter.launched) >= count)

    def shows(self, *indices: int) -> None:
        """Wait until the pictures of these chunks, by the order of launching, are shown, and no others."""
        expected = [frame for index in indices for frame in self.painter.launched[index].frames]
        eventually("the pictures", lambda: len(self.playout.frames) >= len(expected))
        assert [id(frame) for frame in self.playout.frames] == [id(frame) for frame in expected]

    def close(self) -> None:
        """Close the loop; what it waits for is painted."""
        closing = threading.Thread(target=self.loop.close)
        closing.start()
        while closing.is_alive():
            self.painter.finish_all()
            closing.join(0.01)

    @property
    def in_flight(self) -> int:
        return self.loop.queues["flight"].length


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    rig.input.start(rig.intake.accept)
    rig.loop.start()
    yield rig
    rig.close()
    rig.input.close()


def test_no_more_than_two_are_in_flight_and_they_are_handed_on_in_order(rig: Rig) -> None:
    for number in range(6):
        rig.launched(number + AHEAD)
        assert rig.in_flight == len(rig.painter.launched) - number == AHEAD
        rig.painter.finish(number)
    rig.shows(*range(6))
    rig.launched(6 + AHEAD)
    assert [chunk.number for chunk in rig.painter.launched] == list(range(6 + AHEAD))


def test_pictures_wait_for_those_of_the_chunk_before(rig: Rig) -> None:
    rig.launched(2)
    rig.painter.finish(1)
    assert rig.playout.frames == []
    rig.painter.finish(0)
    rig.shows(0, 1)


@pytest.mark.parametrize("error", [RuntimeError("a bug in a kernel"), EngineLostError("the process was killed")])
def test_what_follows_a_failed_chunk_is_thrown_away_and_one_loss_is_told_for_both(rig: Rig, error: Exception) -> None:
    rig.launched(2)
    rig.painter.finish(0)
    rig.shows(0)
    rig.launched(3)
    rig.painter.fail(1, error)
    assert rig.counters["engine_failures"] == 0  # the other is still on the device
    rig.painter.finish(2)
    rig.launched(4)
    rig.painter.finish(3)
    rig.shows(0, 3)
    assert (rig.counters["engine_failures"], rig.playout.losses) == (1, 1)
    assert rig.painter.discarded == (not isinstance(error, EngineLostError))
    assert rig.painter.launched[3].number == 1  # it is the show's second


def test_both_may_fail_and_it_is_told_once(rig: Rig) -> None:
    rig.launched(2)
    for index in (0, 1):
        rig.painter.fail(index, EngineLostError("the process was killed"))
    rig.launched(3)
    rig.painter.finish(2)
    rig.shows(2)
    assert (rig.counters["engine_failures"], rig.playout.losses) == (1, 1)


def test_closing_hands_on_what_is_in_flight(rig: Rig) -> None:
    rig.launched(2)
    rig.close()
    rig.shows(*range(len(rig.painter.launched)))
    assert rig.counters["engine_failures"] == 0
