"""What the show has of an engine, wherever it runs: in this process, or (see `remote`) in one of its own."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sdv2_live.chunk import Chunk, Generated
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.errors import Sdv2Error
from sdv2_live.frame import Frame
from sdv2_live.stats import Fill, StageTimer
from sdv2_live.worker.messages import Hello

if TYPE_CHECKING:
    from sdv2_live.engine.prompt_cache import PromptCache
    from sdv2_live.pipeline.stream import Stream

OnUp = Callable[[Hello], None]  # told when the models are loaded, for the first time or again


@dataclass(frozen=True, slots=True)
class EngineState:
    """How an engine is. words: loading, running, or why not. pid: its process. ladder: steps taken down. Memory in MB.

    kernels: by what it computes, see pipeline.build.kernels; empty until it was up.
    """

    words: str
    pid: int = 0
    restarts: int = 0
    ladder: tuple[str, ...] = ()
    gpu_mb: int = 0
    kernels: Mapping[str, str] = field(default_factory=dict)


class EngineHost(ABC):
    """A `live.loop.Painter` that is started and closed.

    One thread paints, the loop's; the rest is for any.
    """

    def __init__(self) -> None:
        self.timer = StageTimer()

    @abstractmethod
    def start(self) -> None:
        """Load the models, and tell `on_up` when that is done."""

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether it can paint now."""

    @property
    @abstractmethod
    def failure(self) -> Sdv2Error | None:
        """Why there is no engine and will be none, until somebody repairs it."""

    @abstractmethod
    def halt(self) -> None:
        """Paint nothing from now on; what takes too long to end is cut off."""

    @abstractmethod
    def close(self) -> None:
        """End it. Idempotent."""

    @abstractmethod
    def encode_prompts(self, prompts: Sequence[str], slot: str | None = None) -> None:
        """Encode these prompts before they are used, in place of what was written into the same slot before. Never waits."""

    @abstractmethod
    def prepare(self, like: Frame, params: Params, *, reset: bool = False, render_scale: float = 1.0) -> int:
        """As `Stream.prepare`."""

    @abstractmethod
    def push(self, frames: Sequence[Frame]) -> None:
        """As `Stream.push`; what goes wrong may be raised by the next chunk instead."""

    @abstractmethod
    def launch(self, chunk: Chunk, *, convert: bool = True) -> Future[Generated]:
        """As `Stream.launch`."""

    @abstractmethod
    def settle(self) -> None:
        """As `Stream.settle`."""

    @abstractmethod
    def discard(self) -> None:
        """As `Stream.discard`."""

    @property
    @abstractmethod
    def can_lighten(self) -> bool:
        """Whether `lighten(True)` would change anything."""

    @abstractmethod
    def lighten(self, small: bool) -> None:
        """Go on with the small autoencoder, or with that of the configuration. Never waits for it."""

    @abstractmethod
    def state(self) -> EngineState:
        """How it is now."""

    @property
    @abstractmethod
    def queues(self) -> dict[str, Fill]:
        """How full its queues are."""


class InlineEngine(EngineHost):
    """The engine in the show's own process: one debugger sees all of it, and nothing shields the output from it."""

    def __init__(self, config: Config, latest: Callable[[], Params], on_up: OnUp) -> None:
        """latest: the parameters that hold now."""
        super().__init__()
        self._latest = latest
        self._config = config
        self._on_up = on_up
        self._stream: Stream | None = None
        self._prompts: PromptCache | None = None
        self._kernels: Mapping[str, str] = {}
        self._ready = False

    @property
    def ready(self) -> bool:
        return self._ready

    @property
    def failure(self) -> Sdv2Error | None:
        """None: `start` raises it."""
        return None

    def start(self) -> None:
        """Load the models here and now. Raises WeightsError or EngineError where that cannot be done."""
        from sdv2_live.worker.bring_up import bring_up  # here: a show whose engine is elsewhere needs no torch

        self._stream, self._prompts, hello = bring_up(self._config, self.timer, self._latest())
        self._kernels = hello.kernels
        self._on_up(hello)
        self._ready = True

    def halt(self) -> None:
        self._ready = False

    def close(self) -> None:
        self.halt()
        if self._prompts is not None:
            self._prompts.close()

    def encode_prompts(self, prompts: Sequence[str], slot: str | None = None) -> None:
        if self._prompts is not None:
            for prompt in prompts:
                self._prompts.request(prompt, slot)

    def prepare(self, like: Frame, params: Params, *, reset: bool = False, render_scale: float = 1.0) -> int:
        return self._up.prepare(like, params, reset=reset, render_scale=render_scale)

    def push(self, frames: Sequence[Frame]) -> None:
        self._up.push(frames)

    def launch(self, chunk: Chunk, *, convert: bool = True) -> Future[Generated]:
        return self._up.launch(chunk, convert=convert)

    def settle(self) -> None:
        self._up.settle()

    def discard(self) -> None:
        self._up.discard()

    @property
    def can_lighten(self) -> bool:
        """Never: it would stand still for as long as loading takes."""
        return False

    def lighten(self, small: bool) -> None:
        """Nothing."""

    def state(self) -> EngineState:
        return EngineState("running" if self.ready else "loading", os.getpid(), kernels=self._kernels)

    @property
    def queues(self) -> dict[str, Fill]:
        return self._prompts.queues if self._prompts is not None else {}

    @property
    def _up(self) -> Stream:
        assert self._stream is not None
        return self._stream
