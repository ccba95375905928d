"""Chunks in flight, over a painter whose pictures come when the test says so: handed on in order, two at most, and what began on
what a failed one left is thrown away."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest
from support.fakes import Camera
from support.loop_rig import LoopRig, Shown
from support.waiting import eventually

from sdv2_live.chunk import AHEAD, Chunk, Generated
from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore
from sdv2_live.engine.spec import Painting, PromptMix, PromptStep
from sdv2_live.errors import EngineLostError
from sdv2_live.frame import Frame
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


class Rig(LoopRig):
    """A loop with overlap, and more frames than it can take."""

    playout: Shown

    def __init__(self) -> None:
        self.painter, counters = Painter(), Counters()
        super().__init__(self.painter, Camera(fps=500), Shown(counters), ParamStore(Params()), counters, overlap=True)

    def launched(self, count: int) -> None:
        eventually(f"{count} chunks to be launched", lambda: len(self.painter.launched) >= count)

    def shows(self, *indices: int) -> None:
        """Wait until the pictures of these chunks, by the order of launching, are shown, and no others."""
        expected = [frame for index in indices for frame in self.painter.launched[index].frames]
        eventually("the pictures", lambda: len(self.playout.frames) >= len(expected))
        assert [id(frame) for frame in self.playout.frames] == [id(frame) for frame in expected]

    def close(self) -> None:
        """Close, while all that the loop waits for is painted."""
        closing = threading.Thread(target=self.loop.close)
        closing.start()
        while closing.is_alive():
            self.painter.finish_all()
            closing.join(0.01)
        super().close()

    @property
    def in_flight(self) -> int:
        return self.loop.queues["flight"].length


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig


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
