"""Files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.systems import WINDOWS

from sdv2_live.control.presets.file import file_name
from sdv2_live.errors import ConfigError, VideoError
from sdv2_live.io.files.sink import FileSink
from sdv2_live.midi.learn import write
from sdv2_live.show.journal import journal_path
from sdv2_live.system import files
from sdv2_live.system.atomic import written_whole
from sdv2_live.system.files import check, misread, portable, replace


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


@pytest.mark.parametrize(
    ("name", "taken_for"),
    [
        ("CON", "a device"),
        ("nul.mp4", "a device"),
        ("aux.tar.gz", "a device"),
        ("Com1 .yaml", "a device"),
        ("lpt\u00b2.yaml", "a device"),
        ("CONOUT$", "a device"),
        ("show.mp4:2", "a stream of show.mp4"),
        ("show.mp4. .", "show.mp4"),
        ("null.mp4", ""),
        ("com.yaml", ""),
        ("con-1.yaml", ""),
        (".yaml", ""),
        ("a file of many.dots", ""),
    ],
)
def test_what_windows_takes_a_name_for(name: str, taken_for: str) -> None:
    assert misread(name) == taken_for


def whole(path: Path) -> None:
    with written_whole(path) as part:
        part.write_text("text", encoding="utf-8")


@pytest.mark.skipif(not WINDOWS, reason="the names of Windows' devices")
@pytest.mark.parametrize(
    ("writes", "error"),
    [(lambda to: FileSink(to.with_suffix(".mp4")), VideoError), (lambda to: write(to, "a"), ConfigError), (whole, OSError)],
)
def test_nothing_is_written_to_a_device(tmp_path: Path, writes: Callable[[Path], object], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"Windows takes 'nul\.\w+' for a device"):
        writes(tmp_path / "nul.yaml")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not WINDOWS, reason="Windows' limit")
def test_a_path_that_is_too_long_says_what_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ("x" * 150) / ("y" * 150)
    monkeypatch.setattr(files, "_long_paths", lambda: False)
    with pytest.raises(OSError, match="LongPathsEnabled"):
        check(path)
    monkeypatch.setattr(files, "_long_paths", lambda: True)
    check(path)


@pytest.mark.parametrize("name", ["CON", "aux", "nul. ", "a" * 80, "../up", "x:y"])
def test_every_preset_has_a_file(tmp_path: Path, name: str) -> None:
    assert misread(file_name(3, name)) == ""
    whole(tmp_path / file_name(3, name))
    assert [one.name for one in tmp_path.iterdir()] == [file_name(3, name)]


@pytest.mark.skipif(not WINDOWS, reason="elsewhere a file is replaced whoever reads it")
def test_a_file_that_stays_open_says_why_it_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_BETWEEN_S", 0.0)
    path = tmp_path / "01-neon.yaml"
    path.write_text("old", encoding="utf-8")
    with path.open(encoding="utf-8"), pytest.raises(PermissionError, match="another program may have it open"):
        whole(path)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
