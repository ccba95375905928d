"""Conversion of decoded pictures to the ones that players show: colours, pixel shape, rotation and mirroring."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange as AvRange
from av.video.reformatter import Colorspace, VideoReformatter

from sdv2_live.frame import PixelFormat
from sdv2_live.io.files import hdr
from sdv2_live.io.files.ffmpeg import EXACT, PIX_FMT, SWSCALE_MATRICES, rows_of

MAX_ASPECT = 4  # a pixel that is said to be longer than so many times its other side is not believed


class Shown:
    """Makes RGBX of decoded pictures; keeps its converters for the next ones.

    Y'CbCr is converted by swscale with the picture's own matrix and range. Without a stated matrix, BT.709 is assumed from 720
    lines on, BT.601 below, as players do. HDR is tone-mapped, see `hdr`. Alpha is dropped.
    """

    def __init__(self) -> None:
        self._reformatter, self._after = VideoReformatter(), VideoReformatter()
        self._tone_map: tuple[tuple[int, int, int], hdr.ToneMap] | None = None

    def __call__(self, decoded: av.VideoFrame, pixel_aspect: Fraction | None) -> np.ndarray:
        """RGBX uint8 (height, width, 4) in square pixels.

        Args:
            pixel_aspect: width of a decoded pixel by its height; None for 1.
        """
        width, height = squared(decoded.width, decoded.height, pixel_aspect)
        transfer = int(decoded.color_trc)
        is_hdr = transfer in hdr.TRANSFERS
        usual = Colorspace.BT2020 if is_hdr else Colorspace.ITU709 if decoded.height >= 720 else Colorspace.ITU601
        full = int(decoded.color_range) == AvRange.JPEG or decoded.format.name.startswith("yuvj")
        rgb = self._reformatter.reformat(
            decoded,
            width=width,
            height=height,
            format=hdr.PIX_FMT if is_hdr else PIX_FMT[PixelFormat.RGBX],
            src_colorspace=SWSCALE_MATRICES.get(int(decoded.colorspace), usual),
            src_color_range=AvRange.JPEG if full else AvRange.MPEG,
            dst_color_range=AvRange.JPEG,
            interpolation=EXACT,
        )
        if is_hdr:
            rgb = self._tone_mapped(rgb, transfer)
        pixels = rows_of(rgb)[:, : 4 * width].reshape(height, width, 4)
        return upright(pixels, _display_matrix(decoded))

    def _tone_mapped(self, rgb: av.VideoFrame, transfer: int) -> av.VideoFrame:
        kind = (transfer, rgb.width, rgb.height)
        if self._tone_map is None or self._tone_map[0] != kind:
            self._tone_map = kind, hdr.ToneMap(*kind)
        full = {"src_color_range": AvRange.JPEG, "dst_color_range": AvRange.JPEG}
        return self._after.reformat(self._tone_map[1](rgb), format=PIX_FMT[PixelFormat.RGBX], interpolation=EXACT, **full)


def squared(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """(width, height) of a picture in square pixels: one side grows, none shrinks."""
    if not pixel_aspect or not Fraction(1, MAX_ASPECT) <= pixel_aspect <= MAX_ASPECT:
        return width, height
    return (round(width * pixel_aspect), height) if pixel_aspect >= 1 else (width, round(height / pixel_aspect))


def upright(pixels: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
    """Pixels (height, width, channels) turned and mirrored by a display matrix, contiguous; to the nearest quarter turn.

    Args:
        matrix: [[a, b], [c, d]] shows the point (x, y) at (a x + c y, b x + d y); None changes nothing.
    """
    if matrix is not None:
        (a, b), (c, d) = matrix.tolist()
        if abs(a) + abs(d) < abs(b) + abs(c):  # rows are shown as columns
            pixels, a, d = pixels.swapaxes(0, 1), c, b
        pixels = pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(pixels)


def _unnamed(cls: Any, value: int) -> Any:
    """A member for a kind of side data that FFmpeg knows and PyAV does not, such as a photograph's EXIF."""
    member = object.__new__(cls)
    member._name_, member._value_ = f"UNNAMED_{value}", value
    return member


# Else one such entry hides all others of its frame, also the display matrix.
Type._missing_ = classmethod(_unnamed)  # type: ignore[method-assign, assignment]


def _display_matrix(decoded: av.VideoFrame) -> np.ndarray | None:
    data = decoded.side_data.get("DISPLAYMATRIX")
    return None if data is None else np.frombuffer(data, np.int32).reshape(3, 3)[:2, :2]  # type: ignore[call-overload]
