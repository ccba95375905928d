"""The engine's thread: waits for a chunk of input, takes one snapshot of the parameters, has it painted, hands the result on.

While a chunk's frames are still coming, those that are there are pushed: what the engine can do without the last one is done
when that comes. Where they have all come already, as with an engine that is slower than the input, nothing is pushed: the
chunk takes evenly spaced ones of them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore
from sdv2_live.engine.plan import Painting
from sdv2_live.errors import EngineLostError
from sdv2_live.frame import Frame
from sdv2_live.io.intake import Intake
from sdv2_live.io.playout import Playout
from sdv2_live.settings import Config
from sdv2_live.stats import Counters, Rate, StageTimer
from sdv2_live.upkeep import Done, Upkeep

if TYPE_CHECKING:
    from sdv2_live.takes.recorder import Recorder

log = logging.getLogger("sdv2_live.loop")

WAIT_S = 0.25  # longest wait for input before the loop looks at the parameters and the stop flag again
REST_S = 1.0  # pause after several failed chunks in a row
IMPATIENT = 3  # failures in a row before the loop rests between tries


class Painter(Protocol):
    """What the loop drives: a `stream.Stream`, or an engine host of `worker` over one."""

    timer: StageTimer
    painting: Painting | None
    ready: bool  # it can paint now
    share: float  # of the pixels asked for, how many to paint

    def prepare(self, like: Frame, params: Params, *, reset: bool = False) -> int:
        """See `stream.Stream`."""

    def push(self, frames: Sequence[Frame]) -> None:
        """See `stream.Stream`."""

    def paint(self, frames: Sequence[Frame], params: Params, *, convert: bool = True) -> list[Frame]:
        """See `stream.Stream`."""

    def settle(self) -> None:
        """See `stream.Stream`."""

    def discard(self) -> None:
        """See `stream.Stream`."""


class LiveLoop:
    """The engine's thread: one chunk after another, for as long as the show lasts. Nothing that goes wrong ends it.

    Counts chunks and engine_failures. `rate` is painted frames per second.
    """

    def __init__(
        self,
        stream: Painter,
        intake: Intake,
        playout: Playout,
        store: ParamStore,
        counters: Counters,
        *,
        run_while_bypassed: bool = False,
        recorder: Recorder | None = None,
        upkeep: Upkeep | None = None,
    ) -> None:
        self.rate = Rate()
        self._stream = stream
        self._intake = intake
        self._playout = playout
        self._store = store
        self._counters = counters
        self.run_while_bypassed = run_while_bypassed
        self._recorder = recorder
        self._upkeep = upkeep or Upkeep(Config(), counters)
        self._failures = 0  # in a row
        self._stop = threading.Event()
        self._changed = threading.Event()  # a parameter was written: an idle loop looks at once
        self._forget = store.add_listener(lambda _: self._changed.set())
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to paint."""
        self._thread.start()

    def close(self) -> None:
        """Finish the chunk at hand and stop. Idempotent."""
        self._stop.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()
        self._forget()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._step()
            except EngineLostError:  # its host says why, and starts it again
                self._lost_chunk()
            except Exception:
                self._failures += 1
                log.exception("a chunk failed; the stream starts anew")
                self._lost_chunk()
                self._stream.discard()
                self._stop.wait(REST_S if self._failures >= IMPATIENT else 0)

    def _lost_chunk(self) -> None:
        if not self._stop.is_set():
            self._counters.add("engine_failures")
            self._playout.lost()

    def _step(self) -> None:
        """Go on with the next chunk, as far as that goes without waiting for long."""
        if self._rests():
            self._changed.clear()
            if self._rests() and not self._stop.is_set():
                self._changed.wait(WAIT_S)
            self._intake.skip()
            return
        newest = self._intake.newest(WAIT_S)
        if newest is None:
            return
        upkeep = self._upkeep
        self._stream.share = upkeep.share
        needed = self._stream.prepare(newest, upkeep.used(self._store.latest()))
        begun = self._intake.begin(needed, newest)
        if begun:
            self._stream.push(begun)
            return
        # As late as possible, so that the hand is answered by this very chunk.
        taken = upkeep.used_by(self._store.take(self._counters["chunks"]))
        recorder = self._recorder
        starting = recorder is not None and recorder.waiting  # a take stands on its own: it begins with a new stream
        needed = self._stream.prepare(newest, taken.params, reset=starting or "reset" in taken.fired or upkeep.due())
        if starting:
            self._stream.settle()
        with self._stream.timer("capture"):  # 0 but for a reset, which needs a frame more
            frames = self._intake.take(needed, timeout=1.0, like=newest)
        if frames is None:
            return
        begin = time.monotonic()
        with self._stream.timer("chunk"):
            watched = self._playout.sink.watched or (recorder is not None and recorder.recording)
            painted = self._stream.paint(frames, taken.params, convert=watched)
        seconds, painting = time.monotonic() - begin, self._stream.painting
        if recorder is not None and painting is not None:
            recorder.add(self._counters["chunks"], taken, frames, painted, painting)
        began = painting is not None and painting.begins is not None
        painted = upkeep.finish(Done(frames, painted, taken.params, float(newest.rate), seconds, began))
        self._failures = 0
        self._counters.add("chunks")
        self.rate.add(len(frames))
        if painted:
            self._playout.show(painted)

    def _rests(self) -> bool:
        """Whether nothing is to be painted now. A chunk that was begun is finished first: its frames cannot be taken back."""
        return not self._stream.ready or (self._idle(self._store.latest()) and not self._intake.begun)

    def _idle(self, params: Params) -> bool:
        """Whether nothing that is painted now would be seen."""
        return params.freeze or (params.bypass and not self.run_while_bypassed)
