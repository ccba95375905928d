"""What the page needs of whoever makes its pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

OUTPUT, INPUT = "output", "input"
KINDS = (OUTPUT, INPUT)  # their places are the first byte of a picture on the page's WebSocket

WIDTHS = (160, 240, 320, 480, 640, 960, 1280)  # pixels that a picture may be wide; those wanted are brought up to the next
USUAL_WIDTH = 480
MIN_RATE, MAX_RATE, USUAL_RATE = 0.2, 30.0, 12.0  # pictures a second


class Look(Protocol):
    """One viewer of one picture. All members: any thread; none waits."""

    def more(self) -> None:
        """Ask for one more picture: the newest, as soon as there is one that was not delivered."""

    def close(self) -> None:
        """Look no longer. Idempotent."""


class Pictures(Protocol):
    """Makes JPEGs of the newest pictures."""

    def look(self, kind: str, width: int, rate: float, deliver: Callable[[bytes], object]) -> Look:
        """Look at the pictures of a kind, and ask for the first one.

        Args:
            width: pixels, of WIDTHS.
            rate: most pictures a second.
            deliver: called with each JPEG, on a thread of the maker's; must not block.
        """
