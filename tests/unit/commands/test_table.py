"""Tables as commands print them: drawn, a line a row, tab-separated, as JSON."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from support.places import ROOT

from sdv2_live.cli import main
from sdv2_live.commands.sources import quoted
from sdv2_live.commands.table import SECTION, Table
from sdv2_live.control.surfaces.reference import rows

ADDRESSES = [row.address for row in rows()]
FOREIGN = "CAM\x1b]0;pwned\x07\x1b[31m\u202e[bold]\r\n\ttwo"


def on_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))


def plain(out: str) -> str:
    """Without the styles that the table itself has."""
    return re.sub(r"\x1b\[[01;]*m", "", out)


def table() -> Table:
    cells = [(1.5, FOREIGN, ["a", True], {"seed": 7, "prompt": "ink"}), SECTION, (12, "", [], {})]
    return Table({"at": "At", "name": "Name", "tags": "Tags", "sets": "Sets"}, list(cells), wraps=("sets",), title=FOREIGN)


def test_in_a_pipe_every_address_is_whole_in_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["osc"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ADDRESSES
    assert {line.count("\t") for line in lines} == {4}


@pytest.mark.parametrize("columns", [20, 80, 100, 112, 130, 250])
def test_on_a_terminal_of_any_width_every_address_is_whole(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_terminal(monkeypatch, columns)
    assert main(["osc"]) == 0
    out = plain(capsys.readouterr().out)
    assert re.findall(r"^(?:\u2502 )?(/sdv2/\S+) ", out, re.M) == ADDRESSES
    assert "\N{HORIZONTAL ELLIPSIS}" not in out
    if "\u2502" in out:
        assert max(map(len, out.splitlines())) <= columns
    else:
        assert columns < 130


@pytest.mark.parametrize("columns", [None, 20, 300])
def test_nothing_of_a_foreign_cell_reaches_the_terminal_but_its_letters(
    columns: int | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if columns:
        on_terminal(monkeypatch, columns)
    table().print()
    out = plain(capsys.readouterr().out)
    assert "[bold]" in out
    assert all(char.isprintable() or char in "\n\t" for char in out)
    if columns is None:
        rows = [line.split("\t") for line in out.splitlines()]
        assert rows[0][0] == "1.5"
        assert rows[0][2:] == ["a, true", "seed: 7; prompt: ink"]
        assert rows[1] == ["12", "", "", ""]


def test_json_keeps_what_cells_are(capsys: pytest.CaptureFixture[str]) -> None:
    table().print(as_json=True)
    first, second = json.loads(capsys.readouterr().out)
    assert first == {"at": 1.5, "name": FOREIGN, "tags": ["a", True], "sets": {"seed": 7, "prompt": "ink"}}
    assert second == {"at": 12, "name": "", "tags": [], "sets": {}}


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["osc"], {"address": ADDRESSES[0]}),
        (["presets", "list"], {"number": 1, "name": "Neon edges"}),
        (["presets", "show", "1"], {"parameter": "prompt"}),
        (["timeline", "show", "examples/timelines/three-scenes.yaml"], {"at": 0.0}),
        (["weights", "list", "--set", "model.weights_dir=/nowhere"], {"profile": "1.3b", "part": "dit", "state": "missing"}),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_every_table_is_there_as_json(
    words: list[str], first: dict[str, object], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told[0] == told[0] | first


@pytest.mark.parametrize("name", ["ndi:CAM 1", "ndi:x'; touch /tmp/pwned; '", 'ndi:$(id) `id` \\ "é" !!', "ndi:''"])
def test_what_sources_says_to_use_can_be_pasted_into_a_shell(name: str) -> None:
    assert shlex.split(f"--input {quoted(name)}") == ["--input", name]
