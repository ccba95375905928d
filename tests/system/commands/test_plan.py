"""`sdv2-live plan`, and the manual's table made by it."""

from __future__ import annotations

import json

import pytest
from support.places import MANUAL

from sdv2_live.cli import main
from sdv2_live.commands import plan


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


@pytest.mark.parametrize("size", ["much", "0GB", "-4", "1e9GB"])
def test_a_card_that_is_none(size: str) -> None:
    with pytest.raises(SystemExit):
        main(["plan", "--gpu-memory", size])


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
