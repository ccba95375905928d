"""The base classes of video sources and sinks.

Sources and sinks are passive: they own no thread. Each object is used from one thread only, except `close`, which may be called
from any thread and any number of times.
"""

from __future__ import annotations

import threading
from abc import abstractmethod

from sdv2_live.closing import Closing
from sdv2_live.frame import Frame
from sdv2_live.stats import Fill
from sdv2_live.system.clock import monotonic


class Port(Closing):
    """A named thing that is opened once, closed once, and can be a context manager."""

    name: str


class Source(Port):
    """Gives frames, one at a time.

    Attributes:
        dropped: frames that were not read in time, as newer ones had come.
    """

    dropped = 0

    @abstractmethod
    def read(self, timeout: float) -> Frame | None:
        """The next frame, or None when none came within `timeout` seconds.

        A live source returns frames in real time and never raises because a sender or a file went away: it returns None until one
        is back.

        Raises:
            VideoError: a performer must repair the source.
        """

    @property
    def linked(self) -> bool:
        """True when the sender is connected: while it sends nothing, its newest picture is still current."""
        return False

    @property
    def broken(self) -> bool:
        """True when it cannot be read until somebody has repaired it."""
        return False

    @property
    def ended(self) -> bool:
        """True when no frame will ever come again (a file that does not loop)."""
        return False


class PollingSource(Source):
    """A source that looks for its next frame repeatedly, until `close`, which waits for at most one look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # nothing may be released while `_look` uses it
        self._closing = threading.Event()

    def read(self, timeout: float) -> Frame | None:
        """The next frame, or None when none came within `timeout` seconds or the source is closed."""
        deadline = monotonic() + timeout
        while True:
            with self._lock:
                if self._closing.is_set():
                    return None
                frame = self._look(deadline - monotonic())
            if frame is not None or monotonic() >= deadline:
                return frame

    @abstractmethod
    def _look(self, left: float) -> Frame | None:
        """A frame, or None after a short wait: at most `left` seconds, and not beyond `_closing`."""

    def close(self) -> None:
        self._closing.set()  # before the lock, so that a reader in its loop does not take it again
        with self._lock:
            self._release()

    @abstractmethod
    def _release(self) -> None:
        """Release everything. Called with nothing in `_look`; idempotent."""


class Sink(Port):
    """Takes frames, one at a time.

    Attributes:
        live: viewers watch it meanwhile, so any picture is better than none. False for a recording, which begins with the
            paintings.
        full_name: its name in other programs, so that it is not taken for an input; empty where none see it.
    """

    live = True
    full_name = ""

    @abstractmethod
    def send(self, frame: Frame) -> None:
        """Send or write one frame. The frame's data may be read until the next call returns."""

    @property
    def watched(self) -> bool:
        """False when no receiver is connected, so that conversion and sending may be skipped."""
        return True

    @property
    def trouble(self) -> str:
        """Why it shows no picture now, and what to do; empty while all is well."""
        return ""

    @property
    def dropped(self) -> int:
        """Frames that it left out, as newer ones had come."""
        return 0

    @property
    def failures(self) -> int:
        """Times that it failed and was opened again."""
        return 0

    @property
    def members(self) -> tuple[Sink, ...]:
        """The outputs that it consists of: itself, where it is one."""
        return (self,)

    @property
    def opened(self) -> tuple[Sink, ...]:
        """Those that frames go to now, without what stands between."""
        return (self,)

    @property
    def queues(self) -> dict[str, Fill]:
        """Fill of its queues of frames."""
        return {}

    @property
    def tally(self) -> tuple[bool, bool]:
        """(on program, on preview), where receivers report it."""
        return False, False
