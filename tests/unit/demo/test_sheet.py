from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from sdv2_live.demo.sheet import BACKGROUND, contact_sheet, wrap

FONT = ImageFont.load_default(17)
RED, BLUE = np.array([255, 0, 0], np.uint8), np.array([0, 0, 255], np.uint8)


def column(caption: str, height: int = 36, width: int = 64) -> Any:
    return caption, np.broadcast_to(RED, (height, width, 3)), np.broadcast_to(BLUE, (height * 2, width * 2, 3))


def begins(flags: np.ndarray) -> np.ndarray:
    """Where True follows False."""
    return np.flatnonzero(np.diff(flags, prepend=False) & flags)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_inputs_lie_above_outputs_and_captions_below(tmp_path: Path, count: int) -> None:
    path = tmp_path / "sheet.png"
    contact_sheet([column(f"prompt {i}") for i in range(count)], path)
    sheet = Image.open(path)
    assert (sheet.format, sheet.mode, sheet.width) == ("PNG", "RGB", 1600)
    pixels = np.asarray(sheet)
    reds, blues = ((pixels == colour).all(2) for colour in (RED, BLUE))
    width = (1600 - 20) // count - 20
    assert reds.sum() == blues.sum() == count * width * round(width * 36 / 64)
    assert reds.any(1).nonzero()[0].max() < blues.any(1).nonzero()[0].min()
    below = pixels[blues.any(1).nonzero()[0].max() + 1 :]
    for i in range(count):
        x = 20 + i * (width + 20)
        assert (below[:, x : x + width] != BACKGROUND).any()


def test_pictures_of_different_shapes_go_together(tmp_path: Path) -> None:
    contact_sheet([column("wide", 20, 100), column("tall", 100, 20)], tmp_path / "sheet.png")
    assert Image.open(tmp_path / "sheet.png").height > 2 * 770 * 5


def test_long_captions_stay_within_their_column(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    contact_sheet([column("m" * 300 + " watercolour " * 200), column("")], path)
    pixels = np.asarray(Image.open(path))
    assert (pixels[:, 790:810] == BACKGROUND).all()
    assert (pixels[-15:] == BACKGROUND).all()


@pytest.mark.parametrize(("count", "bands"), [(4, [4]), (5, [3, 2]), (8, [4, 4]), (9, [3, 3, 3])])
def test_many_columns_go_into_bands(tmp_path: Path, count: int, bands: list[int]) -> None:
    contact_sheet([column(f"look {i}") for i in range(count)], tmp_path / "sheet.png")
    reds = (np.asarray(Image.open(tmp_path / "sheet.png")) == RED).all(2)
    assert [len(begins(reds[top])) for top in begins(reds.any(1))] == bands


def test_wrap_breaks_at_spaces() -> None:
    lines = wrap("a watercolour painting of a lighthouse at dusk", FONT, 150)
    assert " ".join(lines) == "a watercolour painting of a lighthouse at dusk"
    assert len(lines) > 1


def test_wrap_cuts_what_does_not_fit() -> None:
    lines = wrap("watercolour " * 50, FONT, 200, lines=3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert not lines[0].endswith("…")


@given(st.text(alphabet="abW i-é\n", max_size=200), st.integers(30, 300), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_wrapped_lines_fit_and_lose_nothing_unmarked(text: str, width: int, lines: Any) -> None:
    out = wrap(text, FONT, width, lines)
    assert 1 <= len(out) <= lines
    assert all(FONT.getlength(line) <= width for line in out)
    shown = "".join(out).replace(" ", "")
    whole = "".join(text.split())
    assert shown == whole or (shown.endswith("…") and whole.startswith(shown[:-1]))


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)])
def test_pictures_of_another_layout_are_refused(tmp_path: Path, bad: Any) -> None:
    with pytest.raises(ValueError, match="height, width, 3"):
        contact_sheet([("x", bad, bad)], tmp_path / "sheet.png")
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], tmp_path / "sheet.png")
