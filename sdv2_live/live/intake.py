"""The window between input and engine, from which each chunk takes evenly spaced frames.

The engine never throttles the receiver. When the engine is slower than the input, a chunk's frames are spread evenly over the
frames since the last chunk: motion keeps its speed and the delay stays bounded. The other frames are counted. When the engine
would have to wait for a chunk's last frames, it may begin with the first ones as they come.

Frames that a chunk began with stay in it, because an encoder cannot be rolled back. When the source stops and returns, or another
one takes over, the next frames complete that chunk, as they complete the window's frames. The chunk is dropped only when the
engine was prepared for another size or format. A lone frame of another size or format is left out: the input counts as changed
when a second one follows it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from sdv2_live.engine.spec import CHUNK_FRAMES
from sdv2_live.frame import Frame
from sdv2_live.stats import Counters, Fill, Rate
from sdv2_live.system.clock import monotonic

WINDOW = 32  # frames kept for the next chunk at most; a full window is thinned to every second frame
WINDOW_BYTES = 512 << 20  # and no more than these, as 32 pictures of 8K are 4 GB
LEAST = 2  # but so many chunks, whatever their size: half a window makes one


class Intake:
    """Frames of the input that wait for a chunk.

    Counts frames_in, frames_skipped (came, but no chunk took them) and frames_left_out (on purpose, see `leave_out`).
    """

    def __init__(
        self,
        counters: Counters,
        on_frame: Callable[[Frame], None] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Make an empty window.

        Args:
            on_frame: called with every frame (the bypass), on the thread that calls `accept`; must neither block nor raise.
        """
        self.rate = Rate(clock=clock)
        self._counters = counters
        self._on_frame = on_frame
        self._begun: list[Frame] = []  # frames of the next chunk that the engine has begun with
        self._window: deque[Frame] = deque()
        self._like: Frame | None = None  # the newest that was let in
        self._stray: Frame | None = None  # one of another size or format that came after it
        self._stride = 1  # the window keeps one frame in so many, and the newest
        self._beyond = 0  # frames that came after the last one kept for good
        self._changed = threading.Condition()
        self._taken_ns: int | None = None  # capture time of the newest frame given to a chunk
        self._count = CHUNK_FRAMES  # frames of a chunk, as it was asked for lately

    @property
    def queues(self) -> dict[str, Fill]:
        """Frames that wait for a chunk."""
        with self._changed:
            return {"intake": Fill(len(self._window), self._bound)}

    @property
    def _bound(self) -> int:
        """Frames that the window may hold."""
        size = self._window[-1].data.nbytes if self._window else 1
        return min(max(WINDOW_BYTES // size, LEAST * self._count), WINDOW)

    def accept(self, frame: Frame) -> None:
        """Take in a new frame. For one thread at a time."""
        self._counters.add("frames_in")
        self.rate.add()
        for one in self._let_in(frame):
            if self._on_frame is not None:
                self._on_frame(one)
            with self._changed:
                if self._window and not self._window[-1].alike(one):
                    self._counters.add("frames_skipped", len(self._window))
                    self._clear()
                self._keep(one)
                self._changed.notify_all()

    def newest(self, timeout: float) -> Frame | None:
        """The newest frame that no chunk has taken, or None when none came in time. It stays in the window."""
        with self._changed:
            self._changed.wait_for(lambda: self._window, timeout)
            return self._window[-1] if self._window else None

    @property
    def begun(self) -> bool:
        """True when a chunk has begun, and matching frames still come to complete it."""
        with self._changed:
            return bool(self._begun) and not self._unlike

    def first_ns(self, count: int) -> int | None:
        """Capture time of the first frame that a chunk of `count` taken now would have; None when it would have none."""
        with self._changed:
            begun = [] if self._unlike else self._begun
            if begun or not self._window:
                return begun[-count:][0].captured_ns if begun else None
            window = list(self._window)
            return evenly_spaced(window, min(count, len(window)), self._taken_ns)[0].captured_ns

    def beginning_ns(self) -> int | None:
        """Capture time of the frame with which the next chunk begins, while only that one has come; None otherwise."""
        with self._changed:
            alone = len(self._window) == 1 and self._stride == 1 and not self._begun
            return self._window[0].captured_ns if alone else None

    def leave_out(self) -> None:
        """Drop the oldest frame that waits, between two chunks."""
        with self._changed:
            self._taken_ns = self._window.popleft().captured_ns
            self._counters.add("frames_left_out")

    def begin(self, count: int, like: Frame) -> list[Frame]:
        """The frames that have come, in order, while they are too few for a chunk of `count`; they then belong to that chunk.

        Empty when there are enough, as `pop_chunk` may have to choose them evenly, and when new frames do not match `like`.
        """
        with self._changed:
            window, self._count = self._window, count
            if not window or not window[-1].alike(like) or self._missing(count) <= len(window):
                return []
            self._drop_unlike()
            self._taken_ns = self._window[-1].captured_ns
            self._begun += self._window
            self._clear()
            return list(self._begun)

    def pop_chunk(self, count: int, timeout: float, like: Frame | None = None) -> list[Frame] | None:
        """`count` frames in order: those that the chunk began with, then evenly spaced ones of the window; the newest is last.

        Returns:
            The frames, or None when `timeout` seconds did not bring enough, or when new frames do not match `like`; nothing is
                consumed then. All frames have one size: after a change of size or format only frames of the new one count.
        """
        with self._changed:
            ready = self._changed.wait_for(lambda: self._missing(count) <= len(self._window), timeout)
            if not ready or not (like is None or self._window[-1].alike(like)):
                return None
            self._drop_unlike()
            rest = evenly_spaced(list(self._window), self._missing(count), self._taken_ns)
            frames = [*self._begun, *rest][-count:]  # a new stream may want fewer than the old one's chunk was begun with
            self._counters.add("frames_skipped", len(self._begun) + len(self._window) - len(frames))
            self._begun = []
            self._clear()
            self._taken_ns = frames[-1].captured_ns
            return frames

    def _missing(self, count: int) -> int:
        """Number of frames that a chunk of `count` needs beyond those that it began with; always includes the newest."""
        return max(count - (0 if self._unlike else len(self._begun)), 1)

    @property
    def _unlike(self) -> bool:
        """True when frames come in another size or format than those that the chunk began with."""
        return bool(self._begun and self._window) and not self._window[-1].alike(self._begun[-1])

    def _drop_unlike(self) -> None:
        """Drop a begun chunk of another size or format: the engine was prepared for the new frames, and has lost it."""
        if self._unlike:
            self._counters.add("frames_skipped", len(self._begun))
            self._begun.clear()

    def skip(self) -> None:
        """Drop the frames so far, as nothing is painted now: the next chunk starts with frames from now on."""
        with self._changed:
            self._begun.clear()
            self._clear()
            self._taken_ns = None

    def _let_in(self, frame: Frame) -> list[Frame]:
        """The frame; no frame while it may be a stray; both when a second one shows that the input has changed."""
        stray, self._stray = self._stray, None
        if stray is not None and stray.alike(frame):
            self._like = frame
            return [stray, frame]
        if stray is not None:
            self._counters.add("frames_skipped")
        if self._like is None or self._like.alike(frame):
            self._like = frame
            return [frame]
        self._stray = frame
        return []

    def _keep(self, frame: Frame) -> None:
        """Add a frame to the window, which spans the time since the last chunk evenly, in bounded memory, at any engine speed."""
        if self._beyond:  # the newest of before was kept for being the newest alone
            self._window.pop()
            self._counters.add("frames_skipped")
        elif (full := len(self._window)) >= self._bound:
            self._window = deque(list(self._window)[1::2])
            self._counters.add("frames_skipped", full - len(self._window))
            self._stride *= 2
        self._window.append(frame)
        self._beyond = (self._beyond + 1) % self._stride

    def _clear(self) -> None:
        self._window.clear()
        self._stride, self._beyond = 1, 0


def evenly_spaced(frames: list[Frame], count: int, since_ns: int | None) -> list[Frame]:
    """`count` different frames, in order, with capture times nearest to an even division of (since_ns, newest].

    Args:
        since_ns: capture time of the last frame taken before, or None at the start.

    The newest frame is always among them.
    """
    if len(frames) == count:
        return frames
    newest = frames[-1].captured_ns
    begin = since_ns if since_ns is not None else frames[0].captured_ns - (newest - frames[0].captured_ns) // (len(frames) - 1)
    chosen: list[Frame] = []
    at = 0
    for i in range(count):
        wanted = begin + (newest - begin) * (i + 1) // count
        last = len(frames) - (count - i)  # leave enough frames for the rest
        while at < last and abs(frames[at + 1].captured_ns - wanted) <= abs(frames[at].captured_ns - wanted):
            at += 1
        chosen.append(frames[at])
        at += 1
    chosen[-1] = frames[-1]
    return chosen
