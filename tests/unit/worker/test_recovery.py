"""Asking less of the machine: which step comes when, and what it changes."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sdv2_live.backoff import LONGEST
from sdv2_live.config.load import load_config
from sdv2_live.worker.recovery import STABLE_S, RestartPolicy, asked, lowered


def test_short_lives_lead_down_the_ladder_and_then_away() -> None:
    recovery = RestartPolicy(2, ["taehv", "60%"], 30.0)
    assert recovery.ended(1.0) == 0.0
    assert recovery.rungs == ()
    recovery.ended(1.0)
    assert recovery.rungs == ("taehv",)
    recovery.ended(1.0)
    recovery.ended(1.0)
    assert recovery.rungs == ("taehv", "60%")
    assert not recovery.away
    assert [recovery.ended(0.0) for _ in range(4)][1:] == [30.0] * 3
    assert recovery.away
    assert recovery.rungs == ("taehv", "60%")


def test_a_long_life_is_no_crash_loop() -> None:
    recovery = RestartPolicy(2, ["60%"], 30.0)
    for _ in range(5):
        assert recovery.ended(STABLE_S) == 0.0
    assert recovery.rungs == ()


def test_pauses_grow_while_no_step_is_taken() -> None:
    recovery = RestartPolicy(5, [], 30.0)
    assert [recovery.ended(0.0) for _ in range(5)] == [0.0, 1.0, 3.0, 7.0, 30.0]


def test_what_refuses_to_come_up_is_asked_for_no_less() -> None:
    recovery = RestartPolicy(1, ["60%"], 10.0)
    assert [recovery.refused() for _ in range(6)] == [1.0, 3.0, 7.0, 10.0, 10.0, 10.0]
    assert recovery.away
    assert recovery.rungs == ()
    recovery.came_up()
    assert not recovery.away
    assert recovery.refused() == 1.0


def test_cards_that_keep_failing_get_fewer_down_to_one_before_the_picture_suffers() -> None:
    recovery = RestartPolicy(1, ["fewer-cards", "60%"], 10.0, climb_s=60.0)
    recovery.ended(1.0, cards=3)
    recovery.ended(1.0, cards=2)
    assert recovery.rungs == ("fewer-cards", "fewer-cards")
    recovery.ended(1.0, cards=1)
    assert recovery.rungs == ("fewer-cards", "fewer-cards", "60%")
    assert [recovery.climb(), recovery.climb()] == ["60%", "fewer-cards"]
    assert recovery.ended(1.0, cards=2) == 0.0
    assert recovery.rungs == ("fewer-cards", "fewer-cards")


def test_one_card_has_none_to_do_without() -> None:
    recovery = RestartPolicy(1, ["fewer-cards", "60%"], 10.0)
    recovery.ended(1.0)
    assert recovery.rungs == ("60%",)
    recovery.ended(1.0, cards=2)  # as is known now
    assert recovery.rungs == ("60%", "fewer-cards")
    assert recovery.ended(1.0, cards=1) == 10.0
    assert recovery.away


def test_a_group_that_was_up_and_then_refuses_goes_on_with_one_card_less_at_once() -> None:
    recovery = RestartPolicy(3, ["taehv", "fewer-cards"], 10.0)
    assert recovery.refused(2) == 0.0
    assert recovery.rungs == ("fewer-cards",)
    assert not recovery.away
    assert recovery.refused(2) == 1.0
    assert recovery.rungs == ("fewer-cards",)


def test_fewer_cards() -> None:
    config = load_config()
    assert lowered(config, ["fewer-cards"], 0, ranks=3).model.gpus == 2
    assert lowered(config, ["fewer-cards"] * 9, 0, ranks=3).model.gpus == 1
    assert lowered(config, ["fewer-cards"], 0, ranks=1) == config
    named = load_config(None, ["model.gpus=[3, 1, 2]"])
    assert lowered(named, ["fewer-cards"], 0, ranks=3).model.gpus == (3, 1)
    assert [asked(each.model.gpus) for each in (config, named, load_config(None, ["model.gpus=2"]))] == [0, 3, 2]


def test_a_step_given_back_to_what_then_refuses_is_taken_again() -> None:
    recovery = RestartPolicy(1, ["taehv"], 10.0, climb_s=60.0)
    recovery.ended(0.0)
    recovery.climb()
    assert recovery.refused() == 0.0
    assert recovery.rungs == ("taehv",)
    assert recovery.climbs_in(0.0) == 120.0


def test_a_step_that_changes_nothing_is_left_out() -> None:
    recovery = RestartPolicy(1, ["taehv", "60%"], 30.0)
    recovery.ended(0.0, vae="taehv")
    assert recovery.rungs == ("60%",)


def test_the_small_autoencoder_has_one_owner_whether_speed_or_a_crash_asks_for_it() -> None:
    recovery = RestartPolicy(1, ["taehv", "60%"], 30.0, climb_s=10.0)
    assert recovery.lighten(True)
    assert not recovery.lighten(True)  # once is enough
    assert (recovery.rungs, recovery.asked) == ((), ("taehv",))
    recovery.ended(0.0, vae="wan")  # before the change had been made
    assert recovery.asked == ("taehv",)
    assert not recovery.lighten(False)  # a crash keeps it: no other process is needed
    recovery.climb()
    assert recovery.asked == ()
    recovery.lighten(True)
    recovery.refused()  # the small one's file may be damaged
    assert recovery.asked == ("taehv",)  # for the crash alone: the rung that was given back is taken again
    recovery.climb()
    assert recovery.asked == ()


def test_a_step_asks_for_a_smaller_picture_of_the_same_shape() -> None:
    fixed = lowered(load_config(None, ["video.size=480x832"]), ["60%"], 480 * 832)
    assert fixed.video.size == (368, 640)
    free = lowered(load_config(None), ["60%", "30%"], 1000_000)
    assert free.video.size is None
    assert free.video.max_pixels == 300_000
    assert lowered(load_config(None, ["video.size=16x16"]), ["30%"], 256).video.size == (16, 16)


def test_the_small_autoencoder_is_a_step() -> None:
    config = load_config(None, ["model.vae=wan"])
    assert lowered(config, ["taehv"], 1).model.vae == "taehv"
    assert lowered(config, ["60%"], 1024).model.vae == "wan"


LADDER = ("taehv", "60%", "30%")


class Engine:
    """Lives for ever with `needed` steps taken or more, and else for `frail_s` seconds. `now` is the only clock."""

    def __init__(self, climb_s: float, crashes: int, needed: int, frail_s: float) -> None:
        self.recovery = RestartPolicy(crashes, LADDER, 30.0, climb_s)
        self.needed, self.frail_s = needed, frail_s
        self.now = 0.0
        self.climbs: list[float] = []  # when
        self.crashes: list[float] = []

    def run(self, until: float) -> None:
        while self.now < until:
            life = math.inf if len(self.recovery.rungs) >= self.needed else self.frail_s
            climb = self.recovery.climbs_in(0.0)
            if climb is not None and climb <= life:
                assert self.recovery.climbs_in(climb) == 0.0
                self.now += climb
                if self.now < until:
                    self.recovery.climb()
                    self.climbs.append(self.now)
            elif math.isinf(life):
                self.now = until
            else:
                self.now += life
                self.crashes.append(self.now)
                self.now += self.recovery.ended(life)
            assert LADDER[: len(self.recovery.rungs)] == self.recovery.rungs  # in their order, whatever went before


HOUR = 3600.0
engines = st.builds(
    Engine,
    climb_s=st.floats(1.0, 600.0),
    crashes=st.integers(1, 4),
    needed=st.integers(0, 3),
    frail_s=st.floats(0.0, 0.9),  # less than any climb_s
)


@given(engines)
def test_a_fault_that_stays_costs_less_and_less(engine: Engine) -> None:
    engine.run(10 * HOUR)
    wait = engine.recovery._climb.first
    assert len(engine.recovery.rungs) >= engine.needed - 1  # never far from what it can do
    gaps = [after - before for before, after in pairwise(engine.climbs)]
    assert all(after >= 0.99 * before for before, after in pairwise(gaps))
    assert not gaps or gaps[-1] <= 1.01 * LONGEST * wait + engine.frail_s
    if engine.needed and engine.climbs:  # each climb costs one crash, and no other one comes
        assert len([at for at in engine.crashes if at > engine.climbs[0]]) <= len(engine.climbs)


@given(engines, st.floats(0.0, 10 * HOUR))
def test_a_fault_that_goes_away_is_forgotten(engine: Engine, healed_at: float) -> None:
    engine.run(healed_at)
    engine.needed = 0
    engine.run(healed_at + (2 * LONGEST + len(LADDER)) * engine.recovery._climb.first + 60)
    assert engine.recovery.rungs == ()
    crashed = len(engine.crashes)
    engine.run(engine.now + HOUR)
    assert len(engine.crashes) == crashed


@given(st.integers(0, 3), st.floats(0.0, 100.0))
def test_without_a_quiet_time_nothing_is_given_back(needed: int, frail_s: float) -> None:
    engine = Engine(0.0, 1, needed, frail_s)
    engine.run(10 * HOUR)
    assert engine.climbs == []
    assert len(engine.recovery.rungs) == needed


def test_a_process_that_lived_its_quiet_time_makes_the_next_wait_short_again() -> None:
    recovery = RestartPolicy(1, ["60%", "30%"], 30.0, 100.0)
    recovery.ended(0.0)
    recovery.ended(0.0)
    recovery.climb()
    recovery.ended(50.0)
    assert recovery.rungs == ("60%", "30%")
    assert recovery.climbs_in(0.0) == 200.0
    recovery.climb()
    assert recovery.climbs_in(0.0) == 100.0  # it is the next step's turn when this one has proved itself
    assert recovery.climb() == "60%"
    recovery.ended(50.0)
    assert recovery.rungs == ("60%",)
    assert recovery.climbs_in(30.0) == 170.0
