"""From the engine to a sink: a thread that always has a picture to send.

A frame is due at its input frame's capture time plus a delay, as in a jitter buffer: the output moves at exactly the input's
pace, whether or not the engine skipped frames. The delay is what nine in ten recent chunks needed, so it follows the engine's
speed and no single hitch. When nothing is due the last picture is sent again; when no paintings come at all, what `cover`
says is faded over it.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame
from sdv2_live.io.base import Sink
from sdv2_live.io.cover import Cover, Instead, black_like
from sdv2_live.stats import Counters, Fill, Rate, Summary, Window

log = logging.getLogger("sdv2_live.playout")

MEMORY = 20  # chunks whose delay is remembered
KEPT = 0.9  # share of them that the delay covers: a rare hitch is shown late, once, rather than made everyone's delay
MARGIN_NS = 2_000_000  # added to the delay: wake-up and conversion jitter
QUEUE = 16  # frames waiting to be due; more than this and the oldest go
INPUT_QUEUE = 8  # input frames waiting to be sent in bypass


@dataclass(frozen=True, slots=True)
class Showing:
    """What the performer wants to see, read before every frame. Bypass shows the input; blackout wins over all."""

    freeze: bool = False
    bypass: bool = False
    blackout: bool = False


@dataclass(frozen=True, slots=True)
class _Due:
    """A frame to send now. repeated: it was sent before. cover, level, seen: what is over it, and the input frame for that.
    times: where its time since capture counts."""

    frame: Frame
    repeated: bool
    cover: Cover | None = None
    level: float = 0.0
    seen: Frame | None = None
    times: Window | None = None


class Playout:
    """Sends frames to `sink` on its own thread, at the time each is due.

    Counts frames_out (all sent), frames_repeated (sent again for want of a new one), frames_late (overtaken by a newer one
    before they could be sent), frames_failed. `latency` holds milliseconds from capture to send of paintings, `passed` of input
    frames that were sent as they are.
    """

    def __init__(
        self,
        sink: Sink,
        counters: Counters,
        showing: Callable[[], Showing] = Showing,
        cover: Cover | None = None,
        slate: Cover | None = None,
    ) -> None:
        """cover: what is seen when `lost` says that no paintings come; None: the last one. slate: the same for `hold`."""
        self.sink = sink
        self.rate = Rate()
        self.latency, self.passed = Window(512), Window(512)
        self._counters = counters
        self._showing = showing
        self._cover = cover or Cover()
        self._slate = slate or Cover()
        self._ready = threading.Condition()
        self._queue: deque[Frame] = deque()
        self._input: deque[Frame] = deque(maxlen=INPUT_QUEUE)
        self._needed: deque[int] = deque(maxlen=MEMORY)
        self._delay = 0
        self._last: Frame | None = None  # of all that were sent
        self._painted: Frame | None = None  # of the engine's
        self._seen: Frame | None = None  # of the input's, while the cover needs it
        self._moved = False  # a new one came
        self._passing = False  # what was sent new last was the input as it is
        self._veiled = False  # what was sent last had something over it
        self._last_sent_ns = 0
        self._follows_input = False  # the last frame was sent because it came: the next may come a little late
        self._begun = not sink.live  # the engine has shown something: from then on the input shows in bypass only
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="playout", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send what is still due at once, stop, and close the sink. Idempotent."""
        with self._ready:
            self._closing = True
            self._ready.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self.sink.close()

    def show(self, frames: Sequence[Frame]) -> None:
        """Take over a chunk's frames; their captured_ns must not decrease. Never waits."""
        now = time.monotonic_ns()
        with self._ready:
            self._begun = True
            self._cover.back(now)
            self._needed.append(now - frames[0].captured_ns + MARGIN_NS)
            self._delay = sorted(self._needed)[math.ceil(KEPT * len(self._needed)) - 1]
            self._queue.extend(frames)
            while len(self._queue) > QUEUE:
                self._queue.popleft()
                self._counters.add("frames_late")
            self._ready.notify_all()

    def lost(self) -> None:
        """No paintings come until `show` is called again. Never waits."""
        with self._ready:
            if self._painted is not None:  # else there is nothing to cover yet
                self._cover.lost(time.monotonic_ns())
            self._ready.notify_all()

    def hold(self, held: bool) -> None:
        """There is no input to paint, or there is again. Never waits."""
        with self._ready:
            (self._slate.lost if held else self._slate.back)(time.monotonic_ns())
            self._ready.notify_all()

    def offer_input(self, frame: Frame) -> None:
        """Take over an input frame, for bypass, for the time before the first chunk and for the cover. Never waits."""
        with self._ready:
            showing = self._showing()
            self._seen = frame if self._covering(time.monotonic_ns()) else None
            if showing.freeze or showing.blackout or not (showing.bypass or not self._begun or self._seen is not None):
                self._input.clear()
                return
            self._moved = True
            self._ready.notify_all()
            if self._begun and not showing.bypass:
                return  # the cover needs the newest only
            if len(self._input) == INPUT_QUEUE:
                self._counters.add("frames_late")
            self._input.append(frame)

    @property
    def queues(self) -> dict[str, Fill]:
        """Paintings, and input frames as they are, that wait to be due."""
        with self._ready:
            return {"playout": Fill(len(self._queue), QUEUE), "playout_input": Fill(len(self._input), INPUT_QUEUE)}

    @property
    def shown_latency(self) -> Summary:
        """Of what is sent now: paintings, or the input as it is."""
        return (self.passed if self._passing else self.latency).summary()

    @property
    def delay_ms(self) -> float:
        """Delay between capture and output that is being kept."""
        return self._delay / 1e6

    def _run(self) -> None:
        while True:
            with self._ready:
                due = self._next()
                if due is None:
                    if self._closing:
                        return
                    self._ready.wait(self._until_next())
                    continue
            try:
                self._send(due)
            except Exception:  # the thread's top: one frame is lost, the output goes on
                self._counters.add("frames_failed")
                self._last_sent_ns = time.monotonic_ns()
                log.exception("a frame could not be sent; the next one will be tried")

    def _next(self) -> _Due | None:
        """The frame to send now; None when it is too early."""
        showing, now = self._showing(), time.monotonic_ns()
        if showing.blackout:
            self._keep(self._drop_due(now))
            return _Due(black_like(self._last), True) if self._last is not None and self._repeat_at(None) <= now else None
        if self._input and (showing.bypass or not self._begun) and not showing.freeze:
            self._queue.clear()
            self._follows_input = True
            return _Due(self._input.popleft(), False, times=self.passed)
        due = self._drop_due(now)
        self._keep(due)
        if not (showing.freeze or showing.bypass):
            cover = max(self._cover, self._slate, key=lambda one: one.level(now))
            if self._painted is not None and cover.level(now) > 0:
                self._veiled = True
                return self._covered(self._painted, due is not None, cover, now)
            if self._veiled:  # what is repeated from now on has nothing over it
                self._veiled, self._last = False, self._painted
            if due is not None:
                self._follows_input = False
                return _Due(due, False, times=self.latency)
        return _Due(self._last, True) if self._last is not None and self._may_repeat(now) else None

    def _covered(self, painted: Frame, new: bool, cover: Cover, now: int) -> _Due | None:
        """A painting with the cover over it: when it is new; while none come, with every input frame; else as it is repeated."""
        moved, self._moved = self._moved, False
        level = cover.level(now)
        if new or (moved and cover.away and cover.instead is Instead.INPUT):
            self._follows_input = not new
            return _Due(painted, False, cover, level, self._seen, self.latency if new else None)
        return _Due(painted, True, cover, level, self._seen) if self._may_repeat(now) else None

    def _keep(self, painted: Frame | None) -> None:
        self._painted = painted or self._painted

    def _covering(self, now: int) -> bool:
        """Whether the cover needs input frames."""
        return self._cover.instead is Instead.INPUT and (self._cover.away or self._cover.level(now) > 0)

    def _may_repeat(self, now: int) -> bool:
        return not self._closing and self._repeat_at(self._next_due()) <= now

    def _drop_due(self, now: int) -> Frame | None:
        """Take the newest frame that is due off the queue; older ones that are due with it are late."""
        newest: Frame | None = None
        while self._queue and (self._closing or self._queue[0].captured_ns + self._delay <= now):
            if newest is not None:
                self._counters.add("frames_late")
            newest = self._queue.popleft()
            if self._closing:
                break  # at the end every frame is still sent, in order
        return newest

    def _next_due(self) -> int | None:
        return self._queue[0].captured_ns + self._delay if self._queue else None

    def _repeat_at(self, next_due: int | None) -> int:
        """When the last frame is sent again: after one frame time, unless a new one is due, or may come, within the half after
        that."""
        assert self._last is not None
        interval = int(1e9 / self._last.rate)
        moment = self._last_sent_ns + interval
        if self._follows_input:
            return moment + interval // 2
        return next_due if next_due is not None and moment < next_due <= moment + interval // 2 else moment

    def _until_next(self) -> float | None:
        """Seconds until something may be due, None to wait for news."""
        moments = [] if self._last is None else [self._repeat_at(self._next_due())]
        due = self._next_due()
        if due is not None:
            moments.append(due)
        return max(min(moments) - time.monotonic_ns(), 0) / 1e9 if moments else None

    def _send(self, due: _Due) -> None:
        frame = due.frame
        try:
            if not self.sink.watched:  # nothing is sent, but the clock goes on
                self._last_sent_ns = time.monotonic_ns()
                self._last = self._last if due.repeated else frame
                return
            if due.cover is not None:
                frame = due.cover.over(frame, due.seen, due.level)
            self.sink.send(frame)
        except VideoError as error:
            if not self._counters["frames_failed"]:
                log.error("%s; the show goes on without this output", error)
            self._counters.add("frames_failed")
        now = time.monotonic_ns()
        self._follows_input &= not due.repeated
        if not due.repeated or due.cover is not None:
            self._last = frame
        if due.repeated:
            self._counters.add("frames_repeated")
        elif due.times is not None:
            due.times.add((now - frame.captured_ns) / 1e6)
            self._passing = due.times is self.passed
        self._counters.add("frames_out")
        self.rate.add()
        # Repeats keep their own steady beat; a new frame starts it over.
        interval = int(1e9 / (self._last or frame).rate)
        self._last_sent_ns = self._last_sent_ns + interval if due.repeated and now - self._last_sent_ns < 2 * interval else now
