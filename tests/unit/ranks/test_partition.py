"""Stages are dealt out so that no other way is faster, within the memory of each card."""

from __future__ import annotations

from itertools import combinations

import pytest

from sdv2_live.errors import ConfigError
from sdv2_live.ranks.partition import Part, Partition, Ring, Seat, StageTimes, busy, partition, period_of, worth_it

TIMES = StageTimes(0.020, 0.002, 0.030)
ROOM = 10**6


def seats(*speeds: float, times: StageTimes = TIMES, room: int = ROOM) -> list[Seat]:
    """Cards that are so many times as fast."""
    return [
        Seat(i, StageTimes(times.encode / speed, times.block / speed, times.decode / speed), room)
        for i, speed in enumerate(speeds)
    ]


def need(part: Part) -> int:
    return 10 * part.blocks + 25 * part.encode + 25 * part.decode


def parts(found: Partition | None) -> list[tuple[int, int, int, bool, bool]]:
    assert found is not None
    return [(rank.seat.card, rank.part.begin, rank.part.end, rank.part.encode, rank.part.decode) for rank in found.ranks]


def best_of_all(cards: list[Seat], ring: Ring) -> float:
    """The shortest period of every way to cut the chain, tried one by one."""
    periods = []
    for order, least in ((cards, 1), (cards, 0)):  # the leader has blocks, or none
        for ends in combinations(range(1, ring.blocks), len(order) - 1 - (not least)):
            cuts = [0, *([0] if not least else []), *ends, ring.blocks]
            for decodes in {0, len(order) - 1 if ring.apart else 0}:
                dealt = [Part(cuts[i], cuts[i + 1], i == 0, i == decodes) for i in range(len(order))]
                if any(need(part) > seat.room for part, seat in zip(dealt, order, strict=True)):
                    continue
                calls = [part.blocks * seat.times.block for part, seat in zip(dealt, order, strict=True)]
                slowest = max(busy(part, seat.times, ring.steps) for part, seat in zip(dealt, order, strict=True))
                calling = sum(calls) + ring.hop * (len(order) - 1 - (not least))
                periods.append(period_of(ring, slowest, calling, max(calls)))
    return min(periods)


def test_one_card_has_everything() -> None:
    found = partition(seats(1), Ring(30, 2), need)
    assert parts(found) == [(0, 0, 30, True, True)]
    assert found is not None
    assert found.period == found.latency == pytest.approx(0.020 + 2 * 30 * 0.002 + 0.030)


@pytest.mark.parametrize("speeds", [(1, 1), (1, 2), (1, 1, 1), (3, 1, 2), (1, 1, 1, 1), (2, 2, 1, 1)])
@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_no_other_way_is_faster(speeds: tuple[float, ...], alone: bool, apart: bool, steps: int) -> None:
    ring, cards = Ring(12, steps, alone, hop=0.0007, apart=apart), seats(*speeds, room=110)
    found = partition(cards, ring, need)
    assert found is not None
    assert found.period <= 1.011 * best_of_all(cards, ring)
    covered = [block for rank in found.ranks for block in range(rank.part.begin, rank.part.end)]
    assert covered == list(range(12))
    assert [rank.part.encode for rank in found.ranks] == [True] + [False] * (len(speeds) - 1)
    assert sum(rank.part.decode for rank in found.ranks) == 1
    assert found.ranks[0].part.decode or apart
    assert all(rank.bytes == need(rank.part) <= rank.seat.room for rank in found.ranks)


def test_two_ranks_and_two_steps_take_three_stage_times_a_chunk() -> None:
    """A chunk's second call waits for its first; the next chunk's first call for that second one on the same rank alone."""
    found = partition(seats(1, 1, times=StageTimes(0, 0.002, 0)), Ring(30, 2), need)
    assert found is not None
    assert found.period == pytest.approx(3 * 15 * 0.002)
    batch = partition(seats(1, 1, times=StageTimes(0, 0.002, 0)), Ring(30, 2, alone=False), need)
    assert batch is not None
    assert batch.period == pytest.approx(2 * 15 * 0.002)


def test_a_heavy_autoencoder_has_the_first_card_to_itself() -> None:
    found = partition(seats(1, 1, times=StageTimes(0.050, 0.002, 0.070)), Ring(30, 2, hop=0.0004), need)
    assert parts(found) == [(0, 0, 0, True, True), (1, 0, 30, False, False)]


def test_a_faster_card_has_more_blocks() -> None:
    found = partition(seats(1, 3, times=StageTimes(0, 0.002, 0)), Ring(40, 1), need)
    assert found is not None
    assert [rank.part.blocks for rank in found.ranks] == [10, 30]


def test_a_card_has_no_more_than_it_holds() -> None:
    cards = [Seat(0, TIMES, 145), Seat(1, TIMES, 300)]  # 12 blocks beside the encoder
    found = partition(cards, Ring(30, 1), need)
    assert found is not None
    assert all(rank.bytes <= rank.seat.room for rank in found.ranks)
    assert partition(seats(1, 1, room=160), Ring(30, 1), need) is None
    assert partition(seats(1, room=349), Ring(30, 1), need) is None


def test_more_cards_than_stages_are_refused_with_a_remedy() -> None:
    assert partition(seats(*[1] * 7), Ring(6, 2), need) is not None
    with pytest.raises(ConfigError, match=r"8 cards, but the model has 6 blocks: at most 7 .* set model.gpus to fewer"):
        partition(seats(*[1] * 8), Ring(6, 2), need)


def test_a_card_that_gains_nothing_is_left_out() -> None:
    heavy = seats(*[1] * 4, times=StageTimes(0.001, 0.00001, 0.500))
    found = worth_it(heavy, Ring(30, 2), need)
    assert parts(found) == [(0, 0, 30, True, True)]
    few = worth_it(seats(1, 1, room=200), Ring(30, 2), need)  # what one card has no room for, two have
    assert few is not None
    assert len(few.ranks) == 2
    assert worth_it(seats(1, room=200), Ring(30, 2), need) is None
    assert len(worth_it(seats(*[1] * 9), Ring(6, 1, alone=False), need).ranks) <= 7
