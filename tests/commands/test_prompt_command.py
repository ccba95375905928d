"""`sdv2-live prompt expand`, with what a server would answer put in its place (tests/test_expand.py has real ones)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from sdv2_live.cli import main
from sdv2_live.commands import prompt
from sdv2_live.control.presets import load_preset
from sdv2_live.errors import ExpandError

LONG = "A dancer painted in thick oil, " + ", ".join(f"detail number {n} in amber light" for n in range(12))


class Writer:
    def __init__(self, answer: str | ExpandError) -> None:
        self.answer = answer

    def write(self, instruction: str, text: str) -> str:
        if isinstance(self.answer, ExpandError):
            raise self.answer
        return self.answer


def command(monkeypatch: pytest.MonkeyPatch, answer: str | ExpandError, *words: str) -> int:
    monkeypatch.setattr(prompt, "_writer", lambda args: Writer(answer))
    return main(["prompt", "expand", "a dancer", "--endpoint", "http://127.0.0.1:9", *words])


def test_result_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(monkeypatch, LONG) == 0
    assert capsys.readouterr().out == LONG + "\n"


def test_failure_leaves_the_prompt_as_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    failure = ExpandError("the server is asleep; wake it")
    assert command(monkeypatch, failure, "--save", "Dancer", "--set", f"presets.dir={tmp_path}") == 7
    out, err = capsys.readouterr()
    assert out == "a dancer\n"
    assert err == "sdv2-live: the prompt stays as it was: the server is asleep; wake it\n"
    assert list(tmp_path.iterdir()) == []


def test_saved_as_a_preset_and_never_over_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = f"presets.dir={tmp_path}"
    assert command(monkeypatch, LONG, "--save", "Oil Dancer", "--set", folder, "--set", "params.noise_scale=0.4") == 0
    (path,) = tmp_path.iterdir()
    preset = load_preset(path)
    assert (preset.name, preset.values["prompt"], preset.values["noise_scale"]) == ("Oil Dancer", LONG, 0.4)
    before = path.read_text()
    capsys.readouterr()
    assert command(monkeypatch, LONG.replace("oil", "ink"), "--save", "oil dancer", "--set", folder) == 2
    out, err = capsys.readouterr()
    assert out == LONG.replace("oil", "ink") + "\n"  # what was paid for is not lost
    assert "there is a preset 'Oil Dancer' already" in err
    assert path.read_text() == before
    assert command(monkeypatch, LONG.replace("oil", "ink"), "--save", "oil dancer", "--set", folder, "--force") == 0
    assert "thick ink" in str(load_preset(path).values["prompt"])


@pytest.mark.parametrize("name", ["../up", "/etc/x", "a/b", ""])
def test_name_that_is_no_plain_name(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command(monkeypatch, LONG, "--save", name, "--set", f"presets.dir={tmp_path}") == 2
    assert "a preset cannot be named" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_one_writer_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    prompt.add_parser(parser.add_subparsers())
    wrong: list[list[Any]] = [[], ["--model", "x", "--endpoint", "http://127.0.0.1"], ["--model", "x", "--timeout", "nan"]]
    for words in wrong:
        with pytest.raises(SystemExit):
            parser.parse_args(["prompt", "expand", "a dancer", *words])
