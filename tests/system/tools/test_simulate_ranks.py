"""The model of a ring gives what can be reckoned by hand, agrees with the planner, and is what the manual shows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from simulate_ranks import cards, check
from simulate_ranks.main import CASES, reference_markdown, scaling_markdown
from simulate_ranks.model import DECODE, Ring, settled, simulate, stages
from support.places import MANUAL

from sdv2_live.engine.spec import CHUNK_FRAMES, Schedule

PAGE = MANUAL / "many-cards.md"


def test_one_rank_takes_the_sum_of_its_stages() -> None:
    ring = Ring(stages([60], 20, 30), 2, alone=True)
    in_flight, run = settled(ring)
    assert (in_flight, run.period, run.latency) == (1, pytest.approx(170), pytest.approx(170))
    assert run.shares == [pytest.approx(1)]


@pytest.mark.parametrize(("ranks", "steps", "period"), [(2, 2, 90), (3, 2, 80), (4, 2, 75), (2, 1, 30), (2, 4, 210)])
def test_sequential_waits_for_all_but_the_last_step_of_a_chunk(ranks: int, steps: int, period: float) -> None:
    ring = Ring(stages([60 / ranks] * ranks, 0, 0), steps, alone=True)
    assert settled(ring)[1].period == pytest.approx(period)


@pytest.mark.parametrize("ranks", [2, 3, 4])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_stream_batch_keeps_every_rank_busy(ranks: int, steps: int) -> None:
    ring = Ring(stages([60 / ranks] * ranks, 0, 0), steps, alone=False)
    in_flight, run = settled(ring)
    assert run.period == pytest.approx(steps * 60 / ranks, rel=0.06)
    assert in_flight >= ranks
    assert min(run.shares) > 0.85  # it also fills, and runs empty


def test_the_slowest_rank_sets_the_pace_and_links_add_to_the_latency() -> None:
    ring = Ring(stages([0, 60], 50, 75), 2, alone=True, hop=9, back=2)
    run = settled(ring)[1]
    assert run.period == pytest.approx(125, rel=0.02)  # the autoencoder's card
    assert simulate(ring, 1, 6).latency == pytest.approx(50 + 2 + 60 + 2 + 2 + 60 + 2 + 75)
    passed = Ring(stages([30, 30], 0, 0), 2, alone=True, hop=9, back=2)
    assert simulate(passed, 1, 6).latency == pytest.approx(2 * (30 + 9 + 30 + 2))


def test_no_more_chunks_are_in_flight_than_may_be() -> None:
    ring = Ring(stages([15] * 4, 10, 20), 2, alone=False)
    run = simulate(ring, 3, 20)
    moments = sorted(run.began.values())
    for moment in moments:
        begun = {task.chunk for task, at in run.began.items() if at <= moment}
        over = {task.chunk for task, at in run.ended.items() if task.kind == DECODE and at <= moment}
        assert len(begun - over) <= 3


def test_every_stage_is_done_once_and_ranks_do_one_thing_at_a_time() -> None:
    ring = Ring(stages([15, 20, 10], 10, 20), 2, alone=False, hop=3, back=1)
    run = simulate(ring, 4, 20, slices=1)
    assert sum(map(len, run.order)) == len(run.ended) == 20 * (2 + 3 * 2)
    for tasks in run.order:
        spans = [(run.began[task], run.ended[task]) for task in tasks]
        assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


@pytest.mark.parametrize("schedule", Schedule)
def test_more_cards_are_never_slower(schedule: Schedule) -> None:
    found = [row for row in cards.rows("H100", "1.3b", "taehv", schedule, size=(256, 256)) if row]
    assert [row.count for row in found] == list(cards.COUNTS)
    assert all(more.fps > 0.97 * less.fps for less, more in pairwise(found))
    assert cards.stops(found) >= 2


@pytest.mark.parametrize("case", cards.PUBLISHED[:5], ids=str)
def test_published_rates_are_as_near_as_those_of_one_card(case: cards.Published) -> None:
    _, run = cards.reference(case)
    assert 0.7 < case.fps * run.period / CHUNK_FRAMES < 0.9


def test_the_manual_has_the_models_figures() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert reference_markdown() in page, "run python tools/simulate_ranks.py --markdown"
    for line in scaling_markdown(names=("H100",), cases=CASES[:1]).splitlines():
        assert line in page, "run python tools/simulate_ranks.py --markdown"


def test_a_ring_of_processes_can_be_compared() -> None:
    ring = Ring(stages([0.002, 0.002], 0.001, 0.001), 2, alone=True)
    measured, told = check.compared(ring, 8)
    assert measured > 0 < told
