"""Files."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sdv2_live.show.journal import journal_path
from sdv2_live.system.files import portable, replace


@pytest.mark.parametrize("name", ["CON", "nul", "Com1", "lpt9", "AUX. ", "ndi:PRN"])
def test_no_journal_is_a_device(tmp_path: Path, name: str) -> None:
    path = journal_path(tmp_path, name)
    path.write_text("{}", encoding="utf-8")
    assert path.name in {one.name for one in tmp_path.iterdir()}
    assert path.stem == portable(path.stem)


@pytest.mark.parametrize("name", ["console", "com", "com10", "sdv2-live", "ndi-con", "null"])
def test_other_names_stay(name: str) -> None:
    assert portable(name) == name


@pytest.mark.parametrize("held", [False, True])
def test_a_file_is_replaced_whole_though_somebody_reads_it(tmp_path: Path, held: bool) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old", encoding="utf-8")
    new.write_text("new", encoding="utf-8")
    if held:
        reader = old.open(encoding="utf-8")  # the timer closes it, while it is being replaced
        threading.Timer(0.2, reader.close).start()
    replace(new, old)
    assert old.read_text(encoding="utf-8") == "new"
    assert not new.exists()


def test_what_cannot_be_replaced_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace(tmp_path / "none", tmp_path / "old")
