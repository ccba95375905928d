"""The choice of the picture to send, by the keys that the performer holds down now: a painting, the input, a fallback or black.

The choice depends on no earlier picture, except for a freeze, which holds it. So releasing a key shows the picture that would be
seen without it, whatever was pressed in between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sdv2_live.config.choices import Fallback
from sdv2_live.frame import Frame
from sdv2_live.io.pictures import black_like
from sdv2_live.live.fallback import FallbackMixer


@dataclass(frozen=True, slots=True)
class OutputMode:
    """The keys that the performer holds down, read before every frame. Bypass shows the input; blackout wins over all."""

    freeze: bool = False
    bypass: bool = False
    blackout: bool = False


@dataclass(frozen=True, slots=True)
class Shot:
    """A painting, or the unchanged input, and a fallback over it.

    Attributes:
        passed: it is the unchanged input.
        stopgap: the input stands in, because nothing is painted yet.
        level: share of `fallback`, see FallbackMixer.
        seen: the input frame that the fallback may need.
    """

    frame: Frame
    passed: bool = False
    stopgap: bool = False
    fallback: FallbackMixer | None = None
    level: float = 0.0
    seen: Frame | None = None
    black: bool = False

    @property
    def moves_with_input(self) -> bool:
        """True when a new input frame changes the picture, and no paintings come that would change it."""
        return not self.black and self.fallback is not None and self.fallback.away and self.fallback.instead is Fallback.INPUT

    def picture(self) -> Frame:
        """The frame to send. Takes the time of a blend if a fallback is over it."""
        if self.black:
            return black_like(self.frame)
        return self.frame if self.fallback is None else self.fallback.over(self.frame, self.seen, self.level)


class Switcher:
    """Chooses the picture to send, as a vision mixer does. For one thread at a time.

    Args:
        fallback: over paintings, while none come.
        slate: over any picture, while there is no input.
        stopgap: show the input until a painting comes.

    Attributes:
        painting: the newest painting.
        input: the newest input frame.
    """

    def __init__(self, fallback: FallbackMixer, slate: FallbackMixer, *, stopgap: bool) -> None:
        self.painting: Frame | None = None
        self.input: Frame | None = None
        self._fallback, self._slate, self._stopgap = fallback, slate, stopgap
        self._below: Shot | None = None  # what is seen, or would be without the blackout
        self._frozen = False
        self._caught = False  # something was seen when the freeze began: it is held, whatever it is

    def passes(self, showing: OutputMode) -> bool:
        """True when every input frame is to be sent."""
        return not (showing.freeze or showing.blackout) and self._passing(showing)

    def shot(self, showing: OutputMode, now: int) -> Shot | None:
        """The shot to send now; None while there is no picture at all."""
        below = self._below
        if showing.freeze and not self._frozen:
            self._caught = below is not None
        self._frozen = showing.freeze
        # A show that starts frozen holds its first painting; there is no other picture that was chosen.
        if below is None or not showing.freeze or (below.stopgap and not self._caught):
            below = self._below = self._chosen(showing, now)
        return replace(below, black=True) if below is not None and showing.blackout else below

    def _passing(self, showing: OutputMode) -> bool:
        return showing.bypass or (self._stopgap and self.painting is None)

    def _chosen(self, showing: OutputMode, now: int) -> Shot | None:
        passed = self.input is not None and self._passing(showing)
        frame = self.input if passed else self.painting
        if frame is None:
            return None
        fallback = self._slate if passed else max(self._fallback, self._slate, key=lambda one: one.level(now))
        level = fallback.level(now)
        return Shot(frame, passed, passed and not showing.bypass, fallback if level > 0 else None, level, self.input)
