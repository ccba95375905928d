"""Input failover: watches the main input, and gives a substitute while it is lost, frozen or black.

Every input is open and read all the time, each on its own thread, so that another one takes over within a frame.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable

from sdv2_live.config.choices import OnLost
from sdv2_live.errors import VideoError
from sdv2_live.frame import Frame
from sdv2_live.io.base import Port, Source
from sdv2_live.io.pictures import Converter
from sdv2_live.live.crossfade import Crossfade
from sdv2_live.live.input_health import CAMERA_S, Fault, InputHealth
from sdv2_live.live.input_policy import ActiveInput, InputState, Policy
from sdv2_live.live.reader import SourceReader
from sdv2_live.logs import MENDED, TROUBLE
from sdv2_live.stats import Counters, Fill
from sdv2_live.system.clock import monotonic_ns

log = logging.getLogger("sdv2_live.input")


class Failover(Port):
    """Gives the frames of `main`, or of a substitute while it fails, in the main input's size and layout.

    Counts inputs_lost, inputs_frozen, inputs_black, and inputs_returned (main took its place again). captured_ns never goes back
    over a change.

    Args:
        backup: another camera or a clip.
        texture: the source for `OnLost.TEXT`.
        select: the performer's choice: "auto", or "main" or "backup" in every case.
        on_held: called with True when no input can be given and a slate is to be shown, and with False afterwards; must not
            block.
        clock: nanoseconds.

    Attributes:
        failure: the error of `main` when it broke and no backup exists; else None.
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
        clock: Callable[[], int] = monotonic_ns,
    ) -> None:
        self.name = main.name
        self.state = InputState()
        self.failure: VideoError | None = None
        self._policy, self._counters, self._select, self._on_held = policy, counters, select, on_held
        self._clock = clock
        self._give: Callable[[Frame], None] = lambda frame: None
        self._lock = threading.Lock()  # one input is judged at a time, and its frame given
        self._readers = {
            ActiveInput.MAIN: self._reader(
                main,
                frozen_s=policy.frozen_s,
                black_s=policy.black_s,
                # Where nothing takes its place, a camera that hangs is better held by painting on its last picture.
                camera_s=math.inf if policy.on_lost is OnLost.HOLD else CAMERA_S,
            )
        }
        for shown, source in ((ActiveInput.BACKUP, backup), (ActiveInput.TEXTURE, texture)):
            if source is not None:
                self._readers[shown] = self._reader(source)
        self._main = self._readers[ActiveInput.MAIN]
        self._converter = Converter()
        self._fade = Crossfade(policy.fade_s)
        self._like: Frame | None = None  # of the main input, the one given last
        self._held = False
        self._given = 0
        self._closing = False

    def _reader(self, source: Source, *, frozen_s: float = 0.0, black_s: float = 0.0, camera_s: float = CAMERA_S) -> SourceReader:
        watch = InputHealth(
            lost_s=self._policy.lost_s,
            frozen_s=frozen_s,
            black_s=black_s,
            since=self._clock(),
            linked=lambda: source.linked,
            camera_s=camera_s,
        )
        return SourceReader(source, watch, self._lock, self._after_read, self._counters, self._clock)

    @property
    def status(self) -> str:
        """One phrase for the performer: the main input's status, and its substitute if there is one."""
        main, shown = self._main.status, self.state.shown
        if self.state.fault is None and shown is ActiveInput.MAIN:
            return main
        parts = [main]
        if self.state.fault is not None:
            parts.append(f"input {self.state.fault.value}")
        if shown is not ActiveInput.MAIN:
            parts.append(self._named(shown))
        return ", ".join(parts)

    @property
    def inputs(self) -> tuple[Source, ...]:
        """The main input and, where there is one, the backup."""
        return tuple(self._readers[shown].source for shown in (ActiveInput.MAIN, ActiveInput.BACKUP) if shown in self._readers)

    @property
    def on_air(self) -> Source:
        """The backup while it is shown, else the main input, even while a substitute without sound is shown.

        Sound and other data beside the picture come from it.
        """
        return self._readers[ActiveInput.BACKUP if self.state.shown is ActiveInput.BACKUP else ActiveInput.MAIN].source

    @property
    def queues(self) -> dict[str, Fill]:
        """Fill of the place where each input's newest frame waits."""
        return {f"input_{shown.value}": Fill(int(reader.newest is not None), 1) for shown, reader in self._readers.items()}

    @property
    def ended(self) -> bool:
        """True when no frame will ever come again."""
        return self._closing or self.failure is not None or (self._main.ended and len(self._readers) == 1)

    def start(self, give: Callable[[Frame], None]) -> None:
        """Start to read.

        Args:
            give: called with every frame on the air, in order, one at a time, on the thread that read it.
        """
        self._give = give
        for reader in self._readers.values():
            reader.start()

    def look(self) -> InputState:
        """Decide now, and return the decision. The inputs' threads do so at every read, but may hang in a driver or on a disk."""
        with self._lock:
            self._pass_on()
            return self.state

    def close(self) -> None:
        self._closing = True
        for reader in self._readers.values():
            reader.closing = True
        for reader in self._readers.values():
            reader.close()

    def _after_read(self, reader: SourceReader) -> None:
        if reader.failure is not None:
            if reader is self._main and ActiveInput.BACKUP not in self._readers:
                self.failure = reader.failure
                log.error("%s", self.failure)
            else:
                failed = next(shown.value for shown, one in self._readers.items() if one is reader)
                log.error("the %s input: %s; the show goes on with the other", failed, reader.failure)
        self._pass_on()

    def _pass_on(self) -> None:
        """Choose the input on the air, and give its newest frame unless it was given before."""
        if self.ended:
            return
        self._decide(self._clock())
        shown = self.state.shown
        frame = self._readers[shown].take() if shown in self._readers else None
        if frame is not None:
            self._give(self._placed(frame, shown))

    def _decide(self, now: int) -> None:
        before = self.state
        fault = Fault.LOST if self._main.broken else self._main.watch.fault(now)
        shown = self._wanted(fault, now)
        if fault is not before.fault:
            self._tell_fault(fault)
        self.state = InputState(shown, fault)
        if shown is not before.shown:
            self._change(shown)
        held = shown is ActiveInput.NOTHING and self._policy.on_lost is OnLost.SLATE
        if held is not self._held:
            self._held = held
            self._on_held(held)

    def _wanted(self, fault: Fault | None, now: int) -> ActiveInput:
        select = self._select()
        if select == "backup" and ActiveInput.BACKUP in self._readers and self._readers[ActiveInput.BACKUP].flows(now):
            return ActiveInput.BACKUP
        if select != "auto":
            return ActiveInput.MAIN
        substitutes = [
            {OnLost.BACKUP: ActiveInput.BACKUP, OnLost.TEXT: ActiveInput.TEXTURE}.get(self._policy.on_lost, ActiveInput.NOTHING)
        ]
        if self._main.broken:  # no policy is about an input that does not come again by itself
            substitutes.insert(0, ActiveInput.BACKUP)
        flowing = (one for one in substitutes if one in self._readers and self._readers[one].flows(now))
        instead = next(flowing, ActiveInput.NOTHING)
        # For want of a substitute nothing is waited for: anything is better than nothing.
        waits = self.state.shown is instead and (instead is not ActiveInput.NOTHING or self._policy.on_lost is OnLost.SLATE)
        if fault is None and not (waits and self._main.watch.steady_s(now) < self._policy.return_s):
            return ActiveInput.MAIN
        return instead

    def _tell_fault(self, fault: Fault | None) -> None:
        if fault is None:
            log.info("the input is there again: %s", self._main.status, extra={MENDED: "input"})
        elif self._main.watch.came:
            self._counters.add(f"inputs_{fault.value}")
            log.warning("the input is %s: %s", fault.value, self._main.status, extra={TROUBLE: "input"})

    def _change(self, shown: ActiveInput) -> None:
        self._fade.begin()
        if shown is ActiveInput.MAIN and self._fade.last is not None:
            self._counters.add("inputs_returned")
        log.info("the input is now: %s", self._named(shown))

    def _named(self, shown: ActiveInput) -> str:
        return f"{shown.value} ({self._readers[shown].status})" if shown in self._readers else shown.value

    def _placed(self, frame: Frame, shown: ActiveInput) -> Frame:
        """The frame in the main input's size and layout, crossfaded from the last frame given, and later than that."""
        if shown is ActiveInput.MAIN:
            self._like = frame
        elif self._like is not None:
            frame = self._converter(frame, self._like)
        last = self._fade.last
        if last is not None and not frame.alike(last):
            self._fade.cut()  # what was given before has no place in the new shape
        after = last.captured_ns + 1 if last is not None else 0
        index, self._given = self._given, self._given + 1
        frame = frame.at(rate=frame.rate, captured_ns=max(frame.captured_ns, after), index=index)
        # By its own spacing a slow input's first frame is already its own picture.
        return self._fade.over(frame, self._readers[shown].spacing_ns)
