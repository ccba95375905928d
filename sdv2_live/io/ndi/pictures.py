"""Conversion of the SDK's received pictures to frames: layout, rate and shape, as senders declare them."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from sdv2_live.frame import ColorSpec, Frame, PixelFormat, plausible_rate
from sdv2_live.io.pictures import Converter
from sdv2_live.io.rate import MeasuredRate
from sdv2_live.system.clock import monotonic

FIRST_RATE = Fraction(30)  # of a sender that declares none that can be true, until it is measured
NEARLY = 0.01  # of a pixel's shape: what is so near to a square is one
OBLONG = 4.0  # times as wide as high, or as high as wide, a pixel may be; what is more is no true declaration


class NdiPictures:
    """Makes frames, with square pixels, from the pictures of one source.

    A declared rate that cannot be true is replaced by a measured one. Non-square pixels (SD, DV, HDV) are made square by changing
    the picture's width: later stages assume square ones.

    Args:
        color: the interpretation of its Y'CbCr.
    """

    def __init__(self, ndi: Any, color: ColorSpec) -> None:
        self._color = color
        # UYVA is UYVY rows, then an alpha plane, which is left behind.
        names = {format.name: format for format in PixelFormat} | {"UYVA": PixelFormat.UYVY}
        self._formats = {getattr(ndi, f"FOURCC_VIDEO_TYPE_{name}"): format for name, format in names.items()}
        self._whole = {ndi.FRAME_FORMAT_TYPE_PROGRESSIVE, ndi.FRAME_FORMAT_TYPE_INTERLEAVED}
        self._measured = MeasuredRate(FIRST_RATE)
        self._convert = Converter()

    def reads(self, video: Any) -> bool:
        """True for a whole picture in a supported layout."""
        return video.FourCC in self._formats and video.frame_format_type in self._whole

    def copy(self, video: Any, captured_ns: int, index: int) -> Frame:
        """A copy of the SDK's picture in its memory layout; `square` makes the frame from it."""
        layout = self._formats[video.FourCC]
        pixels = np.ascontiguousarray(video.data)  # a copy, (height, width, stride // width)
        rate = self._rate(video.frame_rate_N, video.frame_rate_D)
        rows = pixels.reshape(video.yres, -1)
        return Frame(rows, video.xres, video.yres, layout, rate, captured_ns, index, self._color)

    def square(self, frame: Frame, aspect: float) -> Frame:
        """The frame with square pixels.

        Args:
            aspect: width by height of the whole picture; 0 where none is declared.
        """
        width = square_width(frame.width, frame.height, aspect)
        if width == frame.width:
            return frame
        rows = np.empty((frame.height, width * frame.format.bytes_per_pixel), np.uint8)  # for its shape
        return self._convert(frame, Frame(rows, width, frame.height, frame.format, color=frame.color), crop=False)

    def _rate(self, numerator: int, denominator: int) -> Fraction:
        measured = self._measured.add(monotonic())
        declared = Fraction(numerator, denominator) if numerator > 0 and denominator > 0 else None
        return plausible_rate(declared) or measured


def square_width(width: int, height: int, aspect: float) -> int:
    """Pixels across, an even number, for a picture of so many lines with square pixels."""
    pixel = aspect * height / width  # a pixel's width by its height
    if not math.isfinite(pixel) or abs(pixel - 1) <= NEARLY or not 1 / OBLONG <= pixel <= OBLONG:
        return width
    return max(round(width * pixel / 2) * 2, 2)
