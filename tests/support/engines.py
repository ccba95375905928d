"""Child processes for the tests: the real one's serving, over a stand-in for the models that starts in a moment.

What fails is real: signals from outside, or, told by the prompt, an exception, a hang, memory that is not there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, ClassVar

import numpy as np

from sdv2_live.chunk import Chunk, Generated
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.engine.spec import Painting, PromptMix, PromptStep, StreamSpec
from sdv2_live.errors import EngineError, GroupLostError, WeightsError
from sdv2_live.frame import Frame
from sdv2_live.stats import Fill, StageTimer
from sdv2_live.takes.format import Header
from sdv2_live.threads import OneThread
from sdv2_live.worker import child
from sdv2_live.worker.host import painted_size
from sdv2_live.worker.messages import Hello, Setup

CHUNK_S = 0.02
SLOW_S = 0.2  # for the prompt `slow`
SET_UP_S = 1.5  # of a set-up, for the prompt `slow set-up`
LOST = "CUDA error"  # in a prompt: an error of that text is raised while it is painted or encoded
KERNELS = {"attention": "by hand", "frames": "torch"}
SUITED = {"noise_scale": 0.4, "steps": [400]}


class Negative:
    """Paints the negative of its input."""

    def __init__(self, timer: StageTimer) -> None:
        self.timer = timer
        self.size: tuple[int, int] | None = None
        self.started = False
        self.group: Any = None
        self.measured_pixels: int | None = None
        self.on_set_up: Callable[[], None] = lambda: None
        self._kind: tuple[object, ...] | None = None  # of the stream that is set up
        self._params = Params()
        self._pushed: list[Frame] = []  # of the next chunk, painted as they came
        self._device = OneThread("device")

    def prepare(self, like: Frame, params: Params, *, reset: bool = False, render_scale: float = 1.0) -> int:
        kind = (like.size, render_scale, params.normalize_latents if reset or self._kind is None else self._kind[2])
        if self._kind != kind or reset:
            self.discard()
        if self._kind != kind:
            self.on_set_up()
            if params.prompt == "slow set-up":
                time.sleep(SET_UP_S)
            self._kind = kind
        self.size, self._params = like.size, params
        return 4 if self.started else 5

    def push(self, frames: Sequence[Frame]) -> None:
        if self._params.prompt == "raise early":
            raise RuntimeError("a bug in the encoder")
        for frame in frames[len(self._pushed) :]:
            self._pushed.append(_negative(frame))

    def launch(self, chunk: Chunk, *, convert: bool = True) -> Future[Generated]:
        """It takes its time on another thread, as a GPU does."""
        frames, prompt = chunk.frames, chunk.params.prompt
        match prompt:
            case str() if LOST in prompt:
                raise RuntimeError(prompt)
            case "raise":
                raise RuntimeError("a bug in a kernel")
            case "hang" if self.started:  # a stream's first chunk may take as long as loading: no test waits for that
                time.sleep(3600)
            case "memory":
                np.ones(1 << 50)  # more than any address space
        begins = None if self.started else StreamSpec(64, 64)
        painting = Painting(begins, PromptStep(PromptMix.of(prompt), 1, 1, False, begins is not None))
        self.started = True
        painted, self._pushed = [*self._pushed, *map(_negative, frames[len(self._pushed) :])], []
        return self._device.submit(self._generated, chunk, painting, painted if convert else [])

    def _generated(self, chunk: Chunk, painting: Painting, painted: list[Frame]) -> Generated:
        prompt = chunk.params.prompt
        if prompt == "raise late":
            raise RuntimeError("a bug in the decoder")
        with self.timer("denoise"):
            time.sleep(SLOW_S if prompt == "slow" else CHUNK_S)
        return Generated(chunk, painted, painting, CHUNK_S)

    def settle(self) -> None:
        pass

    def discard(self) -> None:
        self.started, self._kind = False, None
        self._pushed = []


def _negative(frame: Frame) -> Frame:
    data = 255 - frame.data
    return Frame(data, frame.width, frame.height, frame.format, frame.rate, frame.captured_ns, frame.index)


class Prompts:
    """Remembers what it was asked for, in the log."""

    queues: ClassVar = {"prompts": Fill(3, 8)}
    encoding: ClassVar = ("not yet", "nor this")

    def request(self, prompt: str, slot: str | None = None) -> Future[Any]:
        child.log.info("encode %s for %s", prompt, slot)
        encoded: Future[Any] = Future()
        if LOST in prompt:
            encoded.set_exception(RuntimeError(prompt))
        else:
            encoded.set_result(None)
        return encoded


def _header(config: Config) -> Header:
    return Header(
        format=1,
        recorded="2025-01-01T00:00:00+0000",
        lossless=config.takes.lossless,
        sdv2_live="0",
        torch="0",
        profile="tiny",
        weights="0",
        device="cpu",
        cpu="any",
        dtype="float32",
        threads=1,
    )


def _bring_up(config: Config, timer: StageTimer, setup: Setup) -> Any:
    child.log.info("ladder %s", ",".join(setup.ladder))
    stream, given = Negative(timer), config.video.max_pixels
    stream.measured_pixels = None if given else 256 + os.getpid()  # measured anew, it would be another
    kernels = KERNELS | {"size": painted_size(None, given)}
    return stream, Prompts(), Hello("tiny", "cpu", "wan", SUITED, _header(config), kernels)


def negative(connection: Connection) -> None:
    """Paints."""
    child.serve(connection, _bring_up)


def _slow_to_set_up(config: Config, timer: StageTimer, setup: Setup) -> Any:
    from sdv2_live.worker.bring_up import bring_up

    stream, prompts, hello = bring_up(config, timer, setup.start)
    new_state = stream.engine.new_state

    def slowly(spec: StreamSpec) -> Any:
        time.sleep(SET_UP_S)
        return new_state(spec)

    stream.engine.new_state = slowly  # type: ignore[method-assign]
    return stream, prompts, hello


def slow_to_set_up(connection: Connection) -> None:
    """The real engine; setting a stream up takes SET_UP_S, as on a GPU whose warm-up compiles kernels."""
    child.serve(connection, _slow_to_set_up)


def _without_weights(config: Config, timer: StageTimer, setup: Setup) -> Any:
    raise WeightsError("dit.safetensors is missing: fetch it")


def without_weights(connection: Connection) -> None:
    """Cannot be brought up, and says why."""
    child.serve(connection, _without_weights)


def _loading_for_ever(config: Config, timer: StageTimer, setup: Setup) -> Any:
    child.log.info("loading")
    time.sleep(3600)


def loading_for_ever(connection: Connection) -> None:
    """A very large model on a very slow disk."""
    child.serve(connection, _loading_for_ever)


def _crashing(config: Config, timer: StageTimer, setup: Setup) -> Any:
    if setup.ladder != ("60%",):
        raise RuntimeError("CUDA out of memory")
    return _bring_up(config, timer, setup)


def crashing(connection: Connection) -> None:
    """Crashes while it loads, until it is asked for less."""
    child.serve(connection, _crashing)


def _one_card_less(config: Config, timer: StageTimer, setup: Setup) -> Any:
    match setup.start.prompt, setup.ranks, "fewer-cards" in setup.ladder:
        case "never together", _, False:
            raise GroupLostError("no tensor comes around the 2 ranks")
        case "one goes", 2, False:  # the first was up
            raise EngineError("there is no GPU 1")
        case _, _, fewer:
            stream, prompts, hello = _bring_up(config, timer, setup)
            return stream, prompts, replace(hello, ranks=1 if fewer else 2)


def one_card_less(connection: Connection) -> None:
    """Two cards, which never come together or of which one is gone after the first start, as the prompt says."""
    child.serve(connection, _one_card_less)


def _by_the_prompt(config: Config, timer: StageTimer, setup: Setup) -> Any:
    match setup.start.prompt:
        case "damaged":
            raise WeightsError("dit.safetensors is cut off: fetch it")
        case "a mistake":
            raise IndexError("Dimension out of range")
        case "end":
            os.abort()
    return _bring_up(config, timer, setup)


def by_the_prompt(connection: Connection) -> None:
    """Cannot be brought up while the prompt says so, and every time for the same reason."""
    child.serve(connection, _by_the_prompt)
