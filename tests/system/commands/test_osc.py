"""`sdv2-live osc`."""

from __future__ import annotations

import argparse
import errno
import zlib
from pathlib import Path

import pytest
from support.systems import words

from sdv2_live.commands import osc
from sdv2_live.control.surfaces.reference import reference_markdown
from sdv2_live.control.surfaces.touchdesigner import script
from sdv2_live.errors import ConfigError


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    osc.add_parser(parser.add_subparsers())
    args = parser.parse_args(["osc", *words])
    return int(args.run(args))


def test_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    assert command() == 0
    out = capsys.readouterr().out
    assert "/sdv2/noise_scale" in out
    assert "/sdv2/timeline/seek" in out


def test_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--markdown") == 0
    assert capsys.readouterr().out == reference_markdown() + "\n"


def test_touchosc_file_holds_the_configured_presets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "01-ink.yaml").write_text("name: Encre de Chine\nparams: {prompt: ink}", encoding="utf-8")
    path = tmp_path / "mine.tosc"
    assert command("--touchosc", str(path), "--set", f"presets.dir={folder}") == 0
    assert "Encre de Chine" in zlib.decompress(path.read_bytes()).decode()
    assert capsys.readouterr().out == f"{path} written ({path.stat().st_size} bytes)\n"


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"x\.tosc: cannot be written: {words(errno.ENOENT)}; give another path$"):
        command("--touchosc", str(tmp_path / "nowhere" / "x.tosc"))


def test_touchdesigner_file(tmp_path: Path) -> None:
    path = tmp_path / "build.py"
    assert command("--touchdesigner", str(path)) == 0
    assert path.read_text(encoding="utf-8") == script()
