"""What was seen where: the table is one, and says nothing in words of its own."""

from __future__ import annotations

import pytest
from support.places import MANUAL

from sdv2_live.doctor.seen import KINDS, SEEN, SYSTEMS, markdown, on


def test_the_manual_has_the_table() -> None:
    begin, end = "<!-- seen: begin -->\n", "\n<!-- seen: end -->"
    assert (MANUAL / "tried.md").read_text(encoding="utf-8").partition(begin)[2].partition(end)[0] == markdown()


def test_the_manual_explains_its_words() -> None:
    text = " ".join((MANUAL / "tried.md").read_text(encoding="utf-8").split())
    for kind, meaning in KINDS.items():
        if kind != "-":
            assert f"*{kind}*: {meaning}" in text


@pytest.mark.parametrize("row", SEEN, ids=lambda row: row[0])
def test_every_cell_is_of_a_kind(row: tuple[str, ...]) -> None:
    assert len(row) == 1 + len(SYSTEMS)
    for cell in row[1:]:
        assert cell.partition(":")[0] in KINDS


def test_the_doctors_line_names_what_nobody_has_met() -> None:
    assert "not yet: Chataigne and ossia score, Docker" in on("linux")
    assert "NDI" not in on("linux")
    assert "nothing yet" in on("win32")
    assert "under Wine" in on("win32")
    assert on("darwin") == "on macOS nothing yet"
