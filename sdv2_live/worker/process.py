"""One engine process, from its start to its end, as the show sees it."""

from __future__ import annotations

import logging
import math
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Literal, TypeVar

import numpy as np

from sdv2_live import errors
from sdv2_live.chunk import AHEAD, Chunk, Generated
from sdv2_live.errors import EngineError, EngineLostError, GroupLostError
from sdv2_live.frame import Frame
from sdv2_live.ranks.now import RankNow
from sdv2_live.stats import Fill
from sdv2_live.system.clock import monotonic
from sdv2_live.system.process import Connection, ends_with_this, how_it_ended, uninterrupted
from sdv2_live.system.shm import Segment
from sdv2_live.threads import fulfil
from sdv2_live.worker.buffers import InputBuffers, OutputBuffers
from sdv2_live.worker.channel import Channel
from sdv2_live.worker.deadlines import Deadline
from sdv2_live.worker.messages import (
    Answer,
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
    SettingUp,
    Setup,
)
from sdv2_live.worker.pending import POLL_S, Pending, Read

log = logging.getLogger("sdv2_live.worker")

Target = Callable[[Connection], None]

SILENT_S = 60.0  # without a sign of life for so long it is taken for hung; importing CUDA from a slow disk blocks it a while
END_S = 5.0  # a killed process is gone by then, or sticks in a driver and cannot be helped

A = TypeVar("A", Hello, Prepared, Painted)
T = TypeVar("T")


class EngineProcess:
    """A child process and the pipe to it. One thread makes requests; any thread may call everything else.

    Requests return futures. They raise the child's error, or EngineLostError when the process ends or is terminated. Returned
    frames lie in shared memory and keep it alive, even after the process is gone.

    Args:
        target: the child's entry point, such as `child.main`.
        on_end: called when the process has ended.
        quiet: log the child's records at debug level until told otherwise (another process failed the same way).
    """

    def __init__(self, setup: Setup, target: Target, on_end: Callable[[], None], *, quiet: bool = False) -> None:
        """Start the process.

        Raises:
            OSError: no process can be started.
        """
        self.gpu_mb = 0
        self.ranks: tuple[RankNow, ...] = ()  # as it said last
        self.hop_ms = 0.0
        self.encoding: tuple[str, ...] = ()  # prompts, in the process, as it said last
        self.quiet = quiet
        self.group_lost = False  # it ended because its ranks could not come together, or one of them was lost
        self._queues: dict[str, Fill] = {}  # in the process, as it said last
        self._reason = ""  # why it was terminated
        self._setup = setup
        self._on_end = on_end
        self._input = InputBuffers(partial(self._share, "input"))
        self._output = OutputBuffers(partial(self._share, "output"))
        self._pending = Pending()
        self._on_set_up: Callable[[], Deadline] = lambda: Deadline(math.inf)
        self._painted_at = 0.0
        self._ended = threading.Event()
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

    @property
    def alive(self) -> bool:
        """True while it runs and was not terminated."""
        return not self._reason and not self._ended.is_set()

    @property
    def queues(self) -> dict[str, Fill]:
        """Pending answers, and the queues of the process."""
        return {"engine_replies": Fill(len(self._pending), AHEAD + 1), **self._queues}

    def hello(self, deadline: Deadline) -> Future[Hello]:
        """Have the models loaded. The future raises WeightsError or EngineError where that is impossible."""
        return self._ask(self._setup, deadline, lambda answer, _: self._checked(answer, Hello))

    def prepare(self, request: Prepare, deadline: Deadline, on_set_up: Callable[[], Deadline]) -> Future[Prepared]:
        """Call the child's `Stream.prepare`.

        Args:
            on_set_up: called when the child begins to set up a stream; returns the deadline from then on.
        """
        self._on_set_up = on_set_up
        return self._ask(request, deadline, lambda answer, _: self._checked(answer, Prepared))

    def push(self, frames: Sequence[Frame]) -> None:
        """Call the child's `Stream.push` and return at once: its errors are raised by the next chunk."""
        self.tell(Push(self._input.place(frames)))

    def launch(
        self, chunk: Chunk, deadline: Deadline, *, convert: bool, on_painted: Callable[[Painted, float], None]
    ) -> Future[Generated]:
        """Call the child's `Stream.launch`.

        Args:
            on_painted: called with the answer and its seconds before the future is done.
        """
        begin = monotonic()
        places, free = self._input.chunk(chunk.frames)
        loan = self._output.lend()

        def generated(answer: Answer, rows: Sequence[np.ndarray]) -> Generated:
            before, self._painted_at = max(begin, self._painted_at), monotonic()
            try:
                painted = self._checked(answer, Painted)
                pictures = loan.pictures(painted.frames, rows)
            finally:
                free()
                loan.close()
            self._output.picture_bytes = max((picture.data.nbytes for picture in pictures), default=self._output.picture_bytes)
            seconds = self._painted_at - before
            on_painted(painted, seconds)
            return Generated(chunk, pictures, painted.painting, seconds)

        request = Paint(places, chunk.params, chunk.swing, convert, tuple(loan.free), loan.pool.size)
        return self._ask(request, deadline, generated)

    def tell(self, request: Request) -> None:
        """Send a request that has no answer. Does nothing when the process is gone."""
        try:
            self._channel.send(request)
        except OSError:
            self._process.kill()

    def watch(self) -> None:
        """Terminate the process if an answer takes too long. To be called every POLL_S."""
        late = self._pending.watch()
        if late:
            self.terminate(late)

    def finish(self, timeout: float) -> None:
        """Wait until every request is answered, at most `timeout` seconds."""
        self._pending.wait(timeout)

    def terminate(self, reason: str) -> None:
        """Kill the process at once, and do not wait for its end."""
        if not self._ended.is_set():
            self._reason = self._reason or reason
        self._process.kill()

    def close(self) -> EngineLostError:
        """End the process, wait for that, and return how it ended. All futures fail, even when the process cannot be killed."""
        if not self._ended.is_set():
            self.terminate("nothing is asked of it any more")
        self._ended.wait(END_S)
        self._pending.fail(self._loss)
        return self._loss()

    def _loss(self) -> EngineLostError:
        how = f"was stopped: {self._reason}" if self._reason else how_it_ended(self._process.exitcode)
        return EngineLostError(f"the engine's process {self.pid} {how}")

    def _ask(self, request: Request, deadline: Deadline, read: Read[T]) -> Future[T]:
        result = self._pending.add(request.kind, deadline, read)
        self.tell(request)
        return result

    def _checked(self, answer: Answer, expected: type[A]) -> A:
        """The answer, if it has the expected type. Raises the child's error if it failed."""
        if isinstance(answer, Failed):
            kind = getattr(errors, answer.error, EngineError) if answer.error else EngineError
            raise kind(answer.text)
        assert isinstance(answer, expected)
        return answer

    def _share(self, direction: Literal["input", "output"], segment: Segment) -> None:
        try:
            self._channel.share(direction, segment)
        except OSError:
            self._process.kill()

    def _read(self) -> None:
        try:
            self._read_on()
        except (EOFError, OSError):
            pass  # it has ended
        except Exception:  # the thread's top
            log.exception("the engine's process says what cannot be understood; it is stopped")
            self.terminate("it said what cannot be understood")
        self._process.join()  # here alone, so that two threads never wait for one process
        self._ended.set()
        self._on_end()
        self._pending.fail(self._loss)
        self._channel.close()

    def _read_on(self) -> None:
        channel, silent_s = self._channel, 0.0
        while True:
            if not channel.connection.poll(POLL_S):
                silent_s += POLL_S
                if silent_s > SILENT_S:
                    self.terminate(f"no sign of life for {SILENT_S:g} s")
                continue
            message, silent_s = channel.receive(), 0.0
            match message:
                case Heartbeat(gpu_mb, queues, encoding, ranks, hop_ms):
                    self.gpu_mb, self._queues, self.encoding = gpu_mb, queues, encoding
                    self.ranks, self.hop_ms = ranks, hop_ms
                case Log(name, level, text):
                    logging.getLogger(name).log(logging.DEBUG if self.quiet else level, "%s", text)
                case SettingUp():
                    self._pending.extend("prepare", self._on_set_up())
                case Failed(fatal=True):
                    self.group_lost = message.error == GroupLostError.__name__
                    self.terminate(message.text)
                    self._pending.fail(self._loss)
                case _:
                    self._answered(message)

    def _answered(self, answer: Answer) -> None:
        frames = answer.frames if isinstance(answer, Painted) else ()
        rows = [self._channel.rows(at) for at in frames if at.offset is None]
        asked = self._pending.pop(answer.to)
        if asked is not None:
            fulfil(asked.result, partial(asked.read, answer, rows))
