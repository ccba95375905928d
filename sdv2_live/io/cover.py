"""What is seen while no paintings come: the last one for a while, then something else in its place, faded in and out again.

All of it has the paintings' size and layout, so that receivers see one stream that never changes shape.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image, ImageDraw, ImageFont

from sdv2_live.frame import ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.io.ffmpeg import MATRICES, PIX_FMT, RANGES, rows_of

BAND = 16  # rows blended at once: what is between stays in the processor's cache
BACKGROUND, INK = (24, 24, 26), (150, 150, 154)  # of a slate: nothing that draws a hall's eyes


class Instead(Enum):
    """What takes a painting's place."""

    INPUT = "input"
    HOLD = "hold"
    SLATE = "slate"
    BLACK = "black"


class Cover:
    """Says how much of the substitute is to be seen at a moment, and makes the picture. Times are monotonic nanoseconds.

    hold_s: for so long the last painting stays, then `instead` is faded in over `fade_s`; faded out again over `fade_s`
    when paintings come again. text: of the slate. Not safe for use by several threads at once.
    """

    def __init__(self, instead: Instead = Instead.HOLD, *, hold_s: float = 1.0, fade_s: float = 1.0, text: str = "") -> None:
        self.instead = instead
        self._hold_ns = int(hold_s * 1e9)
        self._fade_ns = max(int(fade_s * 1e9), 1)
        self._text = text
        self._away = False  # no paintings come
        self._since = 0  # the level moves from this time on
        self._from = 0.0  # and from this level
        self._convert = Converter()
        self._still: Frame | None = None  # the slate, or black, as it was made last

    def lost(self, now: int) -> None:
        """No paintings come from now on; calls after the first change nothing."""
        if not self._away and self.instead is not Instead.HOLD:
            level = self.level(now)
            self._away, self._from, self._since = True, level, now if level else now + self._hold_ns

    def back(self, now: int) -> None:
        """Paintings come again."""
        if self._away:
            self._from, self._since, self._away = self.level(now), now, False

    @property
    def away(self) -> bool:
        """No paintings come."""
        return self._away

    def level(self, now: int) -> float:
        """Share of the substitute: 0 for the painting alone, 1 for nothing of it."""
        moved = max(now - self._since, 0) / self._fade_ns
        return min(self._from + moved, 1.0) if self._away else max(self._from - moved, 0.0)

    def over(self, painted: Frame, seen: Frame | None, level: float) -> Frame:
        """The substitute over a painting. seen: the newest input frame; the painting stays where there is none."""
        if self.instead is not Instead.INPUT:
            above = self._drawn(painted)
        elif seen is None:
            return painted
        else:
            above = self._convert(seen, painted)
        if level >= 1:
            return above
        width = painted.width * painted.format.bytes_per_pixel
        return replace(above, data=blend(painted.data[:, :width], above.data[:, :width], level))

    def _drawn(self, like: Frame) -> Frame:
        if self._still is None or (self._still.size, self._still.format) != (like.size, like.format):
            drawn = black_like(like) if self.instead is Instead.BLACK else self._convert(slate(like.size, self._text), like)
            self._still = replace(drawn, data=np.ascontiguousarray(drawn.data))
        return self._still.at(rate=like.rate, captured_ns=like.captured_ns, index=like.index)


class Converter:
    """Frames in the size and layout of others: cropped to their shape or stretched, by swscale (1080p: 8 ms on one core)."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: Frame, like: Frame, *, crop: bool = True) -> Frame:
        """`frame` as it looks in `like`'s size and layout, at its own time."""
        x, y, width, height = _crop(frame.size, like.size) if crop else (0, 0, frame.width, frame.height)
        step = frame.format.bytes_per_pixel
        if (x, y, width, height, frame.format) == (0, 0, like.width, like.height, like.format):
            return frame
        picture = av.VideoFrame(width, height, PIX_FMT[frame.format])
        rows_of(picture)[:, : width * step] = frame.data[y : y + height, x * step : (x + width) * step]
        theirs, ours = _color(frame), _color(like)
        converted = self._reformatter.reformat(
            picture,
            width=like.width,
            height=like.height,
            format=PIX_FMT[like.format],
            src_colorspace=MATRICES[theirs.matrix],
            src_color_range=RANGES[theirs.range],
            dst_colorspace=MATRICES[ours.matrix],
            dst_color_range=RANGES[ours.range],
            interpolation=Interpolation.BILINEAR,
        )
        rows = rows_of(converted)
        return Frame(rows, like.width, like.height, like.format, frame.rate, frame.captured_ns, frame.index, like.color)


def blend(below: np.ndarray, above: np.ndarray, level: float) -> np.ndarray:
    """Bytes (height, n) between two pictures of one layout; level 0..1 is the share of `above`."""
    weight = round(level * 256)
    out = np.empty(below.shape, np.uint8)
    a, b = (np.empty((BAND, below.shape[1]), np.uint16) for _ in range(2))
    for top in range(0, below.shape[0], BAND):
        rows = slice(top, top + BAND)
        count = len(out[rows])
        np.multiply(below[rows], 256 - weight, out=a[:count], dtype=np.uint16)
        np.multiply(above[rows], weight, out=b[:count], dtype=np.uint16)
        np.add(a[:count], b[:count], out=a[:count])
        out[rows] = np.right_shift(a[:count], 8, out=a[:count])
    return out


def slate(size: tuple[int, int], text: str) -> Frame:
    """A still, RGBX, of (height, width): dark, with a small text in its middle."""
    height, width = size
    image = Image.new("RGBX", (width, height), (*BACKGROUND, 255))
    font = ImageFont.load_default(max(height // 24, 8))
    ImageDraw.Draw(image).text((width / 2, height / 2), text, (*INK, 255), font, anchor="mm")
    return Frame(np.asarray(image).reshape(height, 4 * width), width, height, PixelFormat.RGBX)


def blank(like: Frame, height: int, width: int) -> Frame:
    """A frame of this size in another's layout, without memory of its own: for its shape alone."""
    rows = np.broadcast_to(np.uint8(0), (height, width * like.format.bytes_per_pixel))
    return replace(like, data=rows, width=width, height=height)


def black_like(frame: Frame) -> Frame:
    """A black frame of the same size, format and time."""
    data = np.zeros_like(frame.data)
    if frame.format is PixelFormat.UYVY:
        data[:, 0::2] = 128
        data[:, 1::2] = 16
    else:
        data[:, 3::4] = 255
    return replace(frame, data=data)


def _crop(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest part, (x, y, width, height), of a picture of `size` (height, width) in the target's shape; x, width even."""
    (height, width), (target_height, target_width) = size, target
    if width * target_height > height * target_width:
        kept = max(round(height * target_width / target_height) // 2 * 2, min(width, 2))
        return (width - kept) // 4 * 2, 0, kept, height
    kept = max(round(width * target_height / target_width), 1)
    return 0, (height - kept) // 2, width, kept


def _color(frame: Frame) -> ColorSpec:
    return frame.color if frame.format is PixelFormat.UYVY else ColorSpec(range=ColorRange.FULL)
