"""A queue of paintings, each due as long after its capture as nearly all recent chunks needed, or longer where that is wished."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Sequence

from sdv2_live.frame import Frame, plausible_rate
from sdv2_live.stats import Counters

log = logging.getLogger("sdv2_live.playout")

MEMORY = 20  # chunks whose delay is remembered
LEFT_OUT = 2  # of these the largest, at most half: a rare hitch is shown late, once, rather than made everyone's delay
MARGIN_NS = 2_000_000  # added to the delay: wake-up and conversion jitter
QUEUE = 16  # frames waiting to be due; more than this, and what a raised delay keeps, and the oldest go
CHUNKS = 3  # or so many of these chunks, where they are long
RAISED_BYTES = 1 << 30  # of the frames that wait because the delay was raised


class JitterBuffer:
    """A queue of frames. Each is due `delay_ns` after its capture; the delay follows the engine's speed and ignores hitches.

    Times are nanoseconds. Counts frames_late, overtaken by a newer one before they were taken. For one thread at a time.

    Args:
        counters: of the show.
        raised: gives the delay to use in place of one that is needed: as long or longer. It is not used where the frames that
            wait longer for it would take more than RAISED_BYTES.

    Attributes:
        bound: frames that it holds at most; it follows the delay.
    """

    def __init__(self, counters: Counters, raised: Callable[[int], int] = lambda needed: needed) -> None:
        self.delay_ns = 0
        self.bound = QUEUE
        self._raised = raised
        self._told = False  # that the delay cannot be raised
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
        self._delay(sorted(self._needed)[count - 1 - min(LEFT_OUT, count // 2)], frames)
        self._queue.extend(frames)
        while len(self._queue) > self.bound:
            self._queue.popleft()
            self._counters.add("frames_late")

    def _delay(self, needed: int, frames: Sequence[Frame]) -> None:
        """Choose the delay, and hold as many frames as wait for it."""
        raised = self._raised(needed)
        span = (frames[-1].captured_ns - frames[0].captured_ns) / 1e9
        rate = (len(frames) - 1) / span if span else float(plausible_rate(frames[0].rate) or 60)
        longer = math.ceil((raised - needed) / 1e9 * rate)
        size = longer * frames[0].data.nbytes
        if size > RAISED_BYTES:
            if not self._told:
                log.warning(
                    "the delay stays at %.0f ms: for %.0f ms its pictures would take %d MB",
                    needed / 1e6,
                    raised / 1e6,
                    size >> 20,
                )
            self._told = True
            raised, longer = needed, 0
        self.delay_ns, self.bound = raised, max(QUEUE, CHUNKS * len(frames)) + longer

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
