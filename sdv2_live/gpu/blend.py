"""Crossfade of two frames, in bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sdv2_live.frame import Frame


def crossfade(under: Frame, over: Frame, mix: float) -> Frame:
    """`under` at mix 0, `over` at mix 1, both exactly; in between in 128 steps, rounded half up. Time and index are `over`'s.

    Both frames need the same size, format and colour (ValueError otherwise): their codes are mixed as they are, which is
    right for R'G'B' and Y'CbCr alike.
    """
    if (under.size, under.format, under.color) != (over.size, over.format, over.color):
        raise ValueError(f"cannot crossfade a {under.size} {under.format} frame with a {over.size} {over.format} frame")
    weight = round(min(max(mix, 0.0), 1.0) * 128)  # 255 * 128 + 64 still fits int16
    row = over.width * over.format.bytes_per_pixel
    base = under.data[:, :row].astype(np.int16)
    base += ((over.data[:, :row] - base) * np.int16(weight) + np.int16(64)) >> 7
    return replace(over, data=base.astype(np.uint8))
