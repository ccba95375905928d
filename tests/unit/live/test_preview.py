"""Pictures for those who look: the newest, shared, and made for nobody else."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image
from support.fakes import FakeClock
from support.waiting import eventually

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.live.preview import LOOK_S, Looking, Preview
from sdv2_live.stats import Counters


def flat(level: int, width: int = 320, height: int = 192) -> Frame:
    data = np.full((height, width * 4), level, np.uint8)
    data.flags.writeable = False
    return Frame(data, width, height, PixelFormat.BGRX)


class Rig:
    """A preview that is stepped by hand, of one picture of each kind."""

    def __init__(self) -> None:
        self.frames: dict[str, Frame | None] = {"output": flat(0), "input": None}
        self.asked: list[str] = []
        self.looked: list[tuple[str, bool]] = []
        self.clock, self.counters = FakeClock(), Counters()
        newest = {kind: self._newest(kind) for kind in self.frames}
        self.preview = Preview(newest, self.counters, lambda *told: self.looked.append(told), self.clock.now)

    def _newest(self, kind: str) -> Callable[[], Frame | None]:
        def newest() -> Frame | None:
            self.asked.append(kind)
            return self.frames[kind]

        return newest

    def run(self, seconds: float, each: Callable[[], object] = lambda: None) -> None:
        """Let time pass in frames of a 100th of a second."""
        for _ in range(round(seconds * 100)):
            each()
            self.preview.step()
            self.clock.advance(0.01)

    def moves(self) -> None:
        self.frames["output"] = flat(0)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def shown(jpeg: bytes) -> tuple[tuple[int, int], float]:
    """Size and mean level, to the ten."""
    picture = Image.open(io.BytesIO(jpeg))
    return picture.size, round(float(np.asarray(picture.convert("RGB")).mean()), -1)


def test_nothing_is_asked_or_made_while_nobody_looks(rig: Rig) -> None:
    rig.run(1, rig.moves)
    got: list[bytes] = []
    rig.preview.look("output", 160, 30, got.append).close()
    rig.run(1, rig.moves)
    assert rig.asked == got == []
    assert rig.looked == [("output", True), ("output", False)]
    assert rig.preview.wait_s() == float("inf")


def test_each_asking_gets_one_picture_the_newest(rig: Rig) -> None:
    got: list[bytes] = []
    look = rig.preview.look("output", 160, 30, got.append)
    rig.frames["output"] = flat(200)
    rig.run(1)
    assert [shown(one) for one in got] == [((160, 96), 200)]
    rig.frames["output"] = flat(100)
    rig.run(1)
    assert len(got) == 1  # it has not asked for another
    rig.frames["output"] = flat(50)
    look.more()
    rig.run(1)
    assert shown(got[1])[1] == 50  # what came in between is skipped
    look.more()
    rig.run(1)
    assert len(got) == 2  # nothing is another
    assert rig.preview.wait_s() <= LOOK_S


@pytest.mark.parametrize(("rate", "pictures"), [(12, 24), (5, 10), (0.5, 1)])
def test_pictures_come_at_the_rate_that_was_asked_for(rate: float, pictures: int, rig: Rig) -> None:
    got: list[bytes] = []

    def deliver(jpeg: bytes) -> None:
        got.append(jpeg)
        look.more()

    look = rig.preview.look("output", 160, rate, deliver)
    rig.run(2, rig.moves)
    assert pictures <= len(got) <= pictures + 1


def test_viewers_of_one_width_share_their_pictures(rig: Rig) -> None:
    got: list[list[bytes]] = [[] for _ in range(20)]
    looks: list[Looking] = []

    def deliver(number: int) -> Callable[[bytes], None]:
        def take(jpeg: bytes) -> None:
            got[number].append(jpeg)
            looks[number].more()

        return take

    for number in range(20):  # they come one after the other
        looks.append(rig.preview.look("output", 160, 12, deliver(number)))
        rig.run(0.03, rig.moves)
    made = rig.counters["previews_made"]
    rig.run(2, rig.moves)
    assert 23 <= rig.counters["previews_made"] - made <= 26
    assert all(len(pictures) >= 24 for pictures in got)
    assert {id(pictures[-1]) for pictures in got} == {id(got[0][-1])}


def test_a_slow_viewer_holds_neither_others_nor_pictures(rig: Rig) -> None:
    fast: list[bytes] = []

    def deliver(jpeg: bytes) -> None:
        fast.append(jpeg)
        look.more()

    look, slow = rig.preview.look("output", 160, 30, deliver), rig.preview.look("output", 160, 30, lambda jpeg: None)
    rig.run(1, rig.moves)
    assert len(fast) >= 28
    assert not slow.ready
    assert all(not isinstance(value, Frame) for value in (slow.kind, slow.width, slow.serial, slow.deliver))


def test_it_waits_for_a_first_picture(rig: Rig) -> None:
    got: list[bytes] = []
    rig.preview.look("input", 160, 12, got.append)
    rig.run(1)
    assert got == []
    rig.frames["input"] = flat(80)
    rig.run(0.1)
    assert shown(got[0])[1] == 80


@pytest.fixture
def running(rig: Rig) -> Iterator[Preview]:
    with Preview({"output": lambda: rig.frames["output"]}, rig.counters) as preview:
        yield preview
    preview.close()


def test_its_thread_makes_pictures_and_survives_one_that_cannot_be_made(
    running: Preview, rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sdv2_live.live.preview.FAILED_S", 0.01)
    rig.frames["output"] = broken = flat(0)
    object.__setattr__(broken, "format", None)
    got: list[bytes] = []
    came = threading.Event()
    look = running.look("output", 160, 30, lambda jpeg: (got.append(jpeg), came.set()))
    eventually("it fails", lambda: rig.counters["previews_failed"] >= 2)
    rig.frames["output"] = flat(120)
    eventually("the next one is made", came.is_set)
    assert shown(got[0])[1] == 120
    assert len(caplog.records) == 1
    look.close()


def test_what_is_held_is_let_go_when_nobody_looks_any_more(running: Preview, rig: Rig) -> None:
    came = threading.Event()
    look = running.look("output", 160, 30, lambda jpeg: came.set())
    eventually("it comes", came.is_set)
    look.more()
    look.close()
    other = running.look("output", 160, 30, lambda jpeg: None)
    other.close()
    other.more()
    eventually("the picture is let go", lambda: running._seen["output"].frame is None)
