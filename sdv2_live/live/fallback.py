"""The fallback while no paintings come: the last one stays for a while, then a substitute fades in, and later out again.

Its pictures have the paintings' size and layout, so that receivers see one stream that never changes shape.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sdv2_live.config.choices import Fallback
from sdv2_live.frame import Frame
from sdv2_live.io.pictures import Converter, black_like, mix, slate


class FallbackMixer:
    """A level of the substitute over the painting, which moves with time, and the picture at that level.

    Times are nanoseconds. For one thread at a time.

    Args:
        hold_s: seconds for which the last painting stays before `instead` fades in.
        fade_s: seconds of a fade; it fades out again when paintings return.
        text: the slate's text.
    """

    def __init__(self, instead: Fallback = Fallback.HOLD, *, hold_s: float = 1.0, fade_s: float = 1.0, text: str = "") -> None:
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
        """Start the fallback, as no paintings come from now on; repeated calls change nothing."""
        if not self._away and self.instead is not Fallback.HOLD:
            level = self.level(now)
            self._away, self._from, self._since = True, level, now if level else now + self._hold_ns

    def back(self, now: int) -> None:
        """End the fallback, as paintings come again."""
        if self._away:
            self._from, self._since, self._away = self.level(now), now, False

    @property
    def away(self) -> bool:
        """True while no paintings come."""
        return self._away

    def level(self, now: int) -> float:
        """Share of the substitute: 0 for the painting alone, 1 for the substitute alone."""
        moved = max(now - self._since, 0) / self._fade_ns
        return min(self._from + moved, 1.0) if self._away else max(self._from - moved, 0.0)

    def over(self, painted: Frame, seen: Frame | None, level: float) -> Frame:
        """The substitute over a painting.

        Args:
            seen: the newest input frame; without one the painting stays.
        """
        if self.instead is not Fallback.INPUT:
            above = self._drawn(painted)
        elif seen is None:
            return painted
        else:
            above = self._convert(seen, painted)
        return above if level >= 1 else mix(above, painted, 1 - level)

    def _drawn(self, like: Frame) -> Frame:
        if self._still is None or (self._still.size, self._still.format) != (like.size, like.format):
            drawn = black_like(like) if self.instead is Fallback.BLACK else self._convert(slate(like.size, self._text), like)
            self._still = replace(drawn, data=np.ascontiguousarray(drawn.data))
        return self._still.at(rate=like.rate, captured_ns=like.captured_ns, index=like.index)
