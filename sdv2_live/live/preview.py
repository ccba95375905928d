"""The newest pictures of a show as small JPEGs, for whoever looks at the page.

They are made on a thread of their own, while somebody looks and is ready for the next one. The thread takes the newest picture
when one is due; the frame path hands it nothing, and does not know of it but for `Playout.looked_at`. Viewers of one width share
its JPEGs. A viewer that reads slowly is ready more rarely: it misses pictures, and holds none.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sdv2_live.closing import Service
from sdv2_live.control.throttle import Throttle
from sdv2_live.frame import Frame
from sdv2_live.io.jpeg import JpegEncoder
from sdv2_live.stats import Counters
from sdv2_live.system.clock import monotonic
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.preview")

LOOK_S = 0.02  # until a picture that did not change is looked at again
FAILED_S = 1.0  # after a picture that could not be made
SHARE = 0.25  # of one core, at most: with many viewers of many sizes pictures become fewer

Deliver = Callable[[bytes], object]
Newest = Callable[[], Frame | None]


@dataclass(eq=False, slots=True)
class Looking:
    """One viewer of one picture; see `control.page.pictures.Look`.

    Attributes:
        period: seconds from one picture to the next.
        due: when the next one may be made.
        ready: it waits for one.
        serial: of the picture that it got last.
    """

    preview: Preview
    kind: str
    width: int
    period: float
    deliver: Deliver
    due: float = 0.0
    ready: bool = True
    serial: int = 0

    def more(self) -> None:
        """Ask for one more picture: the newest, as soon as there is one that was not delivered."""
        self.preview.wanted(self)

    def close(self) -> None:
        """Look no longer. Idempotent."""
        self.preview.forget(self)


@dataclass(slots=True)
class _Newest:
    """The newest picture of a kind; `serial` counts the different ones."""

    frame: Frame | None = None
    serial: int = 0


class Preview(Service):
    """Makes the pictures of `newest`, by kind, for those who look. Counts previews_made and previews_failed.

    Args:
        newest: functions that return the newest frame, None while there is none. Called on the preview's thread.
        on_looked: called with a kind and whether somebody looks at it now.
        clock: seconds.
    """

    def __init__(
        self,
        newest: Mapping[str, Newest],
        counters: Counters,
        on_looked: Callable[[str, bool], object] = lambda kind, looked: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._newest, self._counters, self._on_looked, self._clock = newest, counters, on_looked, clock
        self._seen = {kind: _Newest() for kind in newest}
        self._made: dict[tuple[str, int], tuple[int, bytes]] = {}  # (serial, JPEG) by kind and width
        self._encoders: dict[tuple[str, int], JpegEncoder] = {}
        self._tell = Throttle(0.1, 1)
        self._changed = threading.Condition()  # guards the looks
        self._looks: list[Looking] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="preview", daemon=True)

    def start(self) -> None:
        """Start; nothing is made before somebody looks."""
        self._thread.start()

    def close(self) -> None:
        """Stop. Idempotent."""
        with self._changed:
            self._stop.set()
            self._changed.notify()
        ended(self._thread)

    def look(self, kind: str, width: int, rate: float, deliver: Deliver) -> Looking:
        """Look at a kind of picture; see `control.page.pictures.Pictures`."""
        looking = Looking(self, kind, width, 1 / rate, deliver)
        with self._changed:
            self._looks.append(looking)
            self._on_looked(kind, True)
            self._changed.notify()
        return looking

    def wanted(self, looking: Looking) -> None:
        """Have one more picture delivered."""
        with self._changed:
            looking.ready = True
            self._changed.notify()

    def forget(self, looking: Looking) -> None:
        """Deliver no more."""
        with self._changed:
            if looking in self._looks:
                self._looks.remove(looking)
                self._on_looked(looking.kind, any(one.kind == looking.kind for one in self._looks))

    def step(self) -> None:
        """Make and deliver the pictures that are due."""
        now = self._clock()
        with self._changed:
            due = [looking for looking in self._looks if looking.ready and looking.due <= now]
        for kind in {looking.kind for looking in due}:
            seen, frame = self._seen[kind], self._newest[kind]()
            if frame is not None and frame is not seen.frame:
                seen.frame, seen.serial = frame, seen.serial + 1
        for looking in due:
            if self._seen[looking.kind].serial == looking.serial or not self._deliver(looking):
                looking.due = now + LOOK_S
            else:
                # On a beat that all viewers of one rate share, so that they share pictures, too.
                looking.due = (math.floor(now / looking.period) + 1) * looking.period

    def wait_s(self) -> float:
        """Seconds until a picture is due; infinity while nobody is ready for one."""
        due = min((looking.due for looking in self._looks if looking.ready), default=math.inf)
        return max(due - self._clock(), 0.0)

    def _deliver(self, looking: Looking) -> bool:
        """Hand the newest picture to a viewer. Returns False when it cannot be made."""
        seen, size = self._seen[looking.kind], (looking.kind, looking.width)
        if seen.frame is None:
            return False
        if self._made.get(size, (0, b""))[0] != seen.serial:
            encoder = self._encoders.setdefault(size, JpegEncoder(looking.width))
            self._made[size] = seen.serial, encoder(seen.frame)
            self._counters.add("previews_made")
        looking.ready, looking.serial = False, seen.serial
        looking.deliver(self._made[size][1])
        return True

    def _forget_pictures(self) -> None:
        self._made.clear()
        self._encoders.clear()
        for seen in self._seen.values():
            seen.frame = None

    def _run(self) -> None:
        while self._wait():
            begin, rest_s = self._clock(), 0.0
            try:
                self.step()
            except Exception:  # the thread's top: a picture is missing, the next will be tried
                self._counters.add("previews_failed")
                if self._tell.allow():
                    log.exception("a picture for the page could not be made; the next one will be tried")
                rest_s = FAILED_S
            self._stop.wait(max(rest_s, (self._clock() - begin) * (1 - SHARE) / SHARE))

    def _wait(self) -> bool:
        """Wait until a picture is due. Returns False at the end."""
        with self._changed:
            while not self._stop.is_set() and (left := self.wait_s()) > 0:
                if not self._looks:
                    self._forget_pictures()
                self._changed.wait(None if left == math.inf else left)
        return not self._stop.is_set()
