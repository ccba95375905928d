"""Measured times are kept for the next set-up, and a damaged file costs no more than them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sdv2_live.ranks.measured import FORMAT, MAX_ENTRIES, Measured, recall, remember
from sdv2_live.ranks.partition import StageTimes

WHAT = Measured("NVIDIA GeForce RTX 4090", "1.3b", "taehv", (480, 832), "bf16", 6)
TIMES = StageTimes(0.006, 0.0021, 0.011)


def test_what_was_measured_is_recalled_for_the_same_work_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "stage-times.json"
    assert recall(WHAT, file) is None
    remember(WHAT, TIMES, file)
    other = replace(WHAT, size=(512, 512))
    remember(other, replace(TIMES, block=0.003), file)
    assert recall(WHAT, file) == TIMES
    assert recall(other, file) == replace(TIMES, block=0.003)
    assert recall(replace(WHAT, card="NVIDIA H100 80GB HBM3"), file) is None
    remember(WHAT, replace(TIMES, block=0.004), file)
    assert recall(WHAT, file) == replace(TIMES, block=0.004)
    assert len(json.loads(file.read_text())["seconds"]) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "null",
        '{"format": 1}',
        '{"format": 1, "seconds": {"x": 1}}',
        '{"format": 1, "seconds": {"x": {"encode": NaN, "block": 1, "decode": 1}}}',
        '{"format": 1, "seconds": {"x": {"encode": -1, "block": 1, "decode": 1}}}',
        "\xff\xfe",
    ],
)
def test_a_damaged_file_is_told_and_written_anew(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "stage-times.json"
    file.write_text(text, encoding="latin-1")
    assert recall(WHAT, file) is None
    assert "stage-times.json: unusable" in caplog.text
    remember(WHAT, TIMES, file)
    assert recall(WHAT, file) == TIMES


def test_a_later_format_is_left_unread(tmp_path: Path) -> None:
    file = tmp_path / "stage-times.json"
    file.write_text(json.dumps({"format": FORMAT + 1, "seconds": []}))
    assert recall(WHAT, file) is None


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    remember(WHAT, TIMES, tmp_path / "file" / "stage-times.json")
    assert "cannot be written" in caplog.text


def test_the_oldest_go(tmp_path: Path) -> None:
    file = tmp_path / "stage-times.json"
    entries = {f"card {i}": {"encode": 1, "block": 1, "decode": 1} for i in range(MAX_ENTRIES)}
    file.write_text(json.dumps({"format": FORMAT, "seconds": entries}))
    remember(WHAT, TIMES, file)
    kept = list(json.loads(file.read_text())["seconds"])
    assert (len(kept), kept[0], kept[-1]) == (MAX_ENTRIES, "card 1", WHAT.key)
