"""The generated reference names everything there is, and a file that holds it can be checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.places import README

from sdv2_live.control.osc.addresses import ACTIONS, SCOPE_NAMES
from sdv2_live.control.params import PARAMS
from sdv2_live.control.surfaces.reference import BEGIN, END, reference_is_current, reference_markdown, rows, write_reference


def test_every_parameter_action_and_scope_name_is_in_it() -> None:
    text = reference_markdown()
    for name, spec in PARAMS.items():
        assert f"`/sdv2/{name}`" in text or (spec.index is not None and spec.doc in text), name
    for name in ACTIONS:
        assert f"`/sdv2/{name}`" in text
    for name in SCOPE_NAMES:
        assert f"`/scope/{name}`" in text
    assert "`/sdv2/prompt/2..8/text`" in text
    assert "`/sdv2/prompt/1..8/weight`" in text


def test_table_cells_are_whole() -> None:
    assert all(len(row) == 5 and "\n" not in "".join(row) for row in rows())


def test_a_file_is_checked_and_written_between_its_markers(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    assert not reference_is_current(path)
    assert write_reference(path)
    assert reference_is_current(path)
    assert not write_reference(path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n|")
    assert text.endswith(f"{END}\nafter\n")


def test_a_file_without_markers_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("nothing", encoding="utf-8")
    with pytest.raises(ValueError, match="has no '<!-- reference: begin -->'"):
        reference_is_current(path)


@pytest.mark.skipif(BEGIN not in README.read_text(encoding="utf-8"), reason="the README has no reference yet")
def test_readme_is_current() -> None:
    assert reference_is_current(README)
