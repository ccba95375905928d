"""A short crossfade between two streams of pictures, so that no jump shows."""

from __future__ import annotations

from sdv2_live.frame import Frame
from sdv2_live.io.pictures import Converter, mix


class Crossfade:
    """Lays the last picture shown over the ones that follow, with less of it each time, for `seconds`; 0 cuts.

    Times are the pictures' capture times. For one thread at a time.
    """

    def __init__(self, seconds: float) -> None:
        self._ns = seconds * 1e9
        self.last: Frame | None = None  # as it was seen
        self._above: Frame | None = None
        self._begin: int | None = None  # capture time at which nothing was to be seen of the new pictures
        self._convert = Converter()

    def begin(self) -> None:
        """Start a crossfade with the next picture."""
        self._above, self._begin = self.last if self._ns else None, None

    def cut(self) -> None:
        """Show the next picture without a crossfade."""
        self._above = None

    def over(self, frame: Frame, spacing_ns: int | None = None) -> Frame:
        """The frame with the crossfade applied.

        Args:
            spacing_ns: time to the next frame; None for the frame's declared rate.
        """
        if self._above is not None and self._begin is None:
            self._begin = frame.captured_ns - (int(1e9 / frame.rate) if spacing_ns is None else spacing_ns)
        self.last = self._laid_over(frame)
        return self.last

    def _laid_over(self, frame: Frame) -> Frame:
        if self._above is None or self._begin is None:
            return frame
        level = 1 - (frame.captured_ns - self._begin) / self._ns
        if level <= 0:
            self._above = None
            return frame
        if (self._above.size, self._above.format) != (frame.size, frame.format):
            self._above = self._convert(self._above, frame)
        return mix(frame, self._above, level)
