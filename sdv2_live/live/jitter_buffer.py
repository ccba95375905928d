"""A queue of paintings, each due as long after its capture as nearly all recent chunks needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from sdv2_live.frame import Frame
from sdv2_live.stats import Counters

MEMORY = 20  # chunks whose delay is remembered
LEFT_OUT = 2  # of these the largest, at most half: a rare hitch is shown late, once, rather than made everyone's delay
MARGIN_NS = 2_000_000  # added to the delay: wake-up and conversion jitter
QUEUE = 16  # frames waiting to be due; more than this and the oldest go


class JitterBuffer:
    """A queue of frames. Each is due `delay_ns` after its capture; the delay follows the engine's speed and ignores hitches.

    Times are nanoseconds. Counts frames_late, overtaken by a newer one before they were taken. For one thread at a time.
    """

    def __init__(self, counters: Counters) -> None:
        self.delay_ns = 0
        self._counters = counters
        self._needed: deque[int] = deque(maxlen=MEMORY)
        self._queue: deque[Frame] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def next_due(self) -> int | None:
        """The time at which the oldest frame is due; None while none waits."""
        return self._queue[0].captured_ns + self.delay_ns if self._queue else None

    def add(self, frames: Sequence[Frame], now: int) -> None:
        """Append a chunk's frames, which arrived at `now`. Their captured_ns must not decrease."""
        self._needed.append(now - frames[0].captured_ns + MARGIN_NS)
        count = len(self._needed)
        self.delay_ns = sorted(self._needed)[count - 1 - min(LEFT_OUT, count // 2)]
        self._queue.extend(frames)
        while len(self._queue) > QUEUE:
            self._queue.popleft()
            self._counters.add("frames_late")

    def pop_due(self, now: int, *, ending: bool = False) -> Frame | None:
        """The newest frame that is due; older due frames count as late.

        Args:
            ending: every frame is due, one at a time.
        """
        if ending:
            return self._queue.popleft() if self._queue else None
        newest: Frame | None = None
        while (due := self.next_due) is not None and due <= now:
            if newest is not None:
                self._counters.add("frames_late")
            newest = self._queue.popleft()
        return newest
