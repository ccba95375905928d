"""The drift of the pictures, in colour and contrast, from the pictures shortly after the stream or the look began.

A stream that runs for hours may drift: colours fill, contrast grows. That shows as a slow change of the pictures' means. A camera
that turns to another scene changes them too, and this measure cannot tell the two apart. So the reaction to it (see `adaptation`)
must be harmless when the scene was the cause.
"""

from __future__ import annotations

import numpy as np

from sdv2_live.frame import Frame, PixelFormat

STEP = 8  # every so many rows and columns of a picture are looked at
SMOOTH = 0.1  # share of a new chunk in the running average: it follows within some ten chunks
SETTLE = 30  # chunks after a beginning until the reference is taken


def measured(frame: Frame) -> np.ndarray:
    """Means of the three colour channels and the contrast (standard deviation of luma, or green), each 0..1; float64 (4,)."""
    rows = frame.data[::STEP]
    if frame.format is PixelFormat.UYVY:
        pairs = rows[:, : 2 * frame.width].reshape(len(rows), -1, 4)[:, ::STEP]  # U Y0 V Y1
        colors, light = pairs[..., :3], pairs[..., 1]
    else:
        colors = rows[:, : 4 * frame.width].reshape(len(rows), -1, 4)[:, ::STEP, :3]
        light = colors[..., 1]
    return np.array([*colors.mean(axis=(0, 1)), light.std()]) / 255


class DriftWatch:
    """Follows one picture a chunk.

    Attributes:
        value: the largest change since the reference, 0..1 of full scale; 0 until there is one.
    """

    def __init__(self) -> None:
        self.value = 0.0
        self._average: np.ndarray | None = None
        self._reference: np.ndarray | None = None
        self._chunks = 0

    def begin(self) -> None:
        """Take a new reference, because the stream or the look is new."""
        self.value, self._average, self._reference, self._chunks = 0.0, None, None, 0

    def see(self, frame: Frame) -> None:
        """Take in a chunk's picture."""
        now = measured(frame)
        self._average = now if self._average is None else self._average + SMOOTH * (now - self._average)
        self._chunks += 1
        if self._chunks == SETTLE:
            self._reference = self._average
        if self._reference is not None:
            self.value = float(np.abs(self._average - self._reference).max())
