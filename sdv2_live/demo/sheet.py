"""Contact sheets: what went in above what came out, with the prompt below."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Column = tuple[str, np.ndarray, np.ndarray]

WIDTH = 1600
IN_A_BAND = 4  # columns at most
MARGIN = 20
GAP = 8  # between the two pictures of a column
FONT_SIZE = 17
LINES = 5  # of caption at most
BACKGROUND, INK = (18, 18, 20), (226, 226, 230)


def contact_sheet(columns: Sequence[Column], path: str | os.PathLike[str]) -> None:
    """Write a PNG, 1600 pixels wide, of (caption, input picture, output picture) columns from left to right, four in a band.

    Pictures are RGB, uint8 (height, width, 3), of any size; each is scaled to its column's width in its own shape, inputs
    above outputs. Captions are wrapped to the column's width, and end in an ellipsis where five lines do not hold them.
    Raises ValueError for no columns or a picture of another layout, OSError when `path` cannot be written.
    """
    if not columns:
        raise ValueError("a contact sheet needs at least one column")
    count = math.ceil(len(columns) / math.ceil(len(columns) / IN_A_BAND))  # bands of much the same length
    bands = [_band(columns[i : i + count], (WIDTH - MARGIN) // count - MARGIN) for i in range(0, len(columns), count)]
    Image.fromarray(np.vstack([np.asarray(band) for band in bands])).save(path, format="PNG")


def _band(columns: Sequence[Column], width: int) -> Image.Image:
    """Columns of that width side by side, with their margins."""
    inputs = [_scaled(picture, width) for _, picture, _ in columns]
    outputs = [_scaled(picture, width) for _, _, picture in columns]
    font = ImageFont.load_default(FONT_SIZE)
    captions = [wrap(caption, font, width) for caption, _, _ in columns]

    output_y = MARGIN + max(picture.height for picture in inputs) + GAP
    caption_y = output_y + max(picture.height for picture in outputs) + GAP
    line_height = FONT_SIZE * 4 // 3
    band = Image.new("RGB", (WIDTH, caption_y + max(map(len, captions)) * line_height + MARGIN), BACKGROUND)
    draw = ImageDraw.Draw(band)
    for i, (above, below, lines) in enumerate(zip(inputs, outputs, captions, strict=True)):
        x = MARGIN + i * (width + MARGIN)
        band.paste(above, (x, MARGIN))
        band.paste(below, (x, output_y))
        for line, text in enumerate(lines):
            draw.text((x, caption_y + line * line_height), text, INK, font)
    return band


def wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int, lines: int = LINES) -> list[str]:
    """`text` in at most `lines` lines of `width` pixels: broken at spaces, inside a word only when it alone is too wide."""
    out = [""]
    words = text.split()
    while words:
        word = words.pop(0)
        grown = f"{out[-1]} {word}".lstrip()
        if font.getlength(grown) <= width:
            out[-1] = grown
        elif out[-1]:
            words.insert(0, word)
            out.append("")
        else:
            fitting = max((n for n in range(1, len(word)) if font.getlength(word[:n]) <= width), default=1)
            out[-1], rest = word[:fitting], word[fitting:]
            if rest:
                words.insert(0, rest)
                out.append("")
        if len(out) > lines:
            return [*out[: lines - 1], _with_ellipsis(out[lines - 1], font, width)]
    return out


def _with_ellipsis(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line.rstrip() + "…"


def _scaled(picture: np.ndarray, width: int) -> Image.Image:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"a contact sheet takes uint8 pictures (height, width, 3), not {picture.dtype} {picture.shape}")
    height = max(1, round(width * picture.shape[0] / picture.shape[1]))
    return Image.fromarray(np.ascontiguousarray(picture)).resize((width, height), Image.Resampling.LANCZOS)
