"""How long the engine may take: as long as loading where something is new, and by its own pace after that."""

from __future__ import annotations

import pytest

from sdv2_live.config.schema_engine import FaultsConfig
from sdv2_live.worker.deadlines import LATE, LATE_S, MORE_TIME, USUAL, WARM_UP, Deadlines

FAULTS = FaultsConfig(hang_s=2.0, load_s=300.0)
SIZE, LARGER = (48, 64), (96, 128)


@pytest.fixture
def deadlines() -> Deadlines:
    return Deadlines(FAULTS, lambda: None)


def painted(deadlines: Deadlines, seconds: float, count: int) -> None:
    for _ in range(count):
        deadlines.painted(seconds, cold=deadlines.cold)


def test_the_first_chunk_of_a_process_may_take_as_long_as_loading_and_the_next_ones_more_than_usual(deadlines: Deadlines) -> None:
    for _ in range(2):
        deadlines.came_up()
        deadlines.prepared(SIZE, SIZE)
        assert deadlines.next().within_s == FAULTS.load_s
        painted(deadlines, 0.1, 1)
        assert deadlines.next().within_s == MORE_TIME * FAULTS.hang_s
        painted(deadlines, 0.1, WARM_UP)
        assert deadlines.next().within_s == FAULTS.hang_s


def test_a_slow_engine_is_given_its_usual_time_many_times_over(deadlines: Deadlines) -> None:
    deadlines.prepared(SIZE, SIZE)
    painted(deadlines, 0.1, 2)
    assert deadlines.next().late_s == LATE_S
    painted(deadlines, 1.5, 20)
    assert deadlines.next().within_s == pytest.approx(USUAL * 1.5)
    assert deadlines.next().late_s == pytest.approx(LATE * 1.5)


def test_another_size_of_the_input_or_of_the_model_may_take_as_long_as_loading(deadlines: Deadlines) -> None:
    deadlines.prepared(SIZE, SIZE)
    painted(deadlines, 0.1, 20)
    assert deadlines.next(SIZE).within_s == FAULTS.hang_s
    assert deadlines.next(LARGER).within_s == FAULTS.load_s  # its preparing
    deadlines.prepared(LARGER, SIZE)
    assert deadlines.next().within_s == FAULTS.hang_s
    deadlines.prepared(LARGER, LARGER)
    assert deadlines.next().within_s == FAULTS.load_s
    deadlines.painted(0.1, cold=False)  # one of before, that was in flight
    assert deadlines.next().within_s == FAULTS.load_s
    painted(deadlines, 0.1, 1)
    assert deadlines.next().within_s == MORE_TIME * FAULTS.hang_s
