"""How long the engine may take: as long as loading where something is new, and by its own pace after that."""

from __future__ import annotations

import pytest

from sdv2_live.config.schema_engine import FaultsConfig
from sdv2_live.worker.deadlines import LATE, LATE_S, MORE_TIME, USUAL, WARM_UP, Deadlines

FAULTS = FaultsConfig(hang_s=2.0, load_s=300.0)


@pytest.fixture
def deadlines() -> Deadlines:
    return Deadlines(FAULTS, lambda: None)


def painted(deadlines: Deadlines, seconds: float, count: int) -> None:
    for _ in range(count):
        deadlines.painted(seconds, cold=deadlines.cold)


def test_the_first_chunk_after_a_set_up_may_take_as_long_as_loading_and_the_next_ones_more_than_usual(
    deadlines: Deadlines,
) -> None:
    for _ in range(2):
        deadlines.set_up()
        assert deadlines.next().within_s == FAULTS.load_s
        deadlines.painted(0.1, cold=False)  # one of before, that was in flight
        assert deadlines.next().within_s == FAULTS.load_s
        painted(deadlines, 0.1, 1)
        assert deadlines.next().within_s == MORE_TIME * FAULTS.hang_s
        painted(deadlines, 0.1, WARM_UP)
        assert deadlines.next().within_s == FAULTS.hang_s


def test_a_set_up_may_take_as_long_as_loading_and_is_covered_at_once(deadlines: Deadlines) -> None:
    painted(deadlines, 0.1, 20)
    found = deadlines.set_up()
    assert (found.within_s, found.late_s) == (FAULTS.load_s, 0.0)


def test_a_slow_engine_is_given_its_usual_time_many_times_over(deadlines: Deadlines) -> None:
    painted(deadlines, 0.1, 2)
    assert deadlines.next().late_s == LATE_S
    painted(deadlines, 1.5, 20)
    assert deadlines.next().within_s == pytest.approx(USUAL * 1.5)
    assert deadlines.next().late_s == pytest.approx(LATE * 1.5)
