"""The show's interface to an engine, in this process or (see `remote`) in its own."""

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
from sdv2_live.gpu.geometry import Size
from sdv2_live.ranks.now import RankNow
from sdv2_live.stats import Fill, StageTimer
from sdv2_live.worker.messages import Hello

if TYPE_CHECKING:
    from sdv2_live.engine.prompt_cache import PromptCache
    from sdv2_live.pipeline.group import Group
    from sdv2_live.pipeline.stream import Stream

OnUp = Callable[[Hello], None]  # told when the models are loaded, for the first time or again


@dataclass(frozen=True, slots=True)
class EngineState:
    """The state of an engine. Memory in MB.

    Attributes:
        words: loading, running, or the reason why it does not run.
        pid: the ID of its process.
        kernels: its kernels by purpose, see pipeline.build.kernels, its precision and painted size; empty until it was up.
        ladder: rungs taken.
        ranks: of an engine that has several processes.
        hop_ms: milliseconds from one of them to the next.
    """

    words: str
    pid: int = 0
    restarts: int = 0
    ladder: tuple[str, ...] = ()
    gpu_mb: int = 0
    kernels: Mapping[str, str] = field(default_factory=dict)
    ranks: tuple[RankNow, ...] = ()
    hop_ms: float = 0.0


def painted_size(size: Size | None, max_pixels: int | None) -> str:
    """The size that is painted, in words: a fixed one, or that of the input, bounded or not yet chosen."""
    if size is not None:
        return f"{size[0]}x{size[1]}"
    return f"that of the input, up to {max_pixels} pixels" if max_pixels else "chosen when the input comes"


class EngineHost(ABC):
    """A `live.loop.Painter` that can be started and closed.

    Only the loop's thread paints; any thread may call everything else.

    Attributes:
        on_sized: told the most pixels of a picture when they were measured for an input, on the loop's thread.
    """

    def __init__(self) -> None:
        self.timer = StageTimer()
        self.on_sized: Callable[[int], None] = lambda max_pixels: None
        self._measured: int | None = None  # as told last

    def _is_news(self, max_pixels: int) -> bool:
        """Take note of the most pixels of a picture, measured for the present input. True where they are others than before."""
        if max_pixels == self._measured:
            return False
        self._measured = max_pixels
        self.on_sized(max_pixels)
        return True

    @abstractmethod
    def start(self) -> None:
        """Load the models, then call `on_up`."""

    @property
    @abstractmethod
    def ready(self) -> bool:
        """True when it can paint now."""

    @property
    @abstractmethod
    def failure(self) -> Sdv2Error | None:
        """The error that keeps the engine away until somebody repairs it; None without one."""

    @abstractmethod
    def halt(self) -> None:
        """Stop painting; work that takes too long to finish is cut off."""

    @abstractmethod
    def close(self) -> None:
        """End the engine. Idempotent."""

    @abstractmethod
    def encode_prompts(self, prompts: Sequence[str], slot: str | None = None) -> None:
        """Encode these prompts ahead of their use; they replace the prompts written to the same slot before. Never waits."""

    @abstractmethod
    def prepare(self, like: Frame, params: Params, *, reset: bool = False, render_scale: float = 1.0) -> int:
        """Same as `Stream.prepare`."""

    @abstractmethod
    def push(self, frames: Sequence[Frame]) -> None:
        """Same as `Stream.push`; its errors may come with the next chunk instead."""

    @abstractmethod
    def launch(self, chunk: Chunk, *, convert: bool = True) -> Future[Generated]:
        """Same as `Stream.launch`."""

    @abstractmethod
    def settle(self) -> None:
        """Same as `Stream.settle`."""

    @abstractmethod
    def discard(self) -> None:
        """Same as `Stream.discard`."""

    @property
    @abstractmethod
    def can_lighten(self) -> bool:
        """True when `lighten(True)` would change anything."""

    @abstractmethod
    def lighten(self, small: bool) -> None:
        """Continue with the small autoencoder, or with the configured one. Never waits for the change."""

    @abstractmethod
    def state(self) -> EngineState:
        """The present state."""

    @property
    @abstractmethod
    def encoding(self) -> tuple[str, ...]:
        """Prompts that are not encoded yet, the first ones."""

    @property
    @abstractmethod
    def queues(self) -> dict[str, Fill]:
        """Fill of its queues."""


class InlineEngine(EngineHost):
    """The engine in the show's own process: one debugger sees all of it, and no process boundary protects the output."""

    def __init__(self, config: Config, latest: Callable[[], Params], on_up: OnUp) -> None:
        """Make a host whose engine is not loaded yet.

        Args:
            latest: gives the present parameters.
        """
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
        """Always None: `start` raises the error."""
        return None

    def start(self) -> None:
        """Load the models, and wait for them.

        Raises:
            WeightsError: weights are missing or damaged.
            EngineError: the engine cannot run.
        """
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
        if self._group is not None:
            self._group.close()

    @property
    def size(self) -> Size | None:
        """(height, width) that is painted, None before the first frame."""
        return self._stream.size if self._stream is not None else None

    def encode_prompts(self, prompts: Sequence[str], slot: str | None = None) -> None:
        if self._prompts is not None:
            for prompt in prompts:
                self._prompts.request(prompt, slot)

    def prepare(self, like: Frame, params: Params, *, reset: bool = False, render_scale: float = 1.0) -> int:
        needed = self._up.prepare(like, params, reset=reset, render_scale=render_scale)
        if (most := self._up.measured_pixels) is not None and self._is_news(most):
            self._kernels = {**self._kernels, "size": painted_size(None, most)}
        return needed

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
        """Always False: the output would stop while the other autoencoder loads."""
        return False

    def lighten(self, small: bool) -> None:
        """Do nothing."""

    def state(self) -> EngineState:
        ranks, hop_ms = self._group.now() if self._group is not None else ((), 0.0)
        words = "running" if self.ready else "loading"
        return EngineState(words, os.getpid(), kernels=self._kernels, ranks=ranks, hop_ms=hop_ms)

    @property
    def encoding(self) -> tuple[str, ...]:
        return self._prompts.encoding if self._prompts is not None else ()

    @property
    def queues(self) -> dict[str, Fill]:
        return self._prompts.queues if self._prompts is not None else {}

    @property
    def _group(self) -> Group | None:
        return self._stream.group if self._stream is not None else None

    @property
    def _up(self) -> Stream:
        assert self._stream is not None
        return self._stream
