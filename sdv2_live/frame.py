"""Domain types of the video path: one picture as it lies in memory.

Layout, colour matrix and range are carried by the type and never guessed from the data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction

import numpy as np

MIN_RATE, MAX_RATE = 1, 240  # frames per second that a picture's stream may have
MAX_RATE_TERM = 100_000  # of a rate's denominator, so that every container and the NDI SDK can hold it


def plausible_rate(rate: Fraction | None) -> Fraction | None:
    """A rate that a sender or file declares, in short terms; None when it cannot be true and must be measured."""
    return rate.limit_denominator(MAX_RATE_TERM) if rate is not None and MIN_RATE <= rate <= MAX_RATE else None


def measured_rate(seconds: float) -> Fraction:
    """The rate of frames that lie `seconds` apart, brought within MIN_RATE..MAX_RATE."""
    return Fraction(min(max(1 / max(seconds, 1e-9), MIN_RATE), MAX_RATE)).limit_denominator(1001)


class PixelFormat(Enum):
    """Byte order of one frame. The X formats carry a fourth byte that means nothing; the A formats carry real alpha."""

    UYVY = "UYVY"  # 4:2:2, two pixels in four bytes: U Y0 V Y1
    BGRA = "BGRA"
    BGRX = "BGRX"
    RGBA = "RGBA"
    RGBX = "RGBX"

    @property
    def bytes_per_pixel(self) -> int:
        """Mean bytes a pixel takes in a row."""
        return 2 if self is PixelFormat.UYVY else 4


class ColorMatrix(Enum):
    """Y'CbCr matrix, as (Kr, Kb) of the named ITU-R recommendation."""

    BT601 = (0.299, 0.114)
    BT709 = (0.2126, 0.0722)
    BT2020 = (0.2627, 0.0593)


class ColorRange(Enum):
    """Range of 8-bit Y'CbCr: limited is 16..235 / 16..240, full is 0..255. RGB is always full."""

    LIMITED = "limited"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class ColorSpec:
    """The mapping from Y'CbCr bytes to RGB. NDI's own conversions use BT.709 limited at every size."""

    matrix: ColorMatrix = ColorMatrix.BT709
    range: ColorRange = ColorRange.LIMITED


@dataclass(frozen=True, slots=True, eq=False)  # a picture is itself alone: arrays have no one answer to ==
class Frame:
    """One picture in memory. Immutable by convention: nobody writes to `data`.

    Attributes:
        data: uint8, shape (height, stride): rows as they lie in memory, `stride` bytes each, the first
            `width * format.bytes_per_pixel` of them meaningful.
        rate: frames per second of the stream the frame belongs to.
        captured_ns: `monotonic_ns()` when the frame (or, for an output frame, the input frame it was made from) arrived.
        index: running number within its source, from 0.
    """

    data: np.ndarray
    width: int
    height: int
    format: PixelFormat
    rate: Fraction = Fraction(30)
    captured_ns: int = 0
    index: int = 0
    color: ColorSpec = ColorSpec()

    def __post_init__(self) -> None:
        row = self.width * self.format.bytes_per_pixel
        if self.data.dtype != np.uint8 or self.data.ndim != 2 or self.data.shape[0] != self.height or self.data.shape[1] < row:
            raise ValueError(
                f"a {self.width}x{self.height} {self.format.value} frame needs uint8 rows ({self.height}, >= {row}), "
                f"not {self.data.dtype} {self.data.shape}"
            )
        if self.format is PixelFormat.UYVY and self.width % 2:
            raise ValueError(f"UYVY needs an even width, not {self.width}")

    @property
    def stride(self) -> int:
        """Bytes from one row to the next."""
        return int(self.data.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width

    def alike(self, other: Frame) -> bool:
        """True when both have the same size and format."""
        return (self.size, self.format) == (other.size, other.format)

    def at(self, *, rate: Fraction, captured_ns: int, index: int) -> Frame:
        """A copy that shares the picture and has another place in time."""
        return replace(self, rate=rate, captured_ns=captured_ns, index=index)
