"""The data flow: frames in, restyled frames out, one chunk at a time.

    frames -> preprocess -> encode -> denoise -> decode -> postprocess -> frames

`Stream` is that path, used alike by the live loop, by offline rendering and by replays.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor

from sdv2_live.control.params import Params
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.plan import ChunkSettings, Mode, Painting, PromptMix, Schedule, StreamSpec
from sdv2_live.engine.prompt import PromptDirector
from sdv2_live.engine.state import StreamState
from sdv2_live.frame import Frame
from sdv2_live.gpu.backend import new_postprocessor, new_preprocessor
from sdv2_live.gpu.geometry import Fit, Size, model_size, shrunk
from sdv2_live.gpu.preprocess import Preprocessor
from sdv2_live.model.cachespec import CacheSpec
from sdv2_live.model.lora import LoraSet
from sdv2_live.settings import Config
from sdv2_live.stats import StageTimer

log = logging.getLogger("sdv2_live.stream")


class Stream:
    """One stream of pictures over an engine: keeps its state, and sets it up anew when the input or the settings ask for it."""

    ready = True  # as `loop.Painter` wants to know
    share = 1.0  # of the pixels asked for, how many to paint: where that changes, the stream is set up anew

    def __init__(
        self,
        engine: Engine,
        director: PromptDirector,
        config: Config,
        max_pixels: int,
        timer: StageTimer,
        *,
        loras: LoraSet | None = None,
    ) -> None:
        self.engine = engine
        self._loras = loras or LoraSet()
        self.timer = timer
        self._director = director
        self._config = config
        self._max_pixels = max_pixels
        self._postprocess = new_postprocessor(
            config.video.pixel_format,
            color=config.video.color,
            input_size=config.video.output_size == "input",
            fit=Fit(config.video.fit),
            device=engine.device,
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
    def started(self) -> bool:
        """The stream is past its first chunk."""
        return self._state is not None and self._state.started

    @property
    def chunks_in_flight(self) -> int:
        """Chunks taken in whose pictures have not come out."""
        return len(self._in_flight)

    def prepare(self, like: Frame, params: Params, *, reset: bool = False) -> int:
        """Make the state fit the input's size and the settings, and return how many frames the next chunk takes."""
        size = model_size(like.size, self._config.video.size, self._max_pixels)
        if self.share < 1:
            size = shrunk(size, self.share)
        spec = self._spec(size, params)
        if self._state is None or self._must_rebuild(spec, reset):
            where = (*size, like.height, like.width, self._postprocess.backend)
            log.info("stream set up at height %d, width %d, for input %dx%d, frames by %s", *where)
            return self.begin(spec).frames_needed
        if reset:
            self._state.reset_()
            self._in_flight.clear()
        return self._state.frames_needed

    def begin(self, spec: StreamSpec) -> StreamState:
        """Start a new stream of exactly this kind, whatever the input's size."""
        self._state = self.engine.new_state(spec)
        self._preprocess = new_preprocessor(
            (spec.height, spec.width),
            fit=Fit(self._config.video.fit),
            dtype=self.engine.pixel_dtype,
            device=self.engine.device,
        )
        self._in_flight.clear()
        self.engine.warm_up(self._state, len(self._config.params.steps))
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
        mix = PromptMix(params.blend, params.interpolation)
        scales = self._loras.apply(params.lora_scales)
        conditioning = self._director.condition(mix, params.transition_chunks, wait=wait_for_prompt, scales=scales)
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
