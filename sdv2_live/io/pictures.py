"""Pictures in main memory: converted to another's size and layout, blended, drawn, black."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image, ImageDraw, ImageFont

from sdv2_live.frame import ColorRange, ColorSpec, Frame, PixelFormat
from sdv2_live.io.files.ffmpeg import MATRICES, PIX_FMT, RANGES, rows_of

BAND = 16  # rows blended at once: what is between stays in the processor's cache

BACKGROUND, INK = (24, 24, 26), (150, 150, 154)  # of a slate: nothing that draws a hall's eyes


class Converter:
    """Converts frames to the size and layout of others: cropped or stretched, by swscale (1080p: 8 ms on one core)."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: Frame, like: Frame, *, crop: bool = True) -> Frame:
        """`frame` in the size and layout of `like`, at its own time."""
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
    """Bytes (height, n) of a blend of two pictures of one layout; level 0..1 is the share of `above`."""
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


def mix(frame: Frame, above: Frame, level: float) -> Frame:
    """The frame with a share, 0..1, of another picture of the same size and layout laid over it."""
    width = frame.width * frame.format.bytes_per_pixel
    return replace(frame, data=blend(frame.data[:, :width], above.data[:, :width], level))


def slate(size: tuple[int, int], text: str) -> Frame:
    """A still, RGBX, of (height, width): dark, with a small text in its middle."""
    height, width = size
    image = Image.new("RGBX", (width, height), (*BACKGROUND, 255))
    font = ImageFont.load_default(max(height // 24, 8))
    ImageDraw.Draw(image).text((width / 2, height / 2), text, (*INK, 255), font, anchor="mm")
    return Frame(np.asarray(image).reshape(height, 4 * width), width, height, PixelFormat.RGBX)


def blank(like: Frame, height: int, width: int) -> Frame:
    """A frame of this size in the layout of `like`, without memory of its own: for its shape alone."""
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
