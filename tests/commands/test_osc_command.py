"""`sdv2-live osc`."""

from __future__ import annotations

import argparse

import pytest

from sdv2_live.commands import osc
from sdv2_live.control.reference import reference_markdown


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
