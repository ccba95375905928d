"""`sdv2-live presets`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from sdv2_live.commands import presets
from sdv2_live.errors import ConfigError, ParamError


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    presets.add_parser(parser.add_subparsers())
    args = parser.parse_args(["presets", *words])
    return int(args.run(args))


def test_list_shows_every_shipped_preset(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert command("list") == 0
    out = capsys.readouterr().out
    assert "Neon edges" in out
    assert "Vintage film" in out


def test_list_of_a_folder_with_a_broken_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("params: {sed: 1}")
    assert command("list", "--set", f"presets.dir={tmp_path}") == 2
    assert capsys.readouterr().err == f"{tmp_path / 'a.yaml'}:1: there is no parameter 'sed'; did you mean 'seed'?\n"


@pytest.mark.parametrize("key", ["comic", "4"])
def test_show(key: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert command("show", key) == 0
    out = capsys.readouterr().out
    assert "halftone dots" in out
    assert "0.75" in out


def test_show_for_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("show", "1", "--json", "--set", "model.profile=tiny") == 0
    shown = {row["parameter"]: row["value"] for row in json.loads(capsys.readouterr().out)}
    assert shown["steps"] == shown["for.tiny.steps"] == [400]
    assert command("show", "1", "--json") == 0
    shown = {row["parameter"]: row["value"] for row in json.loads(capsys.readouterr().out)}
    assert (shown["steps"], shown["for.tiny.steps"]) == ([700, 500], [400])


def test_text_in_brackets_is_shown_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("description: '[/b] ok'\nparams: {prompt: '[/bold] ink'}")
    for words in (("list",), ("show", "1")):
        assert command(*words, "--set", f"presets.dir={tmp_path}") == 0
    out = capsys.readouterr().out
    assert "[/b] ok" in out
    assert "[/bold] ink" in out


def test_show_unknown_suggests() -> None:
    with pytest.raises(ParamError, match=r"^there is no preset 'comik'; did you mean 'comic'\?$"):
        command("show", "comik")


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("check") == 0
    assert "8 presets, no mistakes" in capsys.readouterr().out
    (tmp_path / "a.yaml").write_text("params: {seed: x}")
    with pytest.raises(ConfigError, match=r"a\.yaml:1: seed cannot be 'x'; give an integer 0"):
        command("check", str(tmp_path))
