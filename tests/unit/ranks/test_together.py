"""Which cards have been seen to work together is kept, and a file that is none costs a line in the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdv2_live.ranks import together
from sdv2_live.ranks.together import groups_file, saw_together, seen_together


@pytest.fixture(autouse=True)
def _a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "cache_folder", lambda: tmp_path / "new")


def test_a_group_and_what_it_holds() -> None:
    assert not seen_together(["A", "A"])
    saw_together(["B", "A", "A"])
    saw_together(["A", "B"])
    assert seen_together(["A", "A"])
    assert seen_together(["A", "B"])
    assert not seen_together(["B", "B"])
    assert groups_file().read_text() == '[\n [\n  "A",\n  "A",\n  "B"\n ]\n]'


@pytest.mark.parametrize("content", ["", "7", "[7]", '{"a"', "\x00"])
def test_another_file_is_written_anew(content: str, caplog: pytest.LogCaptureFixture) -> None:
    groups_file().parent.mkdir()
    groups_file().write_text(content)
    assert not seen_together(["A"])
    assert "card-groups.json: unusable" in caplog.text
    saw_together(["A"])
    assert seen_together(["A"])


def test_a_file_that_cannot_be_written(caplog: pytest.LogCaptureFixture) -> None:
    groups_file().mkdir(parents=True)
    saw_together(["A"])
    assert "cannot be written" in caplog.text
