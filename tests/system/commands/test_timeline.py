"""Timelines from the command line: shown, and carried to Scope's form and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.places import EXAMPLES

from sdv2_live.cli import main
from sdv2_live.control.timeline.files import load_timeline

TIMELINES = sorted((EXAMPLES / "timelines").iterdir())
OWN = """\
name: Two looks
duration: 4
loop: true
events:
  - {at: 0, marker: start, set: {prompt: ink on paper, steps: [700, 500]}}
  - {at: 2.5, set: {prompt: neon at night, noise_scale: 0.5, reset: true}}
"""


@pytest.mark.parametrize("file", TIMELINES, ids=lambda file: file.name)
def test_examples_are_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["timeline", "show", str(file)]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split("\t")[0] for row in rows] == [f"{event.at:g}" for event in load_timeline(file).events]


def test_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, scope, back = tmp_path / "own.yaml", tmp_path / "scope.json", tmp_path / "back.yaml"
    own.write_text(OWN)
    assert main(["timeline", "convert", str(own), str(scope)]) == 0
    data = json.loads(scope.read_text())
    assert data["version"] == "2.0"
    assert [entry["prompts"][0]["text"] for entry in data["prompts"]] == ["ink on paper", "neon at night"]
    assert "not carried over" in capsys.readouterr().err  # the marker, the reset, the later noise scale
    assert main(["timeline", "convert", str(scope), str(back)]) == 0
    again = load_timeline(back)
    prompts = [(event.at, event.values["prompt"]) for event in again.events if "prompt" in event.values]
    assert prompts == [(0.0, "ink on paper"), (2.5, "neon at night")]
    assert again.duration == 4


def test_its_own_form_loses_nothing(tmp_path: Path) -> None:
    own, copy = tmp_path / "own.yaml", tmp_path / "copy.yaml"
    own.write_text(OWN)
    assert main(["timeline", "convert", str(own), str(copy)]) == 0
    assert load_timeline(copy) == load_timeline(own)


def test_nothing_is_overwritten_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    assert main(["timeline", "convert", str(own), str(own)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert own.read_text() == OWN
    assert main(["timeline", "convert", str(own), str(tmp_path / "x.txt")]) == 2
    assert main(["timeline", "convert", str(own), str(own), "--force"]) == 0
