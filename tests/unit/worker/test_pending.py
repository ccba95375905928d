"""Answers of the engine's process: in order of asking, each within its deadline, by a clock that moves when told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.fakes import FakeClock

from sdv2_live.errors import EngineLostError
from sdv2_live.worker.deadlines import Deadline
from sdv2_live.worker.messages import Prepared
from sdv2_live.worker.pending import POLL_S, Pending

ANSWER = Prepared(4)


def needed(answer: Any, rows: Any) -> int:
    return int(answer.needed)


class Rig:
    """Asks and watches. late: how often somebody was told."""

    def __init__(self) -> None:
        self.clock, self.late = FakeClock(), 0
        self.pending = Pending(self.clock.now)

    def ask(self, kind: str = "paint", within_s: float = 5.0, late_s: float = 1.0) -> Any:
        return self.pending.add(kind, Deadline(within_s, late_s, self._on_late), needed)

    def answer(self, kind: str, count: int) -> None:
        asked = self.pending.pop(kind)
        assert asked is not None
        asked.result.set_result(asked.read(replace(ANSWER, needed=count), []))

    def watch(self, seconds: float) -> str:
        """Let so much time pass, as the supervisor does. Returns what was late."""
        for _ in range(round(seconds / POLL_S)):
            self.clock.advance(POLL_S)
            if why := self.pending.watch():
                return why
        return ""

    def _on_late(self) -> None:
        self.late += 1


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_answers_go_to_the_requests_of_their_kind_in_the_order_of_asking(rig: Rig) -> None:
    first, prepare, second = rig.ask(), rig.ask("prepare"), rig.ask()
    assert len(rig.pending) == 3
    rig.answer("paint", 1)
    rig.answer("paint", 2)
    assert (first.result(), second.result(), prepare.done()) == (1, 2, False)
    rig.answer("prepare", 3)
    assert prepare.result() == 3
    assert rig.pending.pop("paint") is None  # nobody waits for that


@pytest.mark.parametrize("within_s", [0.5, 3.0, 60.0])
def test_it_is_late_after_its_time_and_not_before(rig: Rig, within_s: float) -> None:
    rig.ask(within_s=within_s)
    assert rig.watch(within_s - 2 * POLL_S) == ""
    assert rig.watch(4 * POLL_S) == f"no answer to 'paint' within {within_s:g} s"


def test_that_it_is_late_is_told_until_it_comes(rig: Rig) -> None:
    first = rig.ask()
    assert rig.watch(0.9) == ""
    assert rig.late == 0
    for _ in range(2):  # another chunk's pictures may have come between
        before = rig.late
        assert rig.watch(1.5) == ""
        assert rig.late > before
    rig.answer("paint", 4)
    assert first.result() == 4
    before = rig.late
    assert rig.watch(60) == ""
    assert rig.late == before


def test_another_deadline_begins_when_it_is_given(rig: Rig) -> None:
    prepare = rig.ask("prepare")
    chunk = rig.ask("paint", within_s=60)
    assert rig.watch(4.5) == ""
    rig.pending.extend("prepare", Deadline(50.0, 0.0, rig._on_late))
    before = rig.late
    assert rig.watch(POLL_S) == ""
    assert rig.late == before + 2  # at once, beside the chunk, which is late anyway
    assert rig.watch(48) == ""
    rig.answer("prepare", 5)
    assert prepare.result() == 5
    assert not chunk.done()
    rig.pending.extend("prepare", Deadline(1.0))  # nobody waits for that any more
    assert rig.watch(5) == ""


def test_a_chunk_waits_for_its_turn_before_its_time_begins_and_a_request_of_another_kind_does_not(rig: Rig) -> None:
    rig.ask()
    rig.ask()
    rig.watch(4.5)
    rig.answer("paint", 1)
    assert rig.watch(4.5) == ""
    rig.ask("prepare", within_s=0.3)
    assert rig.watch(0.4) == "no answer to 'prepare' within 0.3 s"


def test_time_in_which_the_machine_stood_still_is_nobodys_delay(rig: Rig) -> None:
    rig.ask()
    for _ in range(10):
        rig.clock.advance(3600.0)  # as while a laptop slept
        assert rig.pending.watch() == ""
    assert rig.watch(4.5) != ""


def test_when_the_process_is_gone_whoever_waits_is_told_and_whoever_asks_after_that(rig: Rig) -> None:
    waiting = [rig.ask(), rig.ask("prepare")]
    rig.pending.fail(lambda: EngineLostError("it ended"))
    rig.pending.fail(lambda: EngineLostError("and was closed"))
    for future in waiting:
        with pytest.raises(EngineLostError, match="it ended"):
            future.result(0)
    with pytest.raises(EngineLostError, match="and was closed"):
        rig.ask().result(0)
    assert len(rig.pending) == 0
    rig.pending.wait(0)
