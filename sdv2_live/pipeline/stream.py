"""The data flow: frames in, restyled frames out, one chunk at a time.

    frames -> preprocess -> encode -> denoise -> decode -> postprocess -> frames

`Stream` is that path, used alike by the live loop, offline rendering and replays. Live, the first two stages begin with a chunk's
first frame (`push`); the result is the same, bit for bit.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Any

from torch import Tensor

from sdv2_live.chunk import AHEAD, Chunk, Generated
from sdv2_live.config.schema import Config
from sdv2_live.config.stream_spec import stream_spec
from sdv2_live.control.params import Params
from sdv2_live.engine.denoising import Denoised
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.prompt import PromptDirector
from sdv2_live.engine.spec import ChunkPlan, ChunkSettings, Mode, Painting, PromptMix, StreamSpec
from sdv2_live.engine.state import StreamState
from sdv2_live.frame import Frame
from sdv2_live.gpu.between import Between
from sdv2_live.gpu.detail import Guide
from sdv2_live.gpu.geometry import Size, model_size, shrunk
from sdv2_live.gpu.lanes import new_lanes
from sdv2_live.gpu.look import PLAIN, Look
from sdv2_live.gpu.preprocess import Coming, Preprocessor
from sdv2_live.model.lora.lora import LoraSet
from sdv2_live.model.profiles import StreamKind
from sdv2_live.pipeline.conversion import new_postprocess, new_preprocess
from sdv2_live.pipeline.effects import Effects, input_look
from sdv2_live.pipeline.mixing import mixed
from sdv2_live.pipeline.sized import ChosenSize
from sdv2_live.stats import StageTimer
from sdv2_live.system.clock import monotonic
from sdv2_live.threads import OneThread

log = logging.getLogger("sdv2_live.stream")


class Stream:
    """One stream of pictures over an engine: keeps its state, and rebuilds it when the input or the settings require it."""

    ready = True  # as `live.loop.Painter` wants to know
    group: Any = None  # the other ranks of its engine, if it has some
    chosen_size: ChosenSize | None = None  # chooses the most pixels for each input; None: they are given

    def __init__(
        self,
        engine: Engine,
        director: PromptDirector,
        config: Config,
        max_pixels: int,
        timer: StageTimer,
        *,
        loras: LoraSet | None = None,
        kind: StreamKind | None = None,
        image: Frame | None = None,
    ) -> None:
        """image: a stream's first picture, for a model that can begin with one."""
        self.engine = engine
        self.on_set_up: Callable[[], None] = lambda: None  # called before a stream is set up, which may take seconds
        self._loras = loras or LoraSet()
        self.timer = timer
        self._director = director
        self._config = config
        self._max_pixels = max_pixels
        self._kind = kind or StreamKind()
        self._image = image
        self._postprocess = new_postprocess(config, engine)
        self.moves = config.output.fps > 0  # pictures are at the ticks of that rate, some of them moved
        self._postprocess.between = Between(config.output.fps, config.video.pixel_format) if self.moves else None
        self._effects = Effects(config, engine.device, engine.pixel_dtype)
        self._look = PLAIN  # of the frames that come
        self._feeds = False  # the next chunk is to have the last picture in it
        self._preprocess: Preprocessor | None = None
        self._state: StreamState | None = None
        self._lanes = new_lanes(timer, engine.device)
        self._coming: Coming | None = None  # the next chunk, if frames of it were pushed
        self._painted: Future[Callable[[], list[Frame]]] | None = None  # the last chunk's last stages
        self._launched: deque[Future[Generated]] = deque()  # chunks that may not be done
        self._device = OneThread("device")  # waits for them
        self._done_at = 0.0  # when the last one was
        # Input of chunks that are not finished: frames for their times, pixels (1, 3, T, H, W) to mix in, the mix's swing, and
        # luma for their detail.
        self._in_flight: deque[tuple[list[Frame], Tensor | None, tuple[float, ...], Guide | None]] = deque()

    @property
    def size(self) -> Size | None:
        """(height, width) the model runs at, None before the first frame."""
        return (self._state.spec.height, self._state.spec.width) if self._state else None

    @property
    def measured_pixels(self) -> int | None:
        """The most pixels of a picture as `chosen_size` chose them last, None where they are given."""
        return None if self.chosen_size is None else self._max_pixels

    def prepare(self, like: Frame, params: Params, *, reset: bool = False, render_scale: float = 1.0) -> int:
        """Make the state fit the input's size and the settings, and return the number of frames that the next chunk takes.

        Pushed frames of another size or layout than `like` are dropped. Frames that the encoder has already taken cannot be
        un-encoded, so such a change then resets the stream.

        Args:
            like: a frame of the input.
            params: the parameters of the next chunk.
            reset: begin a new stream.
            render_scale: share of the configured pixels to paint, in (0, 1]; a change rebuilds the stream.
        """
        if self._coming is not None and not all(frame.alike(like) for frame in self._coming.frames):
            log.info("the input became %dx%d %s in the midst of a chunk", like.height, like.width, like.format.value)
            self._coming = None
            reset = reset or (self._state is not None and self._state.pushed > 0)
        self._look, self._feeds = input_look(params), params.feedback > 0
        if self.chosen_size is not None:
            self._max_pixels = self.chosen_size(like, params, self.on_set_up)
        size = model_size(like.size, self._config.video.size, self._max_pixels)
        if render_scale < 1:
            size = shrunk(size, render_scale)
        spec = stream_spec(self._config, self._kind, size, params)
        if self._state is None or self._must_rebuild(spec, reset):
            where = (*size, like.height, like.width, self._postprocess.backend)
            log.info("stream set up at height %d, width %d, for input %dx%d, frames by %s", *where)
            self.on_set_up()
            return self.begin(spec).frames_needed
        if reset:
            with self._lanes.alone():
                self._state.reset_()
                self._postprocess.forget()
            self._in_flight.clear()
            self._coming = None
        return self._state.frames_needed

    def begin(self, spec: StreamSpec) -> StreamState:
        """Start a new stream of exactly this kind, whatever the input's size."""
        self._forget()
        with self._lanes.alone():
            self._state = state = self.engine.new_state(spec)
            self._preprocess = new_preprocess(self._config, self.engine, (spec.height, spec.width))
            self.engine.warm_up(state)
            if self._image is not None:
                self.engine.give(self._preprocess.chunk([self._image]), state)
        self._lanes.release()
        return state

    def settle(self) -> None:
        """Let the next chunk show its prompt in full; together with a reset, it then depends on no chunk before it."""
        self._director.settle()

    def renew(self) -> None:
        """Let the next chunk's mix of prompts be a new prompt, even if only its weights are others: it fades in, or cuts."""
        self._director.renew()

    def discard(self) -> None:
        """Discard the state, for example after a failure: the next chunk begins a new stream, with its prompt in full."""
        try:
            self._forget()
        finally:
            self.settle()

    def _forget(self) -> None:
        try:
            wait(self._launched)  # not even a graph that is running is thrown away
            with self._lanes.alone():  # nobody uses its memory any more when it is given to others
                self._state = None
                self._postprocess.forget()
        finally:  # also where the device is lost, and nothing can be waited for
            self._state = self._coming = self._painted = None
            self._launched.clear()
            self._in_flight.clear()

    def push(self, frames: Sequence[Frame]) -> None:
        """Take in the part of the next chunk that has arrived, so that less is left to do when its last frame comes.

        Call `prepare` first. Pushed frames belong to the next chunk: the encoder's memory cannot be rolled back. A prompt cut
        keeps them, as it keeps the autoencoder's memory. A new stream, a reset and `discard` forget them, and the next call takes
        all frames in again. Text mode reads no frames, and feedback waits for the chunk before: nothing happens then.

        Args:
            frames: the chunk's frames so far, from its first on. Frames taken in before are skipped; `paint` gets all of them
                again.

        Raises:
            EngineError: frames were left out since the last call.
        """
        state = self._state
        assert state is not None
        if state.spec.mode is not Mode.VIDEO or self._feeds:
            return
        if self._coming is None:
            self._lanes.begin()
        with self._lanes.stage("push", "input"):
            self.engine.push(self._pixels(frames, state, self._look), state)

    def paint(
        self,
        frames: Sequence[Frame],
        params: Params,
        swing: tuple[float, ...] = (),
        *,
        wait_for_prompt: bool = False,
        convert: bool = True,
    ) -> list[Frame]:
        """Restyle one chunk and wait for its pictures: see `launch`, and `Chunk`."""
        launched = self.launch(Chunk.of(frames, params, swing), wait_for_prompt=wait_for_prompt, convert=convert)
        return list(launched.result().pictures)

    def launch(self, chunk: Chunk, *, wait_for_prompt: bool = False, convert: bool = True) -> Future[Generated]:
        """Restyle one chunk. Call `prepare` first and give as many frames as it returned, the pushed ones first.

        The next chunk can be launched before this one's pictures are done: its upload and encoding then run beside this
        chunk's denoising and decoding. Chunks finish in order. At most AHEAD are in flight: this call waits for a free place.

        Args:
            convert: make pictures; False when nobody watches, and the stream goes on without them.
        """
        state, lanes, begin = self._state, self._lanes, monotonic()
        frames, params = chunk.frames, chunk.params
        assert state is not None
        while len(self._launched) >= AHEAD:
            wait([self._launched.popleft()])
        mix = PromptMix(params.standing, params.interpolation)
        if self._coming is None:
            lanes.begin()
        with lanes.prelude("denoise", writes=self._loras.changed_by(params.lora_scales)):  # it reads what these two write
            scales = self._loras.apply(params.lora_scales)
            conditioning = self._director.condition(mix, params.transition_chunks, wait=wait_for_prompt, scales=scales)
        recipe = Painting(None if state.started else state.spec, conditioning.step)
        if conditioning.step.began and params.prompt_change == "cut":
            with lanes.alone():
                state.cut_()
            self._in_flight.clear()
        pixels = guide = None
        if state.spec.mode is Mode.VIDEO:
            with lanes.stage("preprocess", "input"):
                look = input_look(params)
                pixels, self._coming = self._pixels(frames, state, look), None
                if params.detail > 0 and convert:  # now: a frame's memory may be another's before its pictures are made
                    guide = self._postprocess.guide(frames, pixels, look)
        self._in_flight.append((list(frames), pixels, chunk.swing, guide))
        latent, plan = self._encoded(pixels, params, state)
        state.started = True

        before, self._painted = self._painted, None

        def denoise() -> Denoised:
            if state.anchor is not None and before is not None:  # it is a picture of the chunk before
                before.result()
                lanes.follow("denoise", "output")
            with lanes.stage("denoise", "denoise", latent):
                if params.prompt_change == "flush" and conditioning.step.began:
                    state.flush_()
                elif params.prompt_change == "recache" and conditioning.arrived:
                    self.engine.recache(conditioning.cross, state)
                clean = self.engine.launch(latent, conditioning.cross, plan, params.seed, state)
                return lanes.hand_over(clean) if isinstance(clean, Tensor) else clean

        denoised = lanes.go("denoise", denoise)
        self._painted = fetch = lanes.go("output", partial(self._output, denoised, state, params, convert=convert))
        return self._finish(chunk, recipe, begin, lanes.end(), fetch)

    def _encoded(self, pixels: Tensor | None, params: Params, state: StreamState) -> tuple[Tensor | None, ChunkPlan]:
        """The start of a chunk's denoising: its latents, None for noise alone, and how much noise they get."""
        lanes, last = self._lanes, None
        if params.feedback > 0 and self._painted is not None:  # by the chunk before, which is waited for
            self._painted.result()
            lanes.follow("input", "output")
            last = state.painted
        settings = ChunkSettings(
            params.noise_scale,
            params.steps,
            params.seed,
            params.noise_controller,
            kept=params.feedback if last is not None else 0.0,
            memory=params.memory,
        )
        if pixels is None and last is None:
            return None, self.engine.plan(None, settings, state)
        if last is not None:
            with lanes.stage("feedback", "input", last):
                if pixels is None:
                    pixels = self._effects.start(last, params, state.spec.chunk_frames)
                else:
                    pixels = self._effects.fed(pixels, last, params)
        assert pixels is not None
        with lanes.stage("encode", "input"):
            text = state.spec.mode is Mode.TEXT
            coded = self.engine.encode_apart(pixels, state.spec) if text else self.engine.encode(pixels, state)
            latent = lanes.hand_over(coded)
        return latent, self.engine.plan(pixels, settings, state)  # waits for the chunk's motion, measured before the encoding

    def _output(
        self, denoised: Future[Denoised], state: StreamState, params: Params, *, convert: bool
    ) -> Callable[[], list[Frame]]:
        """The last stages of a chunk. Returns what waits for its pictures."""
        clean, lanes = denoised.result(), self._lanes
        if clean is None:
            return list
        if not isinstance(clean, Tensor):  # other processes compute it
            with lanes.stage("ring", "output"):
                clean = clean()
        with lanes.stage("decode", "output", clean):
            painted = self.engine.decode(clean, state)
            state.painted = painted[0, :, -1]
        like, seen, swing, guide = self._in_flight.popleft()
        if not convert:
            return list
        with lanes.stage("postprocess", "output", seen, *(guide.tensors if guide else ())):
            if seen is not None:
                painted = mixed(seen, painted, params.mix, swing)
            return self._postprocess.begin(painted, like, guide, params.detail, self._effects.output_look(params))

    def _pixels(self, frames: Sequence[Frame], state: StreamState, look: Look) -> Tensor:
        """Pixels of the next chunk's frames so far; pushed frames have theirs already, with the look that was theirs then."""
        assert self._preprocess is not None
        if self._coming is None or (self._coming.look != look and not state.pushed):
            self._coming = Coming(self._preprocess, state.frames_needed, look)
        return self._coming.fill(frames)

    def _finish(
        self, chunk: Chunk, recipe: Painting, begin: float, done: Callable[[], None], fetch: Future[Callable[[], list[Frame]]]
    ) -> Future[Generated]:
        """Have a thread wait for the device, once the chunk's last stage is launched."""

        def generated() -> Generated:
            done()
            pictures = fetch.result()()
            before, self._done_at = max(begin, self._done_at), monotonic()
            return Generated(chunk, pictures, recipe, self._done_at - before)

        launched = self._device.submit(generated)
        self._launched.append(launched)
        return launched

    def _must_rebuild(self, wanted: StreamSpec, reset: bool) -> bool:
        """True when size or levels changed, or, at a reset, anything else of the stream's kind."""
        assert self._state is not None
        now = self._state.spec
        if reset:
            return wanted != now
        return (wanted.height, wanted.width, wanted.levels) != (now.height, now.width, now.levels)
