"""Cards that take part in a show: which they are, whether they go together, and who computes what."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path

import pytest
import torch

from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES
from sdv2_live.cost import group
from sdv2_live.cost.cards import Card, known
from sdv2_live.cost.group import Present, chosen, fps_of, grouped, learn, planned, processes, seats, shortage
from sdv2_live.engine.spec import Schedule
from sdv2_live.errors import ConfigError, EngineError, MemoryShortageError
from sdv2_live.memory.budget import GIB, RESERVED
from sdv2_live.memory.request import MemoryRequest
from sdv2_live.model.text.encoder import Placement
from sdv2_live.ranks import measured, together
from sdv2_live.ranks.partition import StageTimes

WISH = MemoryRequest(PROFILES["1.3b"], "taehv", (480, 832), torch.bfloat16, text=Placement.CPU)
OLD = Card("RTX 2080 Ti", (7, 5), 68, 53.8, 0.616, 11)


@pytest.fixture(autouse=True)
def _nothing_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(together, "cache_folder", lambda: tmp_path)


def cards(*names: str | Card) -> list[Present]:
    found = [name if isinstance(name, Card) else known(name) for name in names]
    return [
        Present(i, f"NVIDIA GeForce {card.name}", card, int(card.gigabytes * GIB) - RESERVED)
        for i, card in enumerate(found)
        if card is not None
    ]


def numbers(
    gpus: int | tuple[int, ...] | None, there: list[Present], dtype: str = "auto", wish: MemoryRequest = WISH
) -> list[int]:
    return [each.number for each in chosen(gpus, there, wish, dtype=dtype)]


def test_which_cards() -> None:
    there = cards("3090", "3090", "4090")
    assert numbers(None, there) == [0, 2, 1]  # the process's own, then the fastest
    assert numbers(1, there) == [0]
    assert numbers(2, there) == [0, 1]
    assert numbers((2, 1), there) == [2, 1]


def test_a_card_that_is_not_there() -> None:
    there = cards("4090", "4090")
    with pytest.raises(EngineError, match=r"model.gpus = \[0, 3\], but there is no GPU 3: this machine has GPU 0 \(NVIDIA"):
        numbers((0, 3), there)
    with pytest.raises(EngineError, match=r"model.gpus = 4, but there is no GPU 2, 3: .*set model.gpus to what it has, or"):
        numbers(4, there)
    with pytest.raises(EngineError, match=r"there is no GPU 0: this machine has none that torch can use"):
        numbers((0,), [])


def test_cards_of_different_age_do_not_share_a_precision() -> None:
    there = cards("4090", OLD)
    assert numbers(None, there) == [0]  # auto leaves out what does not go along
    with pytest.raises(EngineError, match=r"GPU 0 .* 8\.9\) computes in bfloat16 and GPU 1 .*7\.5\) in float16.*model\.dtype"):
        numbers((0, 1), there)
    assert numbers((0, 1), there, dtype="fp16") == [0, 1]
    mixed = cards("4090", "3090")
    assert numbers((0, 1), mixed) == [0, 1]
    with pytest.raises(EngineError, match=r"fp8 needs compute capability 8\.9, and GPU 1 .* has less: set it to false"):
        numbers((0, 1), mixed, wish=replace(WISH, fp8=True))


def test_a_slower_card_has_less_to_do() -> None:
    found = grouped(cards("4090", "3090"), WISH, every=True)
    assert found is not None
    first, second = found.ranks
    assert first.part.blocks > second.part.blocks
    assert first.seat.times.block < second.seat.times.block


def test_what_was_measured_counts_where_all_was() -> None:
    there = cards("4090", "3090")
    key = measured.Measured(there[0].name, "1.3b", "taehv", (480, 832), "bfloat16", 6)
    times = StageTimes(0.01, 0.005, 0.02)
    measured.remember(key, times)
    assert seats(there, WISH)[0].times != times
    measured.remember(replace(key, card=there[1].name), replace(times, block=0.001))
    assert [seat.times.block for seat in seats(there, WISH)] == [0.005, 0.001]


def test_what_a_group_has_measured_balances_the_next(tmp_path: Path) -> None:
    there = cards("4090", "3090")
    found = grouped(there, WISH, every=True)
    assert found is not None
    counts = [rank.part.blocks for rank in found.ranks]
    learn(WISH, found, [counts[0] * 0.002, 0.0], 0.006, 0.010)  # the second has not said anything yet
    assert seats(there, WISH)[0].times == found.ranks[0].seat.times
    learn(WISH, found, [counts[0] * 0.002, counts[1] * 0.001], 0.006, 0.010)  # the second is the faster one
    first, second = (seat.times for seat in seats(there, WISH))
    assert astuple(first) == pytest.approx((0.006, 0.002, 0.010))
    assert astuple(second) == pytest.approx((0.003, 0.001, 0.005))
    again = grouped(there, WISH, every=True)
    assert again is not None
    assert again.ranks[1].part.blocks > counts[1]


def test_a_leader_without_blocks_is_measured_by_the_others() -> None:
    there = cards("4090", "4090")
    wan = replace(WISH, vae="wan")
    found = grouped(there, wan, every=True)
    assert found is not None
    assert found.ranks[0].part.blocks == 0
    learn(wan, found, [0.0, 30 * 0.003], 0.02, 0.04)
    for seat in seats(there, wan):
        assert astuple(seat.times) == pytest.approx((0.02, 0.003, 0.04))


def test_a_second_card_makes_it_faster_and_stream_batch_more_so() -> None:
    config = load_config()
    rates = [
        fps_of(config, cards(*["4090"] * count), every=True)(replace(WISH, schedule=schedule))
        for schedule in (Schedule.SEQUENTIAL, Schedule.STREAM_BATCH)
        for count in (1, 2)
    ]
    assert 1.3 < rates[1] / rates[0] < 1.5  # two steps: three stage times in place of four
    assert 1.8 < rates[3] / rates[2] <= 2.01


def test_more_cards_than_blocks() -> None:
    tiny = replace(WISH, profile=PROFILES["tiny"])
    with pytest.raises(ConfigError, match="8 cards, but the model has 6 blocks"):
        grouped(cards(*["4090"] * 8), tiny, every=True)
    assert grouped(cards(*["4090"] * 8), tiny, every=False) is not None


def test_a_group_without_room_is_told_what_helps() -> None:
    wish = replace(WISH, profile=PROFILES["14b"], size=(128, 128))
    told = shortage(wish, cards("RTX 4080", "RTX 4080"))
    assert told.startswith("14b at 128x128 does not fit on 2 cards, where there are free: 16.2 GB on GPU 0 (NVIDIA GeForce RTX")
    assert "any of these makes room: model.fp8: true (Linux, compute capability 8.9 or more); three 16 GB cards hold it" in told
    assert told.endswith("sdv2-live plan --fit shows what fits")


def test_the_plan_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    wish, found = planned(load_config(None, ["model.device=cpu", "model.gpus=2", "model.profile=tiny"]), PROFILES["tiny"])
    assert (wish.unified, len(found.ranks)) == (True, 2)
    wish, found = planned(load_config(None, ["model.device=cpu", "model.profile=tiny"]), PROFILES["tiny"])
    assert [rank.part.blocks for rank in found.ranks] == [6]
    monkeypatch.setattr(group, "processes", lambda count: [replace(each, free=GIB) for each in processes(count)])
    with pytest.raises(MemoryShortageError, match=r"14b at 480x832 does not fit .* 1\.1 GB on process 0, "):
        planned(load_config(None, ["model.device=cpu", "model.gpus=2", "model.profile=14b"]), PROFILES["14b"])


def test_auto_takes_one_card_until_several_have_been_seen_together(monkeypatch: pytest.MonkeyPatch) -> None:
    there = cards("4090", "4090")
    monkeypatch.setattr(group, "taking_part", lambda *_: there)

    def ranks(profile: str, gpus: str = "auto") -> int:
        settings = [
            f"model.profile={profile}",
            f"model.gpus={gpus}",
            "model.vae=taehv",
            "model.text_encoder=cpu",
            "video.size=240x416",
        ]
        return len(planned(load_config(None, settings), PROFILES[profile])[1].ranks)

    assert ranks("1.3b") == 1
    assert ranks("1.3b", "2") == 2
    assert ranks("14b") == 2  # one card does not hold it
    together.saw_together([there[0].name] * 3)
    assert ranks("1.3b") == 2


def test_a_group_that_has_painted_was_seen_together() -> None:
    there = cards("4090", "3090")
    names = [each.name for each in there]
    found = grouped(there, WISH, every=True)
    assert found is not None
    learn(WISH, found, [0.01, 0.0], 0.006, 0.010)  # the second has not said anything yet
    assert not together.seen_together(names)
    learn(WISH, found, [0.01, 0.01], 0.006, 0.010)
    assert together.seen_together(names)
    assert not together.seen_together([names[0]] * 2)
