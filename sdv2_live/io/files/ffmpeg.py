"""FFmpeg's (PyAV's) names for our layouts, matrices and ranges."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange as AvRange
from av.video.reformatter import Colorspace, Interpolation

from sdv2_live.frame import ColorMatrix, ColorRange, PixelFormat

EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
PIX_FMT = {  # FFmpeg's "0" is our X
    PixelFormat.UYVY: "uyvy422",
    PixelFormat.BGRA: "bgra",
    PixelFormat.BGRX: "bgr0",
    PixelFormat.RGBA: "rgba",
    PixelFormat.RGBX: "rgb0",
}
RANGES = {ColorRange.LIMITED: AvRange.MPEG, ColorRange.FULL: AvRange.JPEG}
MATRICES = {ColorMatrix.BT601: Colorspace.ITU601, ColorMatrix.BT709: Colorspace.ITU709, ColorMatrix.BT2020: Colorspace.BT2020}

# The numbers that a stream carries (ITU-T H.273; AVCOL_SPC_*), beside those of swscale above.
STREAM_MATRICES = {ColorMatrix.BT601: 6, ColorMatrix.BT709: 1, ColorMatrix.BT2020: 9}
SWSCALE_MATRICES = {
    1: Colorspace.ITU709,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
BT709_PRIMARIES = BT709_TRANSFER = 1


def fraction(value: Any) -> Fraction | None:
    """A ratio of PyAV's as a Fraction, None where there is none: from PyAV 19 on it has a number type of its own."""
    return Fraction(value.numerator, value.denominator) if value else None


def rows_of(picture: av.VideoFrame) -> np.ndarray:
    """The bytes of a packed picture in memory order, (height, stride); the array keeps the picture alive."""
    plane = picture.planes[0]
    return np.frombuffer(memoryview(plane), np.uint8).reshape(picture.height, plane.line_size)


def file_url(path: Path) -> str:
    """The path in a form that FFmpeg reads as a file: before a colon in a relative path it would see a protocol, such as http."""
    return str(path.absolute())


def reason(error: Exception) -> str:
    """The system's words for an error, else its own text."""
    return getattr(error, "strerror", None) or str(error)
