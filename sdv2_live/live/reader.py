"""An input that its own thread reads all the time, so that its newest frame is always available."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

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


class SourceReader:
    """Reads `source` and shows `watch` every frame. `lock` guards all fields. Counts reads_failed and inputs_repeated.

    While the sender is connected and sends nothing, its newest frame is given repeatedly, at the rate it declared;
    inputs_repeated counts the repeats that were taken.

    Args:
        on_read: called under the lock after every read, even without a frame, and a last time when none will come any more.
        clock: nanoseconds.
    """

    def __init__(
        self,
        source: Source,
        watch: InputHealth,
        lock: threading.Lock,
        on_read: Callable[[SourceReader], None],
        counters: Counters,
        clock: Callable[[], int] = monotonic_ns,
    ) -> None:
        self.source, self.watch = source, watch
        self.newest: Frame | None = None  # until it is taken
        self.failure: VideoError | None = None  # why it gives no more frames, until somebody has repaired that
        self.ended = False  # no frame will come any more
        self.closing = False
        self._lock, self._on_read, self._counters, self._clock = lock, on_read, counters, clock
        self._still = Still()
        self._thread = threading.Thread(target=self._run, name=f"input {source.name}", daemon=True)

    @property
    def broken(self) -> bool:
        """True when no frame comes any more, or none until somebody has repaired it."""
        return self.ended or self.source.broken

    @property
    def status(self) -> str:
        """One phrase for the performer."""
        return str(getattr(self.source, "status", self.source.name))

    @property
    def spacing_ns(self) -> int:
        """Nanoseconds between its frames."""
        return self._still.interval if self._still.silent else self.watch.spacing

    def flows(self, now: int) -> bool:
        """True when frames come, without a fault."""
        return self.watch.came and self.watch.fault(now) is None

    def take(self) -> Frame | None:
        """The newest frame, once."""
        frame, self.newest = self.newest, None
        if frame is not None and self._still.repeated:
            self._counters.add("inputs_repeated")
        return frame

    def start(self) -> None:
        """Start to read."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading and close the source. Idempotent. A source that hangs is abandoned."""
        self.closing = True
        if ended(self._thread):
            closed(self._thread.name, self.source.close)

    def step(self) -> None:
        """Read once."""
        linked, frame, failure = self.source.linked, None, None
        try:
            frame = self.source.read(self._wait_s(linked))
        except VideoError as error:
            failure = error
        now = self._clock()
        with self._lock:
            if frame is not None:
                self.watch.see(frame, now)
                self._still.came(frame, now)
            elif linked:
                frame = self._still.again(now)
            if frame is not None:
                self.newest = frame
            self.failure, self.ended = failure, failure is not None or (frame is None and self.source.ended)
            self._on_read(self)

    def _wait_s(self, linked: bool) -> float:
        """Timeout of a read in seconds: until the newest frame is due again, or its absence makes the input a lost one."""
        now, lost_at = self._clock(), self.watch.lost_at
        longest = min((lost_at - now) / 1e9, READ_S) if lost_at > now else READ_S
        return self._still.wait_s(now, longest) if linked else longest

    def _run(self) -> None:
        while not self.ended and not self.closing:
            try:
                self.step()
            except Exception:  # the thread's top: one frame is lost, the input goes on
                self._counters.add("reads_failed")
                log.exception("%s: a frame could not be read; the next one will be tried", self.source.name)
                time.sleep(REST_S)
