"""The tables that commands print: for eyes where there is room, a line a row elsewhere, tab-separated in a pipe, or JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as Drawn
from rich.text import Text

from sdv2_live import logs
from sdv2_live.errors import ConfigError

WRAPPED = 20  # columns at least of a cell that goes over several lines
AROUND = 3  # columns that a cell's border and padding take
SECTION: tuple[Any, ...] = ()  # as a row: a line between the rows of before and after


@dataclass(slots=True)
class Table:
    """A table. A cell is text, a number, a list, or a mapping of names to values.

    Cells may come from anybody: characters that would move the cursor are shown, not sent.

    Attributes:
        heads: the heading of each column, by its name in JSON.
        wraps: columns whose cells may go over several lines.
        title: above the table when it is drawn.
        caption: below the table when it is drawn.
        styles: of rows, by their number.
    """

    heads: Mapping[str, str]
    rows: Sequence[Sequence[Any]]
    wraps: Sequence[str] = ()
    title: str = ""
    caption: str = ""
    styles: Mapping[int, str] = field(default_factory=dict)

    def print(self, *, as_json: bool = False) -> None:
        """Print to standard output, in the form that suits it."""
        rows = [row for row in self.rows if row != SECTION]
        if as_json:
            print(json.dumps([dict(zip(self.heads, row, strict=True)) for row in rows], ensure_ascii=False, indent=2))
        elif not sys.stdout.isatty():
            for row in rows:
                print("\t".join(_line(cell) for cell in row))
        elif self._width() <= (console := Console()).width:
            console.print(self._drawn())
        else:
            print("\n".join(self._lines(rows)))

    def _width(self) -> int:
        """The terminal's columns that it takes to draw the table."""
        rows = [tuple(self.heads.values()), *(row for row in self.rows if row != SECTION)]
        total = 1
        for i, name in enumerate(self.heads):
            longest = max(cell_len(line) for row in rows for line in _text(row[i]).split("\n"))
            total += AROUND + (min(longest, WRAPPED) if name in self.wraps else longest)
        return total

    def _lines(self, rows: Sequence[Sequence[Any]]) -> list[str]:
        """One line a row, below their title: whole, however wide."""
        lines = ["  ".join(cell for cell in map(_line, row) if cell) for row in rows]
        return [_line(self.title), *lines] if self.title else lines

    def _drawn(self) -> Drawn:
        title, caption = (Text(_line(text)) if text else None for text in (self.title, self.caption))
        drawn = Drawn(title=title, caption=caption, box=box.HEAVY_HEAD)
        for i, (name, head) in enumerate(self.heads.items()):
            numbers = all(isinstance(row[i], int | float) for row in self.rows if row != SECTION)
            drawn.add_column(head, no_wrap=name not in self.wraps, overflow="fold", justify="right" if numbers else "left")
        for number, row in enumerate(self.rows):
            if row == SECTION:
                drawn.add_section()
            else:
                drawn.add_row(*(Text(_text(cell)) for cell in row), style=self.styles.get(number))
        return drawn


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Declare --json of a command that prints a table."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def _text(cell: Any) -> str:
    """A cell as it is drawn: a mapping's entries on a line each."""
    if isinstance(cell, Mapping):
        return "\n".join(f"{_line(name)}: {_line(value)}" for name, value in cell.items())
    return _line(cell)


def _line(cell: Any) -> str:
    """A cell in one line, without anything that a terminal or a reader of lines would act on."""
    if isinstance(cell, Mapping):
        return "; ".join(f"{_line(name)}: {_line(value)}" for name, value in cell.items())
    if isinstance(cell, list | tuple):
        return ", ".join(_line(part) for part in cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return logs.harmless("" if cell is None else f"{cell:.10g}" if isinstance(cell, float) else str(cell))


def write_file(path: Path, content: bytes) -> None:
    """Write a file that was asked for, and say so. Raises ConfigError when it cannot be written."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; give another path") from error
    logs.say(f"{path} written ({len(content)} bytes)")
