"""The engine's server: carries out requests from the pipe with a `Stream`, one after another, and answers them.

A second thread waits for launched chunks and answers for them in order, while the next request is carried out.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sdv2_live.chunk import AHEAD, Chunk, Generated
from sdv2_live.errors import NO_MEMORY, GroupLostError, Sdv2Error, gpu_lost
from sdv2_live.frame import Frame
from sdv2_live.stats import Fill, StageTimer
from sdv2_live.system.shm import Segment
from sdv2_live.threads import OneThread
from sdv2_live.worker.channel import Channel
from sdv2_live.worker.messages import (
    INPUT,
    OUTPUT,
    Discard,
    EncodePrompts,
    Failed,
    FrameAt,
    Paint,
    Painted,
    Prepare,
    Prepared,
    Push,
    Reply,
    Request,
    SettingUp,
    Settle,
    ShareSegment,
)

if TYPE_CHECKING:
    from sdv2_live.engine.prompt_cache import PromptCache
    from sdv2_live.pipeline.stream import Stream

log = logging.getLogger("sdv2_live.worker")

MOST = 24  # requests about one chunk: memory, its frames as they come, and what begins it


class StageLog(StageTimer):
    """A timer that also returns its times, in the order of their ends."""

    def __init__(self) -> None:
        super().__init__()
        self._added: deque[tuple[str, float]] = deque()

    def add(self, stage: str, ms: float) -> None:
        super().add(stage, ms)
        self._added.append((stage, ms))

    def taken(self) -> tuple[tuple[str, float], ...]:
        """The times added since the last call."""
        return tuple(self._added.popleft() for _ in range(len(self._added)))


class Requests:
    """Reads the pipe on its own thread: it notices the pipe's end at once, and prompts are encoded beside a chunk."""

    def __init__(self, channel: Channel, prompts: PromptCache, on_prompts: Callable[[], None] = lambda: None) -> None:
        """Begin to read. on_prompts: called when a prompt is to be encoded, and when one is."""
        self._channel = channel
        self._prompts = prompts
        self._on_prompts = on_prompts
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    @property
    def queues(self) -> dict[str, Fill]:
        """Fill of the request queue. A chunk has few requests, and the show asks for the next when this one is answered."""
        return {"engine_inbox": Fill(self._waiting.qsize(), MOST)}

    def next(self) -> Any:
        """The next request for the stream, or the memory (direction, Segment) of the requests after it; in order."""
        return self._waiting.get()

    def _read(self) -> None:
        try:
            while True:
                match self._channel.receive():
                    case ShareSegment(direction, size, name):
                        self._waiting.put((direction, Segment.receive(self._channel.connection, size, name)))
                    case EncodePrompts(prompts, slot):
                        for prompt in prompts:
                            self._prompts.request(prompt, slot).add_done_callback(self._encoded)
                        self._on_prompts()
                    case request:
                        self._waiting.put(request)
        except (EOFError, OSError):
            os._exit(0)  # the show is gone, or wants no more of us; what is being computed is for nobody
        except Exception:  # the thread's top: without it nothing would ever be answered again
            log.exception("the engine cannot read what the show asks")
            os._exit(1)

    def _encoded(self, prompt: Future[Any]) -> None:
        """A prompt that cannot be encoded costs nothing else, unless the GPU is lost with it: then the show must not wait."""
        self._on_prompts()
        error = None if prompt.cancelled() else prompt.exception()
        if isinstance(error, Exception) and gpu_lost(error):
            with suppress(OSError):  # the show is gone already
                self._channel.send(crashed(EncodePrompts(()), error))


class Server:
    """Carries out requests with the stream."""

    def __init__(self, channel: Channel, requests: Requests, stream: Stream, timer: StageLog) -> None:
        self._channel = channel
        self._requests = requests
        self._stream = stream
        self._timer = timer
        self._segments: dict[str, Segment] = {}
        self._lost: Failed | None = None  # why nothing can be painted until the stream is discarded
        self._answers = OneThread("answers")  # about chunks, and what must not overtake them
        stream.on_set_up = lambda: self._answers(self._say, SettingUp())

    @property
    def queues(self) -> dict[str, Fill]:
        """Fill of the queue of launched chunks, which wait for the one before them."""
        return {"engine_flight": Fill(self._answers.waiting, AHEAD)}

    def run(self) -> None:
        """Serve forever; the end of the pipe ends the process."""
        while True:
            request = self._requests.next()
            why = self._tried(request, lambda request=request: self._carry_out(request))  # type: ignore[misc]
            if why is not None and (why.fatal or isinstance(request, Paint | Prepare)):
                self._answers.submit(self._say, why)

    def _say(self, message: Reply, parts: Sequence[np.ndarray] = ()) -> None:
        try:
            self._channel.send(message, parts)
        except OSError:
            os._exit(0)  # the show is gone: what was painted is for nobody

    def _tried(self, request: Any, work: Callable[[], None]) -> Failed | None:
        """Do the work. An error costs a chunk; the show, once told, decides about the stream."""
        try:
            work()
        except Sdv2Error as error:
            why = refused(request, error)
        except Exception as error:  # the thread's top
            log.exception("'%s' failed", request.kind)
            why = crashed(request, error)
        else:
            return None
        if not isinstance(request, Prepare):
            self._lost = replace(why, to="paint")
        return why

    def _carry_out(self, request: Any) -> None:
        match request:
            case (str(direction), Segment() as segment):
                self._segments[direction] = segment
            case Prepare():
                self._prepare(request)
            case Push() if self._lost is None:
                self._stream.push(self._frames(request.frames))
            case Paint():
                self._paint(request)
            case Settle():
                self._stream.settle()
            case Discard():
                self._lost = None
                self._stream.discard()

    def _prepare(self, request: Prepare) -> None:
        at = request.like
        bytes_nowhere = np.broadcast_to(np.uint8(0), (at.height, at.stride))  # only the size is looked at
        like, scale = at.frame(bytes_nowhere), request.render_scale
        needed = self._stream.prepare(like, request.params, reset=request.reset, render_scale=scale)
        self._say(Prepared(needed, self._stream.measured_pixels))

    def _paint(self, request: Paint) -> None:
        if self._lost is not None:
            self._answers.submit(self._say, self._lost)
            return
        chunk = Chunk.of(self._frames(request.frames), request.params, request.swing)
        launched = self._stream.launch(chunk, convert=request.convert)
        self._answers.submit(self._answer, request, launched, self._segments.get(OUTPUT))

    def _answer(self, request: Paint, launched: Future[Generated], output: Segment | None) -> None:
        why = self._tried(request, lambda: self._painted(request, launched.result(), output))
        if why is not None:
            self._say(why)

    def _painted(self, request: Paint, generated: Generated, output: Segment | None) -> None:
        """Answer with a chunk.

        Args:
            output: the segment that holds the places of `request.free`.
        """
        painted = generated.pictures
        free = list(request.free)
        places = [free.pop() if free and frame.data.nbytes <= request.room else None for frame in painted]
        placed = tuple(FrameAt.of(frame, place) for frame, place in zip(painted, places, strict=True))
        for frame, at in zip(painted, placed, strict=True):
            if at.offset is not None:
                assert output is not None
                np.copyto(output.rows(at.offset, at.height, at.stride), frame.data)
        rest = [frame.data for frame, at in zip(painted, placed, strict=True) if at.offset is None]
        self._say(Painted(placed, generated.recipe, self._timer.taken()), rest)

    def _frames(self, places: Sequence[FrameAt]) -> list[Frame]:
        memory = self._segments[INPUT]
        return [at.frame(memory.rows(at.offset or 0, at.height, at.stride)) for at in places]


def refused(request: Request, error: Sdv2Error) -> Failed:
    """The report of an error of the project's own: the show raises the same error."""
    return Failed(request.kind, type(error).__name__, str(error), fatal=gpu_lost(error) or isinstance(error, GroupLostError))


def crashed(request: Request, error: Exception) -> Failed:
    """The report of any other error. Only a new process is sure to recover exhausted memory, or a GPU that was lost."""
    text = f"{type(error).__name__}: {error}"
    no_memory = isinstance(error, MemoryError) or NO_MEMORY in text.lower()
    return Failed(request.kind, "", text, fatal=no_memory or gpu_lost(error))
