"""The engine's thread: waits for a chunk of input, takes one snapshot of the parameters, has it painted, hands the result on.

While a chunk's frames are still coming, those that are there are pushed: what the engine can do without the last one is done
when that comes. Where they have all come already, as with an engine that is slower than the input, nothing is pushed: the
chunk takes evenly spaced ones of them.

With `overlap` the loop does not wait for a chunk's pictures: it launches the next as soon as that one's frames have come, never
more than two at a time, and a thread hands on what is done, in order. An engine that keeps up with the input has each chunk done
by then, and nothing changes. One that does not paints more frames, as its upload, encoding and decoding no longer stand in line
with its denoising; for that a picture may come later, by up to the time that a chunk spends denoising: its frames are chosen when
it is launched, and it may then have to wait for the one before. A chunk that begins a stream on purpose (a reset, a take, a
refresh) is painted alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore, Snapshot
from sdv2_live.engine.spec import Painting
from sdv2_live.errors import EngineLostError
from sdv2_live.frame import Frame
from sdv2_live.live.adaptation import Adaptation, Done
from sdv2_live.live.intake import Intake
from sdv2_live.live.load_shedding import render_scale
from sdv2_live.live.playout import Playout
from sdv2_live.pipeline.in_flight import Flight
from sdv2_live.stats import Counters, Fill, Rate, StageTimer
from sdv2_live.system.clock import monotonic
from sdv2_live.threads import ended

if TYPE_CHECKING:
    from sdv2_live.takes.recorder import Recorder

log = logging.getLogger("sdv2_live.loop")

WAIT_S = 0.25  # longest wait for input before the loop looks at the parameters and the stop flag again
REST_S = 1.0  # pause after several failed chunks in a row
IMPATIENT = 3  # failures in a row before the loop rests between tries


class Launched(Protocol):
    """A chunk that is being painted."""

    @property
    def painting(self) -> Painting:
        """What it was painted with, once its frames are there."""

    def __call__(self) -> list[Frame]:
        """Wait for its frames. Called once, by any thread, in the order of launching."""


class Painter(Protocol):
    """What the loop drives: a `pipeline.stream.Stream`, or an engine host of `worker` over one."""

    timer: StageTimer
    ready: bool  # it can paint now

    def prepare(self, like: Frame, params: Params, *, reset: bool = False, render_scale: float = 1.0) -> int:
        """See `pipeline.stream.Stream`."""

    def push(self, frames: Sequence[Frame]) -> None:
        """See `pipeline.stream.Stream`."""

    def launch(self, frames: Sequence[Frame], params: Params, *, convert: bool = True) -> Launched:
        """See `pipeline.stream.Stream`."""

    def settle(self) -> None:
        """See `pipeline.stream.Stream`."""

    def discard(self) -> None:
        """See `pipeline.stream.Stream`."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk in flight. input_fps: frames a second that come in. shed: steps of `shed.steps` that it is painted with."""

    number: int
    taken: Snapshot
    frames: Sequence[Frame]
    input_fps: float
    shed: tuple[str, ...]
    begin: float
    launched: Launched


class LiveLoop:
    """The engine's thread: one chunk after another, for as long as the show lasts. Nothing that goes wrong ends it.

    Counts chunks and engine_failures. `rate` is painted frames per second. overlap: see above; it may be set at any time.
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
        overlap: bool = False,
        recorder: Recorder | None = None,
        upkeep: Adaptation | None = None,
    ) -> None:
        self.rate = Rate()
        self._stream = stream
        self._intake = intake
        self._playout = playout
        self._store = store
        self._counters = counters
        self.run_while_bypassed = run_while_bypassed
        self.overlap = overlap
        self._recorder = recorder
        self._upkeep = upkeep or Adaptation(Config(), counters)
        self._flight: Flight[_Chunk] = Flight(self._finish, lambda chunk: chunk.launched())
        self._number = 0  # of the next chunk
        self._finished_at = 0.0
        self._failures = 0  # in a row
        self._shown = False  # a painting was
        self._stop = threading.Event()
        self._changed = threading.Event()  # a parameter was written: an idle loop looks at once
        self._forget = store.add_listener(lambda _: self._changed.set())
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def queues(self) -> dict[str, Fill]:
        """Chunks that were launched and are not done, where chunks overlap."""
        return {"flight": self._flight.fill}

    def start(self) -> None:
        """Begin to paint."""
        self._thread.start()

    def close(self) -> None:
        """Finish the chunks at hand and stop. Idempotent."""
        self._stop.set()
        self._changed.set()
        ended(self._thread)
        self._flight.close()
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
                self._begin_anew()

    def _begin_anew(self) -> None:
        try:
            self._stream.discard()
        except Exception:  # the next chunk shows whether anything can be painted
            log.exception("what the failed chunk left could not be thrown away")
        self._stop.wait(REST_S if self._failures >= IMPATIENT else 0)

    def _lost_chunk(self) -> None:
        self._flight.clear()  # one loss is told for all that were in flight
        self._number = self._counters["chunks"]
        if not self._stop.is_set():
            self._counters.add("engine_failures")
            self._playout.lost()

    def _step(self) -> None:
        """Go on with the next chunk, as far as that goes without waiting for long."""
        if not self._flight.room(WAIT_S):
            return
        if self._rests():
            self._flight.land()
            self._changed.clear()
            if self._rests() and not self._stop.is_set():
                self._changed.wait(WAIT_S)
            self._intake.skip()
            return
        newest = self._intake.newest(WAIT_S)
        if newest is None:
            return
        upkeep = self._upkeep
        shed = upkeep.state.steps
        scale = render_scale(shed)
        needed = self._stream.prepare(newest, upkeep.used(self._store.latest()), render_scale=scale)
        begun = self._intake.begin(needed, newest)
        if begun:
            self._stream.push(begun)
            return
        # Snapshot as late as possible, so that a control change reaches this chunk, not the next.
        taken = upkeep.used_by(self._store.snapshot(self._number))
        recorder = self._recorder
        starting = recorder is not None and recorder.waiting  # a take stands on its own: it begins with a new stream
        anew = starting or "reset" in taken.fired or upkeep.due()
        if anew:
            self._flight.land()
        needed = self._stream.prepare(newest, taken.params, reset=anew, render_scale=scale)
        if starting:
            self._stream.settle()
        with self._stream.timer("capture"):  # 0 but for a reset, which needs a frame more
            frames = self._intake.pop_chunk(needed, timeout=1.0, like=newest)
        if frames is None:
            return
        begin = monotonic()
        watched = self._playout.sink.watched or (recorder is not None and recorder.recording)
        launched = self._stream.launch(frames, taken.params, convert=watched)
        input_fps = self._intake.rate.per_second() or float(newest.rate)  # what a sender declares need not be what comes
        chunk = _Chunk(self._number, taken, frames, input_fps, shed, begin, launched)
        self._number += 1
        if self.overlap and not anew:
            self._flight.add(chunk)
        else:
            self._flight.land()
            self._finish(chunk)

    def _finish(self, chunk: _Chunk) -> None:
        """Wait for a chunk's pictures and hand them on; in order, on the engine's thread or the flight's."""
        painted, painting = chunk.launched(), chunk.launched.painting
        now, before = monotonic(), max(chunk.begin, self._finished_at)
        self._finished_at = now
        self._stream.timer.add("chunk", (now - before) * 1e3)
        if self._recorder is not None:
            self._recorder.add(chunk.number, chunk.taken, chunk.frames, painted, painting)
        began = painting.begins is not None
        done = Done(chunk.frames, painted, chunk.taken.params, chunk.input_fps, now - before, began, chunk.shed)
        painted = self._upkeep.finish(done)
        self._failures = 0
        self._counters.add("chunks")
        self.rate.add(len(chunk.frames))
        if painted:
            self._shown = True
            self._playout.show(painted)

    def _rests(self) -> bool:
        """Whether nothing is to be painted now. A chunk that was begun is finished first: its frames cannot be taken back."""
        return not self._stream.ready or (self._idle(self._store.latest()) and not self._intake.begun)

    def _idle(self, params: Params) -> bool:
        """Whether nothing that is painted now would be seen. A show that starts frozen holds its first painting."""
        return (params.freeze and self._shown) or (params.bypass and not self.run_while_bypassed)
