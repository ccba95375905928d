"""The data flow: frames in, restyled frames out, one chunk at a time.

    frames -> preprocess -> encode -> denoise -> decode -> postprocess -> frames

`Stream` is that path, used alike by the live loop and by offline rendering. `LiveLoop` drives it: it waits for a chunk of
input, takes one snapshot of the parameters, paints, and hands the result to the playout.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sdv2_live.control.params import Params
from sdv2_live.control.store import ParamStore
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt import PromptDirector, PromptMix, PromptStep
from sdv2_live.engine.state import ChunkSettings, Mode, Schedule, StreamSpec, StreamState
from sdv2_live.frame import Frame
from sdv2_live.gpu.geometry import Fit, Size, model_size
from sdv2_live.gpu.postprocess import Postprocessor
from sdv2_live.gpu.preprocess import Preprocessor
from sdv2_live.io.intake import Intake
from sdv2_live.io.playout import Playout
from sdv2_live.model.cache import CacheSpec
from sdv2_live.settings import Config
from sdv2_live.stats import Counters, Rate, StageTimer

if TYPE_CHECKING:
    from sdv2_live.takes.recorder import Recorder

log = logging.getLogger("sdv2_live.loop")

WAIT_S = 0.25  # longest wait for input before the loop looks at the parameters and the stop flag again
REST_S = 1.0  # pause after several failed chunks in a row
IMPATIENT = 3  # failures in a row before the loop rests between tries


@dataclass(frozen=True, slots=True)
class Painting:
    """What a chunk was painted with beyond its frames and parameters: with all of it, it can be painted again.

    begins: the kind of stream that began with this chunk; None within a running stream.
    """

    begins: StreamSpec | None
    prompt: PromptStep


class Stream:
    """One stream of pictures over an engine: keeps its state, and sets it up anew when the input or the settings ask for it."""

    def __init__(self, engine: Engine, director: PromptDirector, config: Config, max_pixels: int, timer: StageTimer) -> None:
        self.engine = engine
        self.timer = timer
        self._director = director
        self._config = config
        self._max_pixels = max_pixels
        self._postprocess = Postprocessor(
            config.video.pixel_format,
            color=config.video.color,
            input_size=config.video.output_size == "input",
            fit=Fit(config.video.fit),
        )
        self._preprocess: Preprocessor | None = None
        self._state: StreamState | None = None
        self.painting: Painting | None = None  # of the last chunk
        # Input of chunks that are not finished: frames for their times, pixels (1, 3, T, H, W) to mix in.
        self._in_flight: deque[tuple[list[Frame], Tensor | None]] = deque()

    @property
    def size(self) -> Size | None:
        """(height, width) the model runs at, None before the first frame."""
        return (self._state.spec.height, self._state.spec.width) if self._state else None

    @property
    def chunks_in_flight(self) -> int:
        """Chunks taken in whose pictures have not come out."""
        return len(self._in_flight)

    def prepare(self, like: Frame, params: Params, *, reset: bool = False) -> int:
        """Make the state fit the input's size and the settings, and return how many frames the next chunk takes."""
        size = model_size(like.size, self._config.video.size, self._max_pixels)
        spec = self._spec(size, params)
        if self._state is None or self._must_rebuild(spec, reset):
            log.info("stream set up at height %d, width %d, for input %dx%d", *size, like.height, like.width)
            return self.begin(spec).frames_needed
        if reset:
            self._state.reset_()
            self._in_flight.clear()
        return self._state.frames_needed

    def begin(self, spec: StreamSpec) -> StreamState:
        """Start a new stream of exactly this kind, whatever the input's size."""
        self._state = self.engine.new_state(spec)
        self._preprocess = Preprocessor((spec.height, spec.width), fit=Fit(self._config.video.fit), device=self.engine.device)
        self._in_flight.clear()
        return self._state

    def settle(self) -> None:
        """Let the next chunk show its prompt in full: with a reset, it then depends on nothing that came before."""
        self._director.settle()

    def discard(self) -> None:
        """Throw the state away, as after a failure: the next chunk starts a new one, its prompt in full."""
        self._state = None
        self._in_flight.clear()
        self.settle()

    def paint(
        self, frames: Sequence[Frame], params: Params, *, wait_for_prompt: bool = False, convert: bool = True
    ) -> list[Frame]:
        """Restyle one chunk. Call `prepare` first and give as many frames as it said.

        Returns as many frames as some chunk took: this one's, or with stream_batch that of n-1 chunks ago; none while its
        pipeline fills, or when `convert` is off (nobody watches, but the stream goes on).
        """
        state, timer = self._state, self.timer
        assert state is not None
        assert self._preprocess is not None
        settings = ChunkSettings(params.noise_scale, params.steps, params.seed, params.noise_controller)
        conditioning = self._director.condition(
            PromptMix(params.blend, params.interpolation), params.transition_chunks, wait=wait_for_prompt
        )
        self.painting = Painting(None if state.started else state.spec, conditioning.step)
        if conditioning.step.began and params.prompt_change == "cut":
            state.cut_()
            self._in_flight.clear()
        pixels = latent = None
        if state.spec.mode is Mode.VIDEO:
            with timer("preprocess"):
                pixels = self._preprocess.chunk(frames)
            with timer("encode"):
                latent = self.engine.encode(pixels, state)
        self._in_flight.append((list(frames), pixels))
        with timer("denoise"):
            plan = self.engine.plan(pixels, settings, state)
            clean = self.engine.denoise(latent, conditioning.cross, plan, settings.seed, state)
        if clean is None:
            return []
        with timer("decode"):
            painted = self.engine.decode(clean, state)
        like, seen = self._in_flight.popleft()
        if not convert:
            return []
        with timer("postprocess"):
            if params.mix < 1 and seen is not None:
                painted = torch.lerp(seen.type_as(painted), painted, params.mix)
            return self._postprocess(painted, like)

    def _spec(self, size: Size, params: Params) -> StreamSpec:
        engine = self._config.engine
        mode = Mode(engine.mode)
        schedule = Schedule(engine.schedule) if mode is Mode.VIDEO else Schedule.SEQUENTIAL
        return StreamSpec(
            *size,
            schedule=schedule,
            levels=len(params.steps) if schedule is Schedule.STREAM_BATCH else 1,
            cache=CacheSpec(engine.kv_frames, engine.sink_frames, params.adapt_sink_threshold),
            rope_refresh_frame=engine.rope_refresh_frame,
            normalize_latents=params.normalize_latents,
            mode=mode,
        )

    def _must_rebuild(self, wanted: StreamSpec, reset: bool) -> bool:
        """Size and levels change at once; what the table says applies at the next reset waits for one."""
        assert self._state is not None
        now = self._state.spec
        if reset:
            return wanted != now
        return (wanted.height, wanted.width, wanted.levels) != (now.height, now.width, now.levels)


class LiveLoop:
    """The engine's thread: one chunk after another, for as long as the show lasts. Nothing that goes wrong ends it.

    Counts chunks and engine_failures. `rate` is painted frames per second.
    """

    def __init__(
        self,
        stream: Stream,
        intake: Intake,
        playout: Playout,
        store: ParamStore,
        counters: Counters,
        *,
        run_while_bypassed: bool,
        recorder: Recorder | None = None,
    ) -> None:
        self.rate = Rate()
        self._stream = stream
        self._intake = intake
        self._playout = playout
        self._store = store
        self._counters = counters
        self._run_while_bypassed = run_while_bypassed
        self._recorder = recorder
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
        failures = 0
        while not self._stop.is_set():
            try:
                self._step()
                failures = 0
            except Exception:
                failures += 1
                self._counters.add("engine_failures")
                log.exception("a chunk failed; the stream starts anew and the last picture stays until it is back")
                self._stream.discard()
                self._stop.wait(REST_S if failures >= IMPATIENT else 0)

    def _step(self) -> None:
        if self._idle(self._store.latest()):
            self._changed.clear()
            if self._idle(self._store.latest()) and not self._stop.is_set():
                self._changed.wait(WAIT_S)
            self._intake.skip()
            return
        newest = self._intake.newest(WAIT_S)
        if newest is None:
            return
        needed = self._stream.prepare(newest, self._store.latest())
        if not self._intake.wait(needed, WAIT_S):
            return
        taken = self._store.take(self._counters["chunks"])  # as late as possible, so that the hand is answered by this very chunk
        recorder = self._recorder
        starting = recorder is not None and recorder.waiting  # a take stands on its own: it begins with a new stream
        needed = self._stream.prepare(newest, taken.params, reset=starting or "reset" in taken.fired)
        if starting:
            self._stream.settle()
        with self._stream.timer("capture"):  # 0 but for a reset, which needs a frame more
            frames = self._intake.take(needed, timeout=1.0)
        if frames is None:
            return
        with self._stream.timer("chunk"):
            watched = self._playout.sink.watched or (recorder is not None and recorder.recording)
            painted = self._stream.paint(frames, taken.params, convert=watched)
        if recorder is not None and self._stream.painting is not None:
            recorder.add(self._counters["chunks"], taken, frames, painted, self._stream.painting)
        self._counters.add("chunks")
        self.rate.add(len(frames))
        if painted:
            self._playout.show(painted)

    def _idle(self, params: Params) -> bool:
        """Whether nothing that is painted now would be seen."""
        return params.freeze or (params.bypass and not self._run_while_bypassed)
