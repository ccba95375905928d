"""From one picture to those that follow another: a short crossfade, so that no jump shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sdv2_live.frame import Frame
from sdv2_live.io.pictures import Converter, blend


class Dissolve:
    """Lays the picture that was shown last over those that come, less of it each time. Not for several threads at once."""

    def __init__(self, seconds: float) -> None:
        self._ns = seconds * 1e9
        self._last: Frame | None = None
        self._above: Frame | None = None
        self._begin: int | None = None  # capture time at which nothing was to be seen of the new pictures
        self._convert = Converter()

    def begin(self) -> None:
        """The next picture is the first that follows another."""
        self._above, self._begin = self._last if self._ns else None, None

    def over(self, frames: Sequence[Frame]) -> list[Frame]:
        """The frames as they are to be seen."""
        seen = [self._laid_over(frame) for frame in frames]
        self._last = seen[-1] if seen else self._last
        return seen

    def _laid_over(self, frame: Frame) -> Frame:
        if self._above is None:
            return frame
        if self._begin is None:
            self._begin = frame.captured_ns - int(1e9 / frame.rate)
        level = 1 - (frame.captured_ns - self._begin) / self._ns
        if level <= 0:
            self._above = None
            return frame
        if (self._above.size, self._above.format) != (frame.size, frame.format):
            self._above = self._convert(self._above, frame)
        width = frame.width * frame.format.bytes_per_pixel
        return replace(frame, data=blend(frame.data[:, :width], self._above.data[:, :width], level))
