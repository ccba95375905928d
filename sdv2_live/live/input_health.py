"""The health of an input: frames come, they move, and they show more than black.

Every frame is checked in a few of its rows, different ones each time, so that every pixel is checked within a second or so. That
costs some hundredths of a millisecond at 1080p. A camera's picture is never still: its sensor's noise moves. Bytes that stay the
same for seconds come from a still, or from a sender that has hung.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from statistics import median

import numpy as np

from sdv2_live.frame import ColorRange, Frame, PixelFormat

STEP = 32  # one row in so many is looked at
ROWS = 16  # but no fewer than so many
DARK = 32  # of 0..255: what is darker counts as black, as a covered lens does with its noise
NOT_DARK = 0x00E0E0E0  # the bits of a pixel of four bytes, the fourth of no meaning, of which one is set at DARK and above
BRIGHT_SHARE = 1e-3  # a picture with a larger share of brighter pixels is not black
CALM_S = 0.5  # a pause between frames, or in their movement, that is longer than this is not steady
GAPS = 5  # so many of the last pauses between frames tell an input's own spacing
SLACK = 3  # of its own spacings, which a slow input is allowed whatever the limits in seconds
NEVER = 2**63 - 1
CAMERA_S = 10.0  # an input that ran so long without a pause is a camera: it is not silent because nothing changes


class Fault(Enum):
    """A fault of an input."""

    LOST = "lost"
    FROZEN = "frozen"
    BLACK = "black"


class InputHealth:
    """Watches one input. Times are monotonic nanoseconds. For one thread at a time.

    A slow input is judged by its own spacing: every limit is at least SLACK of its pauses between frames. An input that sends
    only changes is not lost while its sender is connected.

    Args:
        lost_s: seconds without a frame until the input counts as lost.
        frozen_s: seconds of the same picture until it counts as frozen; 0 for no check.
        black_s: seconds of black until it counts as black; 0 for no check.
        since: start of the watch.
        linked: True while the sender is connected.
        camera_s: an input that ran so long without a pause is a camera: it is lost when it stops, connected or not.
    """

    def __init__(
        self,
        *,
        lost_s: float = 1.0,
        frozen_s: float = 0.0,
        black_s: float = 0.0,
        since: int = 0,
        linked: Callable[[], bool] = lambda: False,
        camera_s: float = CAMERA_S,
    ) -> None:
        self._lost_ns, self._frozen_ns, self._black_ns = (int(seconds * 1e9) for seconds in (lost_s, frozen_s, black_s))
        self._linked, self._camera_ns = linked, camera_s * 1e9
        self._calm_ns = int(CALM_S * 1e9)
        self.came = False  # a frame, once
        self._came_at = self._moved_at = self._lit_at = self._unsteady_at = self._running_at = since
        self._gaps: deque[int] = deque(maxlen=GAPS)  # between frames
        self._interval = 0  # between frames, as the newest declares it
        self._still: Frame | None = None  # the picture since `_moved_at`
        self._seen = 0

    def see(self, frame: Frame, now: int) -> None:
        """Take in a frame that came now."""
        gap = now - self._came_at
        self._interval = int(1e9 / frame.rate)
        steady = gap <= self._allowed(min(self._calm_ns, self._lost_ns)) or self._sends_on_change
        if gap > max(self._calm_ns, SLACK * self._interval):
            self._running_at = now
        if self.came:
            self._gaps.append(gap)
        self.came, self._came_at = True, now
        self._seen += 1
        if self._frozen_ns:
            if not self._same(frame):
                self._still, self._moved_at = frame, now
            steady &= now - self._moved_at <= self._allowed(min(self._calm_ns, self._frozen_ns))
        if self._black_ns:
            if self._black(frame):
                steady = False
            else:
                self._lit_at = now
        if not steady:
            self._unsteady_at = now

    def fault(self, now: int) -> Fault | None:
        """The present fault, None for a healthy input."""
        if now >= self.lost_at:
            self._unsteady_at = now  # else a sender that went and came again would seem to have been silent
            return Fault.LOST
        if self._black_ns and self._lit_at < self._came_at and now - self._lit_at >= self._black_ns:
            return Fault.BLACK
        if self._frozen_ns and self.came and now - self._moved_at >= self._allowed(self._frozen_ns):
            return Fault.FROZEN
        return None

    @property
    def lost_at(self) -> int:
        """The time at which the input counts as lost, unless a frame comes before."""
        return NEVER if self._sends_on_change else self._came_at + self._allowed(self._lost_ns)

    @property
    def spacing(self) -> int:
        """Nanoseconds between its frames: measured, else as declared; 0 before the first."""
        return int(median(self._gaps)) if self._gaps else self._interval

    def steady_s(self, now: int) -> float:
        """Seconds for which frames have come without a pause, moving and lit, as far as these are checked."""
        return (now - self._unsteady_at) / 1e9

    @property
    def _sends_on_change(self) -> bool:
        """True when it may be silent because its picture does not change."""
        return self.came and self._came_at - self._running_at < self._camera_ns and self._linked()

    def _allowed(self, limit: int) -> int:
        return max(limit, SLACK * self.spacing)

    def _same(self, frame: Frame) -> bool:
        """True when this picture equals the one before, in the rows checked this time."""
        still = self._still
        if still is None or (still.size, still.format) != (frame.size, frame.format):
            return False
        rows = self._rows(frame)
        width = frame.width * frame.format.bytes_per_pixel
        return np.array_equal(frame.data[rows, :width], still.data[rows, :width])

    def _black(self, frame: Frame) -> bool:
        rows = frame.data[self._rows(frame)]
        if frame.format is PixelFormat.UYVY:
            dark = 16 + DARK * 219 // 255 if frame.color.range is ColorRange.LIMITED else DARK
            lit = np.count_nonzero(rows[:, 1 : 2 * frame.width : 2] >= dark)
        else:
            lit = np.count_nonzero(rows[:, : 4 * frame.width].view("<u4") & NOT_DARK)
        return bool(lit <= BRIGHT_SHARE * len(rows) * frame.width)

    def _rows(self, frame: Frame) -> slice:
        step = max(min(STEP, frame.height // ROWS), 1)
        return slice(self._seen % step, None, step)
