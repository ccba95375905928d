"""The sending thread: gives the sink a picture at all times.

A painting is due at its input frame's capture time plus a delay (`JitterBuffer`): the output moves at exactly the input's pace,
even when the engine skips frames. When nothing is due the last picture is sent again. The `Switcher` chooses the picture, this
module the time.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame, measured_rate, plausible_rate
from sdv2_live.io.base import Sink
from sdv2_live.live.fallback import FallbackMixer
from sdv2_live.live.jitter_buffer import JitterBuffer
from sdv2_live.live.switcher import OutputMode, Shot, Switcher
from sdv2_live.stats import Counters, Fill, Rate, Summary, Window
from sdv2_live.system.clock import monotonic_ns
from sdv2_live.system.waking import waker
from sdv2_live.threads import closed, ended

log = logging.getLogger("sdv2_live.playout")

INPUT_QUEUE = 8  # input frames waiting to be sent in bypass
HAND_NS = 30_000_000  # a change of what is to be seen is sent this long after the frame before, or with the next one
USUAL_RATE = Fraction(30)  # where a stream's own is not known


@dataclass(frozen=True, slots=True)
class _Due:
    """A shot to send now. `new`: its frame was not sent before. `came`: an input frame caused it."""

    shot: Shot
    new: bool = False
    came: bool = False


class Playout:
    """Sends frames to `sink` on its own thread, each at the time when it is due.

    Counts frames_out (all sent), frames_repeated (sent again because no new one had come), frames_late (overtaken by a newer one
    before they could be sent), frames_failed. `latency` holds milliseconds from capture to send of paintings, `passed` of input
    frames that were sent unchanged.

    Attributes:
        looked_at: somebody looks at `shown`, so that it is made even while no receiver is there.
        shown: the picture of this moment; None while nobody would see it.
    """

    def __init__(
        self,
        sink: Sink,
        counters: Counters,
        showing: Callable[[], OutputMode] = OutputMode,
        fallback: FallbackMixer | None = None,
        slate: FallbackMixer | None = None,
        clock: Callable[[], int] = monotonic_ns,
        raised: Callable[[int], int] = lambda needed: needed,
    ) -> None:
        """Make a playout that does not send yet.

        Args:
            fallback: shown after `lost`; None keeps the last painting.
            slate: shown after `hold`; None shows none.
            clock: nanoseconds.
            raised: gives the delay to use in place of one that is needed; see `JitterBuffer`.
        """
        self.sink = sink
        self.rate = Rate(clock=lambda: clock() / 1e9)
        self.latency, self.passed = Window(512), Window(512)
        self._counters = counters
        self._showing = showing
        self._fallback = fallback or FallbackMixer()
        self._slate = slate or FallbackMixer()
        self._switcher = Switcher(self._fallback, self._slate, stopgap=sink.live)
        self._clock = clock
        self._lock = threading.Lock()  # never held while a frame is sent
        self._news = waker()
        self._paintings = JitterBuffer(counters, raised)
        self._input: deque[Frame] = deque(maxlen=INPUT_QUEUE)
        self._came = Rate(clock=lambda: clock() / 1e9)  # of new frames
        self._shot: Shot | None = None  # that was sent last
        self._next_shot: Shot | None = None  # that is to be sent next
        self._last_sent_ns = 0
        self._follows_input = False  # the last frame was sent because it came: the next may come a little late
        self.looked_at = False
        self.shown: Frame | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="playout", daemon=True)

    def start(self) -> None:
        """Start to send."""
        self._thread.start()

    def close(self) -> None:
        """Send the pending frames at once, stop, and close the sink. Idempotent. A sink that hangs is abandoned."""
        self._closing = True
        self._news.set()
        writes = not self.sink.live
        if ended(self._thread, writes=writes):
            closed(self.sink.name, self.sink.close, writes=writes)

    def show(self, frames: Sequence[Frame]) -> None:
        """Take over a chunk's frames; their captured_ns must not decrease. Never waits."""
        now = self._clock()
        with self._lock:
            self._fallback.back(now)
            self._paintings.add(frames, now)
        self._news.set()

    def lost(self) -> None:
        """Start the fallback until `show` is called again. Never waits."""
        with self._lock:
            if self._switcher.painting is not None:  # else there is nothing to cover yet
                self._fallback.lost(self._clock())
        self._news.set()

    def hold(self, held: bool) -> None:
        """Show the slate while there is no input to paint (held), or end it. Never waits."""
        with self._lock:
            (self._slate.lost if held else self._slate.back)(self._clock())
        self._news.set()

    def offer_input(self, frame: Frame) -> None:
        """Take over an input frame, for bypass, for the time before the first chunk and for the fallback. Never waits."""
        with self._lock:
            if not self._switcher.passes(self._showing()):
                self._input.clear()  # the newest is enough
            elif len(self._input) == INPUT_QUEUE:
                self._counters.add("frames_late")
            self._input.append(frame)
        self._news.set()

    @property
    def queues(self) -> dict[str, Fill]:
        """Fill of the queues of paintings and of unchanged input frames."""
        with self._lock:
            return {
                "playout": Fill(len(self._paintings), self._paintings.bound),
                "playout_input": Fill(len(self._input), INPUT_QUEUE),
                **self.sink.queues,
            }

    @property
    def newest(self) -> Frame | None:
        """The frame sent last, or passed for sending while no receiver was there; None before the first."""
        return self._shot.frame if self._shot is not None else None

    @property
    def seen(self) -> bool:
        """True while somebody sees the picture: a receiver, or who looks at a preview."""
        return self.sink.watched or self.looked_at

    @property
    def input(self) -> Frame | None:
        """The newest input frame; None before the first."""
        return self._switcher.input

    @property
    def shown_latency(self) -> Summary:
        """The latency of the pictures sent now: paintings, or the unchanged input."""
        shot = self._shot
        return (self.passed if shot is not None and shot.passed else self.latency).summary()

    @property
    def delay_ns(self) -> int:
        """The present delay from capture to output, of paintings."""
        return self._paintings.delay_ns

    def step(self) -> bool:
        """Send the picture that is due now. Returns True when there was one."""
        with self._lock:
            due = self._next()
        if due is None:
            return False
        try:
            self._send(due)
        except Exception:  # the thread's top: one frame is lost, the output goes on
            self._counters.add("frames_failed")
            self._last_sent_ns = self._clock()
            log.exception("a frame could not be sent; the next one will be tried")
        return True

    def wait_s(self) -> float | None:
        """Seconds until a picture may be due, or the held keys are read again; None to wait for an event."""
        with self._lock:
            due, shot = self._paintings.next_due, self._next_shot
            moments = [] if due is None else [due]
            now = self._clock()
            if shot is not None:
                moments += [self._repeat_at(shot), now + HAND_NS]
            return max(min(moments) - now, 0) / 1e9 if moments else None

    def _run(self) -> None:
        while True:
            self._news.clear()
            closing = self._closing  # before the step: then all that was shown before is sent
            if not self.step():
                if closing:
                    return
                self._news.wait(self.wait_s())

    def _next(self) -> _Due | None:
        """The shot to send now; None when it is too early. Nothing is repeated at the end."""
        showing, now = self._showing(), self._clock()
        came = self._take_input(showing)
        painting = self._paintings.pop_due(now, ending=self._closing)
        if painting is not None:
            self._switcher.painting = painting
        shot = self._next_shot = self._switcher.shot(showing, now)
        if shot is None:
            return None
        if not shot.black and not showing.freeze:
            if shot.frame is (came if shot.passed else painting):
                return _Due(shot, new=True, came=shot.passed)
            if came is not None and shot.moves_with_input:
                return _Due(shot, came=True)
        return _Due(shot) if not self._closing and self._repeat_at(shot) <= now else None

    def _take_input(self, showing: OutputMode) -> Frame | None:
        """The next input frame in modes that send them all, else the newest; None when none came."""
        if not self._input:
            return None
        if self._switcher.passes(showing):
            came = self._input.popleft()
        else:
            came = self._input.pop()
            self._input.clear()
        self._switcher.input = came
        return came

    def _interval(self, frame: Frame) -> int:
        """Nanoseconds from one frame to the next: as declared, or as measured where the declared rate cannot be true."""
        rate = plausible_rate(frame.rate)
        if rate is None:
            came = self._came.per_second()
            rate = measured_rate(1 / came) if came else USUAL_RATE
        return int(1e9 / rate)

    def _repeat_at(self, shot: Shot) -> int:
        """The time at which to send this shot although its frame is not new.

        That is after one frame time, unless a new frame is due, or may come, within the half frame time after that. It is sooner
        when this is not the shot sent last.
        """
        interval = self._interval(shot.frame)
        moment = self._last_sent_ns + interval
        if self._shot is None or shot.black != self._shot.black or not (shot.black or shot.frame is self._shot.frame):
            return min(moment, self._last_sent_ns + HAND_NS)
        if self._follows_input:
            return moment + interval // 2
        due = None if shot.black or shot.passed else self._paintings.next_due
        return due if due is not None and moment < due <= moment + interval // 2 else moment

    def _send(self, due: _Due) -> None:
        shot, sent = due.shot, self.sink.watched  # when nobody receives, the clock goes on
        self.shown = shot.picture() if sent or self.looked_at else None
        if sent and self.shown is not None:
            try:
                self.sink.send(self.shown)
            except VideoError as error:
                if not self._counters["frames_failed"]:
                    log.error("%s; the show goes on without this output", error)
                self._counters.add("frames_failed")
        now = self._clock()
        self._shot, self._follows_input = shot, due.came
        if due.new:
            self._came.add()
        # Repeats keep their own steady beat; a new frame starts it over.
        interval = self._interval(shot.frame)
        beat = self._last_sent_ns + interval
        self._last_sent_ns = beat if not (due.new or due.came) and beat <= now < beat + interval else now
        if not sent:
            return
        if due.new:
            (self.passed if shot.passed else self.latency).add((now - shot.frame.captured_ns) / 1e6)
        elif not due.came:
            self._counters.add("frames_repeated")
        self._counters.add("frames_out")
        self.rate.add()
