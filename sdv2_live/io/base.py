"""What every video source and sink looks like.

Sources and sinks are passive: they own no thread. `pacing` drives them. Each object is used from one thread only, except
`close`, which may be called from any thread and any number of times.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from sdv2_live.frame import Frame


class Port(ABC):
    """A named thing that is opened once, closed once, and can be a context manager."""

    name: str

    @abstractmethod
    def close(self) -> None:
        """Release everything. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Source(Port):
    """Gives frames, one at a time."""

    @abstractmethod
    def read(self, timeout: float) -> Frame | None:
        """The next frame, or None when none came within `timeout` seconds.

        A live source returns frames in real time and never raises because a sender or a file went away: it returns None until
        one is back. Raises VideoError for what a performer must repair.
        """

    @property
    def inputs(self) -> tuple[Source, ...]:
        """The sources whose frames this one may give: itself, unless it chooses among others."""
        return (self,)

    @property
    def on_air(self) -> Source:
        """The one of `inputs` that is shown: what comes beside the picture, such as sound, is taken from it."""
        return self

    @property
    def linked(self) -> bool:
        """Whether the sender is connected: while it sends nothing, its newest picture is still what it shows."""
        return False

    @property
    def broken(self) -> bool:
        """Whether it cannot be read until somebody has repaired it."""
        return False

    @property
    def ended(self) -> bool:
        """True when no frame will ever come again (a file that does not loop)."""
        return False


class Sink(Port):
    """Takes frames, one at a time.

    live: looked at while it is made, so that any picture is better than none. A recording is not: it begins with the work.
    full_name: what other programs see it as, so that we do not take it for an input; empty where none see it.
    """

    live = True
    full_name = ""

    @abstractmethod
    def send(self, frame: Frame) -> None:
        """Send or write one frame. The frame's data may be read until the next call returns."""

    @property
    def watched(self) -> bool:
        """False when nobody receives the output, so that conversion and sending may be skipped."""
        return True

    @property
    def tally(self) -> tuple[bool, bool]:
        """(on program, on preview), where receivers report it."""
        return False, False
