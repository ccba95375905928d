"""`sdv2-live plan`, and the manual's table made by it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.places import MANUAL

from sdv2_live.cli import main
from sdv2_live.commands import plan, plan_models
from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES
from sdv2_live.cost import group
from sdv2_live.cost.cards import known
from sdv2_live.cost.group import Present
from sdv2_live.ranks import together


def report(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    code = main(["plan", "--model", "1.3b", "--json", *words])
    return code, json.loads(capsys.readouterr().out)


def test_a_card_that_is_too_small_and_what_helps(capsys: pytest.CaptureFixture[str]) -> None:
    code, small = report(capsys, "--gpu-memory", "12GB")
    assert code == 5
    assert small["fits"] is False
    assert small["free"] == 12 * 2**30 - 10**9
    assert small["total"] == sum(small["parts"].values())  # type: ignore[attr-defined]
    assert any(way["setting"].startswith("model.text_encoder") for way in small["savings"])  # type: ignore[attr-defined]
    assert small["parts"]["CUDA graphs"] > 0 < small["parts"]["second prompt"]  # type: ignore[index]
    code, fits = report(capsys, "--gpu-memory", "12GB", "--fit")
    assert code == 0
    assert fits["settings"]["model.text_encoder"] == "cpu"  # type: ignore[index]
    assert fits["total"] <= fits["free"]  # type: ignore[operator]


def test_options_count(capsys: pytest.CaptureFixture[str]) -> None:
    _, large = report(capsys, "--gpu-memory", "24")
    _, small = report(capsys, "--gpu-memory", "24", "--vae", "taehv", "--size", "256x256")
    assert small["settings"]["video.size"] == "256x256"  # type: ignore[index]
    assert small["total"] < large["total"]  # type: ignore[operator]


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--model", "1.3b", "--gpu-memory", "8GB"]) == 5
    out = capsys.readouterr().out
    assert "GB too little" in out
    assert "model.vae: taehv saves" in out
    assert "engine.cuda_graphs: off, engine.overlap: off saves" in out
    assert "what CUDA graphs keep is an estimate" in out


def test_a_group_shows_what_each_card_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--model", "14b", "--card", "4090", "--gpus", "2", "--size", "480x832", "--vae", "wan"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("0\t0\tRTX 4090\tencode, blocks 0-")
    assert lines[2].startswith("1\t1\tRTX 4090\tblocks ")
    assert lines[2].split("\t")[3].endswith("-39, decode") or lines[1].split("\t")[3].endswith("decode")
    assert "frames a second" in lines[3]
    assert "reckoned, not measured" in lines[3]
    assert lines[-1] == "fits"


def test_cards_of_this_machine_that_nobody_has_seen_together(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(together, "cache_folder", lambda: tmp_path)
    card = known("4090")
    assert card is not None
    there = [Present(i, card.name, card, 23 * 10**9) for i in range(2)]
    monkeypatch.setattr(group, "taking_part", lambda *_: there)
    words = ["plan", "--model", "1.3b", "--vae", "taehv", "--size", "480x832"]
    assert main(words) == 0
    assert "auto takes no other before sdv2-live doctor has seen them work together" in capsys.readouterr().out
    together.saw_together([card.name] * 2)
    assert main(words) == 0
    assert "auto" not in capsys.readouterr().out


def test_a_group_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = report(capsys, "--card", "4090,3090")
    assert (code, told["fits"]) == (0, True)
    ranks = told["ranks"]
    assert [rank["card"] for rank in ranks] == ["RTX 4090", "RTX 3090"]  # type: ignore[attr-defined]
    assert all(0 < rank["bytes"] <= rank["free"] and rank["ms"] > 0 for rank in ranks)  # type: ignore[attr-defined]
    assert told["reckoned"]["fps"] > 25  # type: ignore[index]
    code, told = report(capsys, "--gpu-memory", "16GB", "--gpus", "2", "--vae", "taehv")  # no figures of speed
    assert (code, "reckoned" in told, "ms" in told["ranks"][0]) == (0, False, False)  # type: ignore[index]


def test_a_group_that_is_too_small(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--model", "14b", "--gpu-memory", "12GB", "--gpus", "2"]) == 5
    assert "14b at 480x832 does not fit on 2 cards" in (out := capsys.readouterr().out)
    assert "six 12 GB cards hold it (model.gpus: 6)" in out


def test_cards_that_contradict_or_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--card", "4090,3090", "--gpus", "3"]) == 2
    assert "--card names 2 cards, and model.gpus 3; leave one of them out" in capsys.readouterr().err
    assert main(["plan", "--model", "tiny", "--card", "4090", "--gpus", "8"]) == 2
    assert "8 cards, but the model has 6 blocks: at most 7 cards can take part" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["much", "0GB", "-4", "1e9GB"])
def test_a_card_that_is_none(size: str) -> None:
    with pytest.raises(SystemExit):
        main(["plan", "--gpu-memory", size])


def test_the_manual_has_the_figures_of_the_models() -> None:
    begin, end = "<!-- models: begin -->\n", "\n<!-- models: end -->"
    told = (MANUAL / "models.md").read_text(encoding="utf-8").partition(begin)[2].partition(end)[0].splitlines()
    cards = [card for name in plan_models.USUAL if (card := known(name)) is not None]
    found = plan_models.rows(load_config(None, ["model.vae=taehv"]), [PROFILES["causal-forcing-2step"]], cards)
    assert set(plan_models.table(found).splitlines()) <= set(told)
    assert [line.split("`")[1] for line in told[2:]] == [name for name, profile in PROFILES.items() if profile.files]


@pytest.mark.parametrize("cards", [(24, 16, 12), pytest.param(plan.CARDS, marks=pytest.mark.slow)])
def test_the_manual_has_the_planners_figures(cards: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    begin, end = "<!-- plan: begin -->\n", "\n<!-- plan: end -->"
    table = (MANUAL / "memory.md").read_text(encoding="utf-8").partition(begin)[2].partition(end)[0].splitlines()
    names = ("1.3b",) if cards != plan.CARDS else plan.MODELS
    monkeypatch.setattr(plan, "CARDS", cards)
    monkeypatch.setattr(plan, "MODELS", names)
    made = plan.markdown().splitlines()
    assert [line for line in table if line in made] == made, "put `sdv2-live plan --markdown` into the manual's memory.md"
    assert len(table) == 2 + 8
