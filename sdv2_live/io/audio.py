"""Sound beside the picture: blocks of samples, and a delay line that keeps each for the picture's painting time."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

LIMIT_S = 10.0  # sound that is kept at most; a picture later than that is no longer followed
JUMP_NS = 60_000_000  # a larger change of delay is made at once, in silence; a smaller one little by little, unheard
SLEW = 0.01  # of the sound's own time: how fast a small change is followed
LATE_NS = 250_000_000  # sound that is overdue by more is left out


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """A block of sound.

    Attributes:
        samples: float32, shape (channels, length); 1.0 is NDI's reference level, +4 dBu.
        rate: samples per second.
        captured_ns: arrival time of the first sample, on the clock of `Frame.captured_ns`: a picture of that time belongs to it.
    """

    samples: np.ndarray
    rate: int
    captured_ns: int

    @property
    def duration_ns(self) -> int:
        """Duration in nanoseconds."""
        return int(self.samples.shape[1]) * 1_000_000_000 // self.rate


class DelayLine:
    """Returns blocks `delay` after their capture, in order, whole and unchanged. For any thread.

    A small change of the delay moves the times of the blocks, by at most 1 % of their length, and touches no sample. A large one
    (bypass on or off) fades one block out and a later one in, and between them skips sound or inserts silence, so that the blocks
    stay one unbroken stream. `cut` switches to the sound of another input.
    """

    def __init__(self) -> None:
        self.dropped = 0  # blocks left out
        self._lock = threading.Lock()
        self._queue: deque[AudioBlock] = deque()
        self._queued_ns = 0
        self._delay: int | None = None  # kept now; None until a picture was shown
        self._target = 0  # the picture's
        self._fade_in = False
        self._cut_ns: int | None = None  # another sound begins, with what was captured after this

    def follow(self, delay_ns: int) -> None:
        """Set the picture's delay from capture to output."""
        with self._lock:
            self._target = delay_ns
            if self._delay is None:
                self._delay = delay_ns

    def cut(self) -> None:
        """Fade out the last block if it still waits, and fade in the next one, which is another sound."""
        with self._lock:
            self._cut_ns = 0
            if self._queue:
                last = self._queue.pop()
                self._queue.append(_faded(last, 1, 0))
                self._cut_ns = last.captured_ns + last.duration_ns

    def push(self, block: AudioBlock) -> None:
        """Take a block in. Beyond LIMIT_S the oldest are dropped."""
        with self._lock:
            if self._cut_ns is not None:
                if block.captured_ns < self._cut_ns:  # of the time of the sound before, which is heard then
                    return
                self._cut_ns, block = None, _faded(block, 0, 1)
            self._queue.append(block)
            self._queued_ns += block.duration_ns
            while self._queued_ns > LIMIT_S * 1e9 and len(self._queue) > 1:
                self._drop()

    @property
    def kept_ms(self) -> int:
        """Milliseconds of sound that wait."""
        with self._lock:
            return self._queued_ns // 1_000_000

    @property
    def next_due(self) -> int | None:
        """The time at which the next block is due, in monotonic nanoseconds; None while there is none, or no picture yet."""
        with self._lock:
            return self._queue[0].captured_ns + self._delay if self._queue and self._delay is not None else None

    def due(self, now_ns: int) -> list[AudioBlock]:
        """The due blocks, in order."""
        given: list[AudioBlock] = []
        with self._lock:
            while self._queue and self._delay is not None and self._queue[0].captured_ns + self._delay <= now_ns:
                if self._queue[0].captured_ns + self._delay < now_ns - LATE_NS:
                    self._drop()
                else:
                    given.append(self._next(self._delay))
        return given

    def _next(self, delay: int) -> AudioBlock:
        block = self._pop()
        change = self._target - delay
        if abs(change) > JUMP_NS:
            begin = 0 if self._fade_in else 1  # a second change on the heels of the first: it is still silent
            self._jump(block, delay)
            return _faded(block, begin, 0)
        step = int(block.duration_ns * SLEW)
        self._delay = delay + max(-step, min(step, change))
        if self._fade_in and block.samples.any():  # silence that was put in stays what it is
            self._fade_in = False
            return _faded(block, 0, 1)
        return block

    def _jump(self, last: AudioBlock, delay: int) -> None:
        """Move to the picture's delay with the block after `last`, so that it follows without a gap."""
        end = last.captured_ns + last.duration_ns  # of `last`, as captured
        change = self._target - delay
        self._delay, self._fade_in = self._target, True
        while self._queue and self._queue[0].captured_ns + self._queue[0].duration_ns // 2 < end - change:
            self._drop()
        if change > 0:
            length = last.samples.shape[1]
            missing = round(change * last.rate / 1e9)
            for begin in reversed(range(0, missing, length)):
                silence = np.zeros((last.samples.shape[0], min(length, missing - begin)), np.float32)
                block = AudioBlock(silence, last.rate, end - change + begin * 1_000_000_000 // last.rate)
                self._queue.appendleft(block)
                self._queued_ns += block.duration_ns

    def _pop(self) -> AudioBlock:
        block = self._queue.popleft()
        self._queued_ns -= block.duration_ns
        return block

    def _drop(self) -> None:
        self._pop()
        self.dropped += 1
        self._fade_in = True


def _faded(block: AudioBlock, begin: float, end: float) -> AudioBlock:
    gain = np.linspace(begin, end, block.samples.shape[1], dtype=np.float32)
    return replace(block, samples=block.samples * gain)
