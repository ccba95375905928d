"""The engine's thread: waits for a chunk of input, snapshots the parameters, has it painted, hands the result on.

While a chunk's frames still come, the present ones are pushed: the engine does early all the work that can go without the last
frame. When all frames have come already, as with an engine slower than the input, nothing is pushed: the chunk takes evenly
spaced frames.

With `overlap` the loop does not wait for a chunk's pictures. It launches the next as soon as its frames have come, never more
than two at a time, and another thread hands results on in order. An engine that keeps up with the input finishes each chunk by
then, and nothing changes. A slower one paints more frames, because upload, encoding and decoding no longer wait for denoising.
The price is that a picture may come later, by up to a chunk's denoising time: its frames are chosen at launch, and it may then
have to wait for the chunk before. A chunk that begins a stream on purpose (a reset, a take, a refresh) is painted alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol

from sdv2_live.chunk import AHEAD, Chunk, Generated
from sdv2_live.config.schema import Config
from sdv2_live.control.modulation import Modulation
from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore
from sdv2_live.engine.spec import CHUNK_FRAMES
from sdv2_live.errors import EngineLostError
from sdv2_live.frame import Frame
from sdv2_live.live.adaptation import Adaptation
from sdv2_live.live.early import frames_wait, held
from sdv2_live.live.intake import Intake
from sdv2_live.live.load_shedding import render_scale
from sdv2_live.live.playout import Playout
from sdv2_live.live.show_times import Moment, ShowTimes, with_transition
from sdv2_live.stats import Counters, Fill, Rate, StageTimer
from sdv2_live.threads import OneThread, ended

if TYPE_CHECKING:
    from sdv2_live.control.timeline.recording import MoveRecorder
    from sdv2_live.engine.spec import PromptMix
    from sdv2_live.takes.recorder import Recorder

log = logging.getLogger("sdv2_live.loop")

WAIT_S = 0.25  # longest wait for input before the loop looks at the parameters and the stop flag again
REST_S = 1.0  # pause after several failed chunks in a row
IMPATIENT = 3  # failures in a row before the loop rests between tries


class Painter(Protocol):
    """The interface that the loop drives: a `pipeline.stream.Stream`, or an engine host of `worker` over one."""

    timer: StageTimer

    @property
    def ready(self) -> bool:
        """True when it can paint now."""

    def prepare(self, like: Frame, params: Params, *, reset: bool = False, render_scale: float = 1.0) -> int:
        """See `pipeline.stream.Stream`."""

    def push(self, frames: Sequence[Frame]) -> None:
        """See `pipeline.stream.Stream`."""

    def launch(self, chunk: Chunk, *, convert: bool = True) -> Future[Generated]:
        """See `pipeline.stream.Stream`."""

    def settle(self) -> None:
        """See `pipeline.stream.Stream`."""

    def discard(self) -> None:
        """See `pipeline.stream.Stream`."""


class LiveLoop:
    """The engine's thread: one chunk after another, for the whole show. No failure ends it.

    Counts chunks and engine_failures. `rate` is painted frames per second. `overlap` may be set at any time; see the module.
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
        moves: MoveRecorder | None = None,
        on_prompts: Callable[[PromptMix], None] = lambda mix: None,
        launch: Callable[[Moment], None] = lambda moment: None,
        steer: Callable[[int, float, int], int] = lambda captured_ns, frame_ns, chunk_frames: 0,
        adaptation: Adaptation | None = None,
        modulation: Modulation | None = None,
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
        self._moves = moves
        self._on_prompts = on_prompts  # told the prompts of each painted chunk
        self._launch_due = launch  # writes to the store what has waited for this chunk
        self._steer = steer  # how many frames to leave out before a chunk that would begin with the one captured then
        self._needed = CHUNK_FRAMES  # frames that the last chunk took
        self._to_leave_out: int | None = None  # before the next chunk; None: not asked yet
        self._times = ShowTimes()
        self._moment: Moment | None = None  # of the newest chunk
        self._first: Params | None = None  # with which the coming chunk's first frame was taken in
        self._adaptation = adaptation or Adaptation(Config(), counters)
        self._modulation = modulation
        self._hands = OneThread("engine-flight")  # hands on what is painted
        self._in_flight: list[Future[None]] = []  # chunks that were launched, until they are handed on
        self._broken = False  # a chunk failed: those launched after it began on what it left
        self._number = 0  # of the next chunk
        self._failures = 0  # in a row
        self._shown = False  # a painting was
        self._stop = threading.Event()
        self._changed = threading.Event()  # a parameter was written: an idle loop looks at once
        self._forget = store.add_listener(lambda _: self._changed.set())
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @property
    def queues(self) -> dict[str, Fill]:
        """Fill of the queue of launched, unfinished chunks, where chunks overlap."""
        return {"flight": Fill(sum(not chunk.done() for chunk in self._in_flight[:]), AHEAD)}

    def ahead_ns(self, follow: Literal["room", "sound"]) -> int:
        """How long before its time something has to be written, so that the chunk that is nearest to that time shows it."""
        moment = self._moment
        return moment.decides_ns(follow) - moment.captured_ns - moment.period_ns // 2 if moment is not None else 0

    def start(self) -> None:
        """Start to paint."""
        self._thread.start()

    def close(self) -> None:
        """Finish the chunks in flight and stop. Idempotent."""
        self._stop.set()
        self._changed.set()
        ended(self._thread)
        self._hands.close()  # what fails now is nobody's concern any more
        self._forget()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._step()
            except EngineLostError:  # its host says why, and starts it again
                self._lost_chunk()
            except Exception:  # the thread's top: one chunk is lost, the next begins a new stream
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
        wait(self._in_flight)  # one loss is told for all of them
        self._in_flight.clear()
        self._broken = False
        self._first = None
        self._number = self._counters["chunks"]
        if not self._stop.is_set():
            self._counters.add("engine_failures")
            self._playout.lost()

    def _step(self) -> None:
        """Advance the next chunk as far as possible without a long wait."""
        if not self._land(AHEAD - 1, WAIT_S):
            return
        if self._rests():
            self._land()
            self._changed.clear()
            if self._rests() and not self._stop.is_set():
                self._changed.wait(WAIT_S)
            self._intake.skip()
            self._first = None
            self._times.paused()
            return
        newest = self._intake.newest(WAIT_S)
        if newest is None or self._left_out():
            return
        adaptation = self._adaptation
        measures = adaptation.state.measures
        scale = render_scale(measures)
        coming = held(adaptation.used(self._store.latest()), self._first)
        needed = self._stream.prepare(newest, coming, render_scale=scale)
        self._needed = needed
        begun = self._intake.begin(needed, newest)
        if begun:
            if self._first is not None or not frames_wait(coming):
                self._first = coming
                self._stream.push(begun)
            return
        # Snapshot as late as possible, so that a control change reaches this chunk, not the next.
        moment = self._times.of(self._intake.first_ns(needed) or newest.captured_ns, self._playout.delay_ns)
        self._moment = moment
        self._launch_due(moment)
        asked = self._store.snapshot(self._number)
        if self._moves is not None:
            self._moves.taken(asked)
        params = held(with_transition(asked.params, moment.period_ns), self._first)
        snapshot = adaptation.used_by(replace(asked, params=params))
        recorder = self._recorder
        starting = recorder is not None and recorder.waiting  # a take stands on its own: it begins with a new stream
        anew = starting or "reset" in snapshot.fired or adaptation.due()
        if anew:
            self._land()
        needed = self._stream.prepare(newest, snapshot.params, reset=anew, render_scale=scale)
        if starting:
            self._stream.settle()
        with self._stream.timer("capture"):  # 0 but for a reset, which needs a frame more
            frames = self._intake.pop_chunk(needed, timeout=1.0, like=newest)
        if frames is None:
            return
        self._to_leave_out = self._first = None
        if self._moves is not None:
            self._moves.chunk(frames[0].captured_ns)
        chunk = self._moved(Chunk(self._number, frames, snapshot, measures), moment.shown_ns - moment.captured_ns)
        self._launch(chunk, alone=anew or not self.overlap)

    def _moved(self, chunk: Chunk, delay_ns: int) -> Chunk:
        """The chunk with the effective values of what moves by itself; its frames will be seen `delay_ns` after their capture."""
        if self._modulation is None:
            return chunk
        captured = [frame.captured_ns for frame in chunk.frames]
        params, swing = self._modulation(chunk.params, captured, delay_ns)
        return replace(chunk, snapshot=replace(chunk.snapshot, params=params), swing=swing)

    def _left_out(self) -> bool:
        """Leave one frame out before the next chunk, where that lets a chunk begin on a boundary; True when one was."""
        if self._to_leave_out is None:
            first_ns = self._intake.beginning_ns()
            frame_ns = 1e9 / (self._intake.rate.per_second() or 30.0)
            self._to_leave_out = 0 if first_ns is None else self._steer(first_ns, frame_ns, self._needed)
        if not self._to_leave_out:
            return False
        self._to_leave_out -= 1
        self._intake.leave_out()
        return True

    def _launch(self, chunk: Chunk, *, alone: bool) -> None:
        """Have a chunk painted, and handed on after the chunks before it.

        Args:
            alone: wait until that is done.
        """
        recorder = self._recorder
        seen = self._playout.seen or (recorder is not None and recorder.recording)
        generated = self._stream.launch(chunk, convert=seen)
        self._number += 1
        self._in_flight.append(self._hands.submit(self._finish, generated))
        if alone:
            self._land()

    def _land(self, most: int = 0, timeout: float | None = None) -> bool:
        """Wait until at most `most` chunks are in flight; False when `timeout` seconds were not enough.

        Raises the error of a chunk that failed.
        """
        while self._in_flight and (len(self._in_flight) > most or self._in_flight[0].done()):
            if not wait([self._in_flight[0]], timeout).done:
                return False
            self._in_flight.pop(0).result()
        return True

    def _finish(self, launched: Future[Generated]) -> None:
        """Wait for a chunk and hand it on, in order; drop it if a chunk before it failed."""
        try:
            generated = launched.result()
            if not self._broken:
                self._hand_on(generated)
        except Exception:  # whatever it is: the chunks after it are dropped, too
            self._broken = True
            raise

    def _hand_on(self, generated: Generated) -> None:
        frames = generated.chunk.frames
        self._stream.timer.add("chunk", generated.seconds * 1e3)
        if self._recorder is not None:
            self._recorder.add(generated)
        input_fps = self._intake.rate.per_second() or float(frames[-1].rate)  # what a sender declares need not be what comes
        pictures = self._adaptation.finish(generated, input_fps)
        self._on_prompts(generated.recipe.prompt.mix)
        self._failures = 0
        if pictures:
            self._shown = True
            self._playout.show(pictures)
        self._counters.add("chunks")
        self.rate.add(len(frames))

    def _rests(self) -> bool:
        """True when nothing is to be painted now. A begun chunk is finished first: its frames cannot be taken back."""
        return not self._stream.ready or (self._idle(self._store.latest()) and not self._intake.begun)

    def _idle(self, params: Params) -> bool:
        """True when a painting would not be seen now. A show that starts frozen holds its first painting."""
        return (params.freeze and self._shown) or (params.bypass and not self.run_while_bypassed)
