"""Load shedding against a slow engine made of numbers, by a clock that moves when told."""

from __future__ import annotations

from itertools import pairwise

import pytest
from support.fakes import FakeClock

from sdv2_live.backoff import LONGEST
from sdv2_live.config.measures import FEWER_STEPS, SMALL_VAE, SMALLER
from sdv2_live.live.load_shedding import SMALLER_SCALE, LoadShedder, render_scale

FRAMES = 4
STEPS = (700, 500)


class Rig:
    """An engine that takes `cost` seconds a frame for two steps at full size, half of which is not of the steps."""

    def __init__(
        self, cost: float, target: float | None = 15.0, steps: tuple[str, ...] = (FEWER_STEPS, SMALLER), **times: float
    ) -> None:
        self.cost, self.input_fps = cost, 30.0
        self.declared_fps: float | None = None  # in place of the rate that comes
        self.clock = FakeClock()
        self.shed = LoadShedder(target, steps, **times)
        self.changes: list[tuple[float, str]] = []
        self.useless: set[str] = set()
        self._start = self.clock.now()

    @property
    def seconds(self) -> float:
        share = len(self.shed.fewer(STEPS)) / len(STEPS)
        light = 0.8 if SMALL_VAE in self.shed.active else 1.0
        return FRAMES * self.cost * light * (0.5 + 0.5 * share) * render_scale(self.shed.active)

    def run(self, seconds: float) -> tuple[str, ...]:
        """Chunk after chunk, for so long, and what is shed at its end."""
        until = self.clock.now() + seconds
        while self.clock.now() < until:
            took = self.seconds
            self.clock.advance(max(took, FRAMES / self.input_fps))
            now, fps = self.clock.now(), self.declared_fps or self.input_fps
            if change := self.shed.chunk(now, took, FRAMES, fps, lambda step: step not in self.useless):
                self.changes.append((now - self._start, change))
        return self.shed.active


def test_nothing_is_shed_where_that_is_not_asked_for_or_not_needed() -> None:
    assert Rig(1.0, 0.0).run(300) == ()
    assert Rig(1 / 16).run(300) == ()


def test_steps_are_taken_one_after_the_other_until_it_is_fast_enough() -> None:
    rig = Rig(1.3 / 15)
    assert rig.run(4) == ()  # not for a few seconds
    assert rig.run(8) == (FEWER_STEPS,)
    assert rig.run(300) == (FEWER_STEPS,)  # 0.98 of the time: enough
    assert rig.changes[0][1] == "too slow (11.5 frames a second): fewer-steps"
    assert Rig(2.0 / 15).run(300) == (FEWER_STEPS, SMALLER)
    assert Rig(9.0 / 15).run(300) == (FEWER_STEPS, SMALLER)  # there is no more to give


def test_a_step_may_be_listed_again_to_go_further() -> None:
    rig = Rig(3.0 / 15, steps=(SMALLER, SMALLER, SMALLER))
    assert rig.run(300) == (SMALLER,) * 3
    assert render_scale(rig.shed.active) == pytest.approx(SMALLER_SCALE**3)


def test_a_hitch_takes_no_step() -> None:
    rig = Rig(0.8 / 15)
    for _ in range(40):
        rig.run(4)
        rig.cost = 3 / 15
        rig.run(0.7)
        rig.cost = 0.8 / 15
    assert rig.changes == []


def test_a_step_is_undone_when_there_is_room_and_no_sooner() -> None:
    rig = Rig(1.3 / 15)
    rig.run(20)
    rig.cost = 0.8 / 15
    assert rig.run(25) == (FEWER_STEPS,)
    assert rig.run(20) == ()
    assert [change.split(":")[0] for _, change in rig.changes] == ["too slow (11.5 frames a second)", "there is room again"]
    assert rig.run(600) == ()


def test_room_is_what_would_be_left_without_the_step() -> None:
    rig = Rig(1.2 / 15)
    rig.run(20)
    rig.cost = 0.9 / 15  # with one step 0.68 of the time, with both 0.9: more than ROOM
    assert rig.run(600) == (FEWER_STEPS,)


@pytest.mark.parametrize("cost", [0.7, 0.86, 0.99, 1.01, 1.1, 1.33, 1.4, 1.7, 2.2, 3.0])
def test_a_steady_load_never_flaps(cost: float) -> None:
    rig = Rig(cost / 15, steps=(FEWER_STEPS, SMALLER, SMALL_VAE))
    rig.run(60)
    settled = len(rig.changes)
    rig.run(3600)
    assert len(rig.changes) == settled


def test_a_load_that_comes_back_whenever_there_is_room_is_met_ever_more_patiently() -> None:
    rig = Rig(1.0)
    rig.run(20)
    for _ in range(4000):  # another program that takes the GPU as soon as we have taken all of it again
        rig.cost = (0.5 if rig.shed.active else 1.3) / 15
        rig.run(1)
    ups = [at for at, change in rig.changes if change.startswith("there is room")]
    gaps = [b - a for a, b in pairwise(ups)]
    assert all(b > 1.5 * a for a, b in pairwise(gaps[:5]))
    assert 5 < len(ups) < 10
    assert rig.shed._room.seconds <= LONGEST * 30.0


def test_auto_aims_at_the_inputs_rate_and_no_target_lies_above_it() -> None:
    assert Rig(1 / 20, None).run(60) != ()
    assert Rig(1 / 35, None).run(60) == ()
    rig = Rig(1 / 35, 120.0)
    assert rig.run(60) == ()


def test_an_engine_that_waits_for_frames_is_not_too_slow_whatever_rate_is_declared() -> None:
    rig = Rig(1 / 50, None)
    rig.input_fps, rig.declared_fps = 25.0, 60.0
    assert rig.run(300) == ()
    rig.cost, rig.declared_fps = 1 / 20, None
    assert rig.run(60) == (FEWER_STEPS,)


@pytest.mark.parametrize("fps", [0.4, 1.0, 1.9])
def test_below_two_frames_a_second_steps_are_taken_and_given_back_as_above(fps: float) -> None:
    rig = Rig(1.3 / fps, None)
    rig.input_fps = fps
    assert rig.run(240) == (FEWER_STEPS,)
    rig.cost = 0.5 / fps
    assert rig.run(240) == ()


def test_a_step_that_would_change_nothing_is_passed_over_and_taken_when_it_would() -> None:
    rig = Rig(1.3 / 15)
    rig.useless = {FEWER_STEPS}
    assert rig.run(60) == (SMALLER,)
    rig.useless, rig.cost = set(), 3 / 15
    assert rig.run(60) == (SMALLER, FEWER_STEPS)


def test_after_a_pause_the_counting_begins_anew() -> None:
    rig = Rig(1.3 / 15)
    for _ in range(20):
        rig.run(4)
        rig.clock.advance(10)  # frozen, or no input
    assert rig.shed.active == ()


def test_the_performers_steps_are_thinned_and_never_all_gone() -> None:
    shed = Rig(2.0, steps=(FEWER_STEPS, FEWER_STEPS)).shed
    assert shed.fewer((1000, 750, 500, 250)) == (1000, 750, 500, 250)
    rig = Rig(2.0, steps=(FEWER_STEPS, FEWER_STEPS))
    rig.run(120)
    assert rig.shed.fewer((1000, 750, 500, 250)) == (1000, 750)
    assert rig.shed.fewer((700,)) == (700,)
