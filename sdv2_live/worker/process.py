"""One engine process, from its start to its end, as the show sees it."""

from __future__ import annotations

import logging
import math
import multiprocessing
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sdv2_live import errors
from sdv2_live.control.params import Params
from sdv2_live.errors import EngineError, EngineLostError, Sdv2Error
from sdv2_live.frame import Frame
from sdv2_live.pipeline.in_flight import AHEAD
from sdv2_live.stats import Fill
from sdv2_live.system.clock import monotonic
from sdv2_live.system.process import Connection, ends_with_this, how_it_ended, uninterrupted
from sdv2_live.worker.channel import Channel
from sdv2_live.worker.inflight import InFlight
from sdv2_live.worker.input_buffers import InputBuffers
from sdv2_live.worker.messages import (
    Failed,
    Heartbeat,
    Hello,
    Log,
    Paint,
    Painted,
    Prepare,
    Prepared,
    Push,
    Request,
    Setup,
)
from sdv2_live.worker.shm import BufferPool, Segment

log = logging.getLogger("sdv2_live.worker")

Target = Callable[[Connection], None]
Answer = tuple[Any, list[np.ndarray]]  # a message, and the rows that followed it

SILENT_S = 60.0  # without a sign of life for so long it is taken for hung; importing CUDA from a slow disk blocks it a while
POLL_S = 0.1  # longer waits are many of these, counted as asked for: time in which the machine stood still is nobody's delay
END_S = 5.0  # a killed process is gone by then, or sticks in a driver and cannot be helped
OUTPUT_SLOTS = 32  # pictures that the playout and the recorder may hold; beyond these they are copied
CHUNK = 8  # places offered for one chunk's pictures; more than any chunk has


@dataclass(frozen=True, slots=True)
class Deadline:
    """How long an answer may take. `on_late` is called once when it is not there after `late_s`; after `within_s` the
    process is taken for hung."""

    within_s: float
    late_s: float = math.inf
    on_late: Callable[[], None] = lambda: None


class EngineProcess:
    """A child process and the pipe to it. One thread asks, and one waits for what was launched; everything else is for any.

    target: what the child runs, such as `child.main`. on_end: told when it has ended. quiet: what it logs is for debugging alone,
    until it is told to speak (another one failed the same way). Frames that come back lie in shared
    memory, and keep it alive, also when the process is gone.
    """

    def __init__(self, setup: Setup, target: Target, on_end: Callable[[], None], *, quiet: bool = False) -> None:
        """Raises OSError where no process can be started."""
        self.gpu_mb = 0
        self.quiet = quiet
        self._queues: dict[str, Fill] = {}  # in the process, as it said last
        self.why = ""  # it was killed by the show, for this reason
        self._setup = setup
        self._on_end = on_end
        self._input = InputBuffers(lambda segment: self._share("input", segment))
        self._output = BufferPool(0, 0)  # none, until it is seen how large the pictures are
        self._picture_size = 0  # in bytes, as they came last
        self._replies: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self._paintings: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()  # answers to what was launched, in order
        self._painted_at = 0.0
        self.ended = threading.Event()
        context = multiprocessing.get_context("spawn")  # never fork: threads and CUDA do not survive that
        ours, theirs = context.Pipe()
        self._process = context.Process(target=target, args=(theirs,), name="sdv2-live engine", daemon=True)
        with uninterrupted():
            self._process.start()
        theirs.close()
        assert self._process.pid is not None
        self.pid: int = self._process.pid
        ends_with_this(self.pid)
        self._channel = Channel(ours)
        threading.Thread(target=self._read, name="engine-replies", daemon=True).start()

    def hello(self, within_s: float) -> Hello:
        """Wait until the models are loaded. Raises what the child raised (WeightsError, EngineError), or EngineLostError."""
        reply, _ = self._exchange(self._setup, Deadline(within_s))
        if not isinstance(reply, Hello):
            raise self.lost(f"it said {reply.kind} in place of hello")
        return reply

    def prepare(self, request: Prepare, patience: Deadline) -> Prepared:
        """Answer of the child's `Stream.prepare`."""
        reply, _ = self._exchange(request, patience)
        assert isinstance(reply, Prepared)
        return reply

    def push(self, frames: Sequence[Frame]) -> None:
        """The child's `Stream.push`, which nobody waits for: what goes wrong there is raised by the next `paint`."""
        self.tell(Push(self._input.place(frames)))

    def launch(self, frames: Sequence[Frame], params: Params, *, convert: bool) -> InFlight:
        """Ask for the child's `Stream.launch`. `painted` is to be called with what comes back, once, and in order."""
        self._make_room()
        places, done = self._input.chunk(frames)
        free = self._output.acquire(CHUNK)
        self.tell(Paint(places, params, convert, tuple(free), self._output.size))
        return InFlight(self._output, free, done, monotonic())

    def painted(self, chunk: InFlight, patience: Deadline) -> tuple[Painted, list[Frame], float]:
        """What the child says of a chunk, its pictures, and how many seconds it took from when it was its turn.

        Raises what the child raised, or EngineLostError when it has ended or does not answer in time.
        """
        begin = max(chunk.asked_at, self._painted_at)
        try:
            reply, parts = self._expect(self._paintings, "paint", patience)
            assert isinstance(reply, Painted)
            pictures = chunk.pictures(reply.frames, parts)
        finally:
            self._painted_at = monotonic()
            chunk.close()
        self._picture_size = max((picture.data.nbytes for picture in pictures), default=self._picture_size)
        return reply, pictures, self._painted_at - begin

    @property
    def queues(self) -> dict[str, Fill]:
        """Answers that nobody has taken (one, those for chunks in flight, and twice that it has ended), and its own queues."""
        waiting = self._replies.qsize() + self._paintings.qsize()
        return {"engine_replies": Fill(waiting, AHEAD + 3), **self._queues}

    def tell(self, request: Request) -> None:
        """Send what is not answered. Does nothing when the process is gone."""
        try:
            self._channel.send(request)
        except OSError:
            self._process.kill()

    def lost(self, why: str = "") -> EngineLostError:
        """Kill the process, if it still lives, and say how it ended."""
        if why and not self.ended.is_set():
            self.why = self.why or why
        self.kill()
        self.ended.wait(END_S)
        if self.why:
            return EngineLostError(f"the engine's process {self.pid} was stopped: {self.why}")
        return EngineLostError(f"the engine's process {self.pid} {how_it_ended(self._process.exitcode)}")

    def kill(self) -> None:
        """End it at once, whatever it does; `ended` says when it is gone. Idempotent."""
        self._process.kill()

    def _exchange(self, request: Request, patience: Deadline) -> Answer:
        """Send and wait for the answer. Raises EngineLostError when it does not come in time: the process is killed then."""
        self.tell(request)
        return self._expect(self._replies, request.kind, patience)

    def _expect(self, answers: queue.SimpleQueue[Answer | None], kind: str, patience: Deadline) -> Answer:
        """The next answer, to a request of that kind whose turn has come."""
        late_s = min(patience.late_s, patience.within_s)
        answer = self._next(answers, late_s)
        if answer is None:
            patience.on_late()
            answer = self._next(answers, patience.within_s - late_s)
        if answer is None:
            raise self.lost(f"no answer to '{kind}' within {patience.within_s:.3g} s")
        reply, _ = answer
        if isinstance(reply, Failed):
            raise self._error(reply)
        return answer

    def _next(self, answers: queue.SimpleQueue[Answer | None], seconds: float) -> Answer | None:
        """The next answer, None when none came in time. Raises EngineLostError when none will come."""
        try:
            answer = awaited(answers, seconds)
        except queue.Empty:
            return None
        if answer is None:
            answers.put(None)  # for whoever asks next
            raise self.lost()
        return answer

    def _error(self, reply: Failed) -> Sdv2Error:
        if reply.fatal:
            return self.lost(reply.text)
        kind = getattr(errors, reply.error, EngineError) if reply.error else EngineError
        error: Sdv2Error = kind(reply.text)
        return error

    def _make_room(self) -> None:
        """Places of the size that pictures now have; those of another size live on as long as somebody looks at them."""
        size = self._picture_size
        if self._output.size != size:
            self._output = BufferPool(OUTPUT_SLOTS, size)
            self._share("output", self._output.segment)

    def _share(self, direction: Literal["input", "output"], segment: Segment) -> None:
        try:
            self._channel.share(direction, segment)
        except OSError:
            self._process.kill()

    def _read(self) -> None:
        channel, silent_s = self._channel, 0.0
        try:
            while True:
                if not channel.connection.poll(POLL_S):
                    silent_s += POLL_S
                    if silent_s > SILENT_S and not self.why:
                        self.why = f"no sign of life for {SILENT_S:g} s"
                        self._process.kill()
                    continue
                message, silent_s = channel.receive(), 0.0
                match message:
                    case Heartbeat(gpu_mb, queues):
                        self.gpu_mb, self._queues = gpu_mb, queues
                    case Log(name, level, text):
                        logging.getLogger(name).log(logging.DEBUG if self.quiet else level, "%s", text)
                    case Painted(frames):
                        self._paintings.put((message, [channel.rows(at) for at in frames if at.offset is None]))
                    case Failed(to="paint"):
                        self._paintings.put((message, []))
                    case _:
                        self._replies.put((message, []))
        except (EOFError, OSError):
            pass  # it has ended
        except Exception:  # the thread's top
            log.exception("the engine's process says what cannot be understood; it is stopped")
            self.why = self.why or "it said what cannot be understood"
            self._process.kill()
        self._process.join()  # here alone, so that two threads never wait for one process
        self.ended.set()
        for answers in (self._replies, self._paintings):
            answers.put(None)
        self._on_end()
        channel.close()


def awaited(answers: queue.SimpleQueue[Answer | None], seconds: float) -> Answer | None:
    """The next of them. Raises queue.Empty when none came within so many seconds in which this process ran."""
    while seconds > POLL_S:
        try:
            return answers.get(timeout=POLL_S)
        except queue.Empty:
            seconds -= POLL_S
    return answers.get(timeout=max(seconds, 0.0))
