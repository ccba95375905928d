"""An input that does not fail: watches the main one, and gives something in its place where it is lost, frozen or black.

Every input is open and read all the time, each on a thread of its own, so that another one takes over within a frame.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame
from sdv2_live.io.base import Source
from sdv2_live.io.cover import Converter, blend
from sdv2_live.io.watch import Fault, InputWatch
from sdv2_live.stats import Counters

log = logging.getLogger("sdv2_live.input")

READ_S = 0.25  # longest wait inside one read, and so the longest that `close` waits
REST_S = 0.1  # pause after a read that failed in an unforeseen way
QUEUE = 8  # frames of the input on the air that wait to be taken; of any other input the newest alone is kept


class OnLost(Enum):
    """What takes the place of an input that fails."""

    HOLD = "hold"
    TEXT = "text"
    SLATE = "slate"
    BACKUP = "input2"


class Shown(Enum):
    """What is given as the input."""

    MAIN = "main"
    BACKUP = "backup"
    TEXTURE = "texture"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Policy:
    """on_lost: what to do about a fault. lost_s, frozen_s, black_s: see InputWatch. return_s: the main input must have been
    steady for so long before it takes its place again. fade_s: crossfade from one input to the other; 0 cuts."""

    on_lost: OnLost = OnLost.HOLD
    lost_s: float = 1.0
    frozen_s: float = 0.0
    black_s: float = 0.0
    return_s: float = 2.0
    fade_s: float = 0.5


@dataclass(frozen=True, slots=True)
class InputState:
    """What is given, and what is wrong with the main input."""

    shown: Shown = Shown.MAIN
    fault: Fault | None = None

    @property
    def words(self) -> str:
        """For the performer: such as "main", or "backup: the input is lost"."""
        return self.shown.value + (f": the input is {self.fault.value}" if self.fault else "")


class GuardedSource(Source):
    """Frames of `main`; while it fails those of a substitute, in the main input's size and layout.

    backup: another camera or a clip. texture: what `OnLost.TEXT` gives. select: "auto", or what the performer wants whatever
    happens: "main" or "backup". on_held: told True when there is nothing to give and a slate shall be seen, and False when
    that is over; it must not block.

    Counts inputs_lost, inputs_frozen, inputs_black, and inputs_returned (main took its place again). captured_ns never goes
    back over a change. What `main` raises is raised here, unless there is a backup to go on with.
    """

    def __init__(
        self,
        main: Source,
        policy: Policy,
        counters: Counters,
        *,
        backup: Source | None = None,
        texture: Source | None = None,
        select: Callable[[], str] = lambda: "auto",
        on_held: Callable[[bool], None] = lambda held: None,
    ) -> None:
        self.name = main.name
        self.state = InputState()
        self._policy, self._counters, self._select, self._on_held = policy, counters, select, on_held
        self._ready = threading.Condition()
        now = time.monotonic_ns()
        watch = InputWatch(lost_s=policy.lost_s, frozen_s=policy.frozen_s, black_s=policy.black_s, since=now)
        self._feeds = {Shown.MAIN: _Feed(main, watch, self._ready)}
        for shown, source in ((Shown.BACKUP, backup), (Shown.TEXTURE, texture)):
            if source is not None:
                self._feeds[shown] = _Feed(source, InputWatch(lost_s=policy.lost_s, since=now), self._ready)
        self._main = self._feeds[Shown.MAIN]
        self._main.on_air = True
        self._converter = Converter()
        self._like: Frame | None = None  # of the main input, the one given last
        self._last: Frame | None = None  # of all that were given
        self._fading: Frame | None = None  # the picture that the present input is faded in over
        self._fade_begin = 0
        self._held = False
        self._given = 0
        self._running = self._closing = False

    @property
    def status(self) -> str:
        """One phrase for the performer: the main input's, and what is given in its place."""
        main, shown = _status(self._main.source), self.state.shown
        if self.state.fault is None and shown is Shown.MAIN:
            return main
        feed = self._feeds.get(shown)
        instead = {Shown.MAIN: "", Shown.NOTHING: "held"}.get(shown, f"{shown.value} ({_status(feed.source)})" if feed else "")
        return ", ".join(filter(None, (main, self.state.fault and f"input {self.state.fault.value}", instead)))

    @property
    def ended(self) -> bool:
        return self._closing or (self._main.source.ended and not self._main.frames and len(self._feeds) == 1)

    def read(self, timeout: float) -> Frame | None:
        """The next frame of what is on the air, or None when none came within `timeout` seconds."""
        if not self._running and not self._closing:
            self._running = True
            for feed in self._feeds.values():
                feed.start()
        until = time.monotonic_ns() + int(timeout * 1e9)
        with self._ready:
            while True:
                now = time.monotonic_ns()
                self._raise_failures()
                self._decide(now)
                shown = self.state.shown
                feed = self._feeds.get(shown)
                if feed is not None and feed.frames:
                    frame = feed.frames.popleft()
                    break
                if now >= until or self.ended:
                    return None
                lost_at = self._main.watch.lost_at
                self._ready.wait((min(until, lost_at) if now < lost_at else until) / 1e9 - now / 1e9)
        return self._placed(frame, shown, now)

    def close(self) -> None:
        with self._ready:
            self._closing = True
            self._ready.notify_all()
        for feed in self._feeds.values():
            feed.closing = True
        for feed in self._feeds.values():
            feed.close()

    def _raise_failures(self) -> None:
        for shown, feed in self._feeds.items():
            error, feed.error = feed.error, None
            if error is None:
                continue
            if shown is Shown.MAIN and not (isinstance(error, VideoError) and Shown.BACKUP in self._feeds):
                raise error
            self._counters.add("reads_failed")
            log.error("the %s input: %s; the show goes on with the other", shown.value, error)

    def _decide(self, now: int) -> None:
        before = self.state
        fault = self._main.watch.fault(now)
        shown = self._wanted(fault, now)
        if fault is not before.fault:
            self._tell_fault(fault)
        self.state = InputState(shown, fault)
        if shown is not before.shown:
            self._change(before.shown, shown, now)
        held = shown is Shown.NOTHING and self._policy.on_lost is OnLost.SLATE
        if held is not self._held:
            self._held = held
            self._on_held(held)

    def _wanted(self, fault: Fault | None, now: int) -> Shown:
        select = self._select()
        if select == "backup" and self._flows(Shown.BACKUP, now):
            return Shown.BACKUP
        if select != "auto":
            return Shown.MAIN
        instead = {OnLost.BACKUP: Shown.BACKUP, OnLost.TEXT: Shown.TEXTURE}.get(self._policy.on_lost, Shown.NOTHING)
        if instead is not Shown.NOTHING and not self._flows(instead, now):
            instead = Shown.NOTHING
            waits = False  # anything is better than nothing
        else:
            waits = self._policy.on_lost is not OnLost.HOLD and self.state.shown is instead
        if fault is None and not (waits and self._main.watch.steady_s(now) < self._policy.return_s):
            return Shown.MAIN
        return instead

    def _flows(self, shown: Shown, now: int) -> bool:
        feed = self._feeds.get(shown)
        return feed is not None and feed.watch.came and feed.watch.fault(now) is None

    def _tell_fault(self, fault: Fault | None) -> None:
        if fault is None:
            log.info("the input is there again: %s", _status(self._main.source))
        elif self._main.watch.came:
            self._counters.add(f"inputs_{fault.value}")
            log.warning("the input is %s: %s", fault.value, _status(self._main.source))

    def _change(self, before: Shown, shown: Shown, now: int) -> None:
        for which, feed in self._feeds.items():
            feed.on_air = which is shown
        if before in self._feeds:
            self._feeds[before].frames.clear()
        if shown is Shown.NOTHING:
            self._fading = None
        else:
            self._fading, self._fade_begin = self._last, now
        if shown is Shown.MAIN and self._last is not None:
            self._counters.add("inputs_returned")
        feed = self._feeds.get(shown)
        log.info("input: %s%s", shown.value, f" ({_status(feed.source)})" if feed else "")

    def _placed(self, frame: Frame, shown: Shown, now: int) -> Frame:
        """The frame in the main input's size and layout, over what was given before, and later than that."""
        if shown is Shown.MAIN:
            self._like = frame
        elif self._like is not None:
            frame = self._converter(frame, self._like)
        frame = self._faded(frame, now)
        after = self._last.captured_ns + 1 if self._last is not None else 0
        index, self._given = self._given, self._given + 1
        self._last = frame.at(rate=frame.rate, captured_ns=max(frame.captured_ns, after), index=index)
        return self._last

    def _faded(self, frame: Frame, now: int) -> Frame:
        below = self._fading
        if below is None:
            return frame
        level = (now - self._fade_begin) / 1e9 / self._policy.fade_s if self._policy.fade_s else 1.0
        if level >= 1 or (below.size, below.format) != (frame.size, frame.format):
            self._fading = None
            return frame
        width = frame.width * frame.format.bytes_per_pixel
        return replace(frame, data=blend(below.data[:, :width], frame.data[:, :width], level))


class _Feed:
    """One source, read on a thread of its own. on_air: keep its frames; else the newest alone."""

    def __init__(self, source: Source, watch: InputWatch, ready: threading.Condition) -> None:
        self.source, self.watch = source, watch
        self.frames: deque[Frame] = deque(maxlen=QUEUE)
        self.error: Exception | None = None  # to be raised where frames are taken
        self.on_air = self.closing = False
        self._ready = ready
        self._thread = threading.Thread(target=self._run, name=f"input {source.name}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading and close the source."""
        self.closing = True
        if self._thread.is_alive():
            self._thread.join()
        self.source.close()

    def _run(self) -> None:
        while not self.closing and not self.source.ended:
            try:
                frame = self.source.read(READ_S)
            except Exception as error:  # the thread's top; raised again where it is logged and counted
                self._fail(error)
                if isinstance(error, VideoError):
                    break  # it gives nothing until somebody repairs it
                time.sleep(REST_S)
                continue
            if frame is not None:
                self._accept(frame)
        with self._ready:
            self._ready.notify_all()

    def _accept(self, frame: Frame) -> None:
        now = time.monotonic_ns()
        with self._ready:
            self.watch.see(frame, now)
            if not self.on_air:
                self.frames.clear()
            self.frames.append(frame)
            self._ready.notify_all()

    def _fail(self, error: Exception) -> None:
        with self._ready:
            self.error = error
            self._ready.notify_all()


def _status(source: Source) -> str:
    return str(getattr(source, "status", source.name))
