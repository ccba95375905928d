"""A source that is read all the time, on a thread of its own, so that its newest frame is always at hand."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame
from sdv2_live.io.base import Source
from sdv2_live.io.still import Still
from sdv2_live.live.input_health import InputHealth
from sdv2_live.stats import Counters
from sdv2_live.system.clock import monotonic_ns
from sdv2_live.threads import closed, ended

log = logging.getLogger("sdv2_live.input")

READ_S = 0.25  # longest wait inside one read, and so the longest that `close` waits
REST_S = 0.1  # pause after a read that failed in an unforeseen way
QUEUE = 8  # frames that wait to be taken while the feed is on the air; a reader that is later than that stands still


class SourceReader:
    """Reads `source` and has `watch` look at every frame. `ready` guards all fields, and is told of every change.

    While the sender is connected and sends nothing, its newest frame is given again and again, at the rate it declared.

    Counts reads_failed, and of a feed that is on the air frames_skipped, which nobody took, and inputs_repeated.
    """

    def __init__(self, source: Source, watch: InputHealth, ready: threading.Condition, counters: Counters) -> None:
        self.source, self.watch = source, watch
        self.frames: deque[Frame] = deque()
        self.failure: VideoError | None = None  # why it gives no more frames, until somebody has repaired that
        self.on_air = False  # its frames are wanted, all of them; else the newest alone is kept
        self.closing = False
        self._ready, self._counters = ready, counters
        self._still = Still()
        self._thread = threading.Thread(target=self._run, name=f"input {source.name}", daemon=True)

    @property
    def ended(self) -> bool:
        """No frame will come any more, and none waits."""
        return (self.source.ended or self.failure is not None) and not self.frames

    @property
    def broken(self) -> bool:
        """Whether no frame comes any more, or not before somebody has repaired it."""
        return self.ended or self.source.broken

    @property
    def status(self) -> str:
        """One phrase for the performer."""
        return str(getattr(self.source, "status", self.source.name))

    def flows(self, now: int) -> bool:
        """Whether there are frames to be had."""
        return self.watch.came and self.watch.fault(now) is None

    @property
    def spacing_ns(self) -> int:
        """Nanoseconds between the frames that it gives."""
        return self._still.interval if self._still.silent else self.watch.spacing

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading and close the source. Idempotent. A source that hangs is left as it is."""
        self.closing = True
        if ended(self._thread):
            closed(self._thread.name, self.source.close)

    def _run(self) -> None:
        failure = None
        while failure is None and not self.closing and not self.source.ended:
            try:
                self._step()
            except VideoError as error:
                failure = error
            except Exception:  # the thread's top: one frame is lost, the input goes on
                self._counters.add("reads_failed")
                log.exception("%s: a frame could not be read; the next one will be tried", self.source.name)
                time.sleep(REST_S)
        with self._ready:
            self.failure = failure
            self._ready.notify_all()

    def _step(self) -> None:
        linked = self.source.linked
        frame = self.source.read(self._still.wait_s(monotonic_ns(), READ_S) if linked else READ_S)
        now = monotonic_ns()
        with self._ready:
            if frame is not None:
                self.watch.see(frame, now)
                self._still.came(frame, now)
            elif linked:
                frame = self._still.again(now)
                if frame is not None and self.on_air:
                    self._counters.add("inputs_repeated")
            if frame is not None:
                self._give(frame)

    def _give(self, frame: Frame) -> None:
        if not self.on_air:
            self.frames.clear()
        elif len(self.frames) == QUEUE:
            self.frames.popleft()
            self._counters.add("frames_skipped")
        self.frames.append(frame)
        self._ready.notify_all()
