"""The engine in its own process, as the loop drives it: requests go to the process that the supervisor keeps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from sdv2_live.chunk import Chunk, Generated
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.errors import EngineLostError, Sdv2Error
from sdv2_live.frame import Frame
from sdv2_live.stats import Counters, Fill
from sdv2_live.worker import child
from sdv2_live.worker.deadlines import Deadlines
from sdv2_live.worker.host import EngineHost, EngineState, OnUp
from sdv2_live.worker.messages import Discard, FrameAt, Hello, Painted, Prepare, Settle
from sdv2_live.worker.process import EngineProcess, Target
from sdv2_live.worker.supervisor import Supervisor

log = logging.getLogger("sdv2_live.engine")

IMPATIENT = 3  # failed chunks in a row before the process is restarted


class RemoteEngine(EngineHost):
    """An engine host over a supervised process. Counts engine_restarts.

    Args:
        latest: gives the present parameters.
        on_trouble: called when pictures may stop for a while, on any thread; must not block.
        target: see EngineProcess.
    """

    def __init__(
        self,
        config: Config,
        latest: Callable[[], Params],
        counters: Counters,
        on_up: OnUp,
        on_trouble: Callable[[], None],
        target: Target = child.main,
    ) -> None:
        super().__init__()
        self._on_up = on_up
        self._deadlines = Deadlines(config.faults, on_trouble)
        self._supervisor = Supervisor(config, latest, counters, self._came_up, on_trouble, target)
        self._prepared: tuple[object, ...] | None = None  # for which input, parameters and render scale the next chunk is
        self._needed = 0  # frames that it takes
        self._failed = 0  # chunks in a row

    @property
    def ready(self) -> bool:
        return self._supervisor.process is not None

    @property
    def failure(self) -> Sdv2Error | None:
        return self._supervisor.failure

    def start(self) -> None:
        """Start the process and return. `on_up` is called when its models are loaded; `failure` is set when it cannot run."""
        self._supervisor.start()

    def halt(self) -> None:
        self._supervisor.halt()

    def close(self) -> None:
        self._supervisor.close()

    def state(self) -> EngineState:
        return self._supervisor.state()

    @property
    def encoding(self) -> tuple[str, ...]:
        return self._supervisor.encoding

    @property
    def queues(self) -> dict[str, Fill]:
        return self._supervisor.queues

    def encode_prompts(self, prompts: Sequence[str], slot: str | None = None) -> None:
        self._supervisor.encode_prompts(prompts, slot)

    @property
    def can_lighten(self) -> bool:
        return self._supervisor.can_lighten

    def lighten(self, small: bool) -> None:
        self._supervisor.lighten(small)

    def prepare(self, like: Frame, params: Params, *, reset: bool = False, render_scale: float = 1.0) -> int:
        """Same as `Stream.prepare`. A repeated call with equal arguments does not ask the process again.

        Nothing may delay the painting after a chunk's last frame.

        Raises:
            EngineLostError: the process has ended or hangs.
        """
        process = self._process()
        wanted = like.size, like.format, params, render_scale
        if reset or wanted != self._prepared:
            self._prepared = None
            request = Prepare(FrameAt.of(like), params, reset, render_scale)
            prepared = process.prepare(request, self._deadlines.next(), self._deadlines.set_up).result()
            self._prepared, self._needed = wanted, prepared.needed
            if (most := prepared.max_pixels) is not None and self._is_news(most):
                self._supervisor.measured(most)
        return self._needed

    def push(self, frames: Sequence[Frame]) -> None:
        """Same as `Stream.push`; the engine's own errors come with the next chunk.

        Raises:
            EngineLostError: the process has ended.
        """
        self._process().push(frames)

    def launch(self, chunk: Chunk, *, convert: bool = True) -> Future[Generated]:
        """Same as `Stream.launch`. The future raises the engine's error, or EngineLostError when the process ends or hangs.

        Raises:
            EngineLostError: the process has ended.
        """
        process, deadline, self._prepared = self._process(), self._deadlines.next(), None
        return process.launch(chunk, deadline, convert=convert, on_painted=partial(self._painted, self._deadlines.cold))

    def settle(self) -> None:
        self._process().tell(Settle())

    def discard(self) -> None:
        """Discard the stream; after several failed chunks in a row, the whole process: its memory may be beyond repair."""
        process, self._prepared = self._supervisor.process, None
        if process is None:
            return
        self._failed += 1
        if self._failed < IMPATIENT:
            process.tell(Discard())
        else:
            process.terminate(f"{self._failed} chunks in a row failed")

    def _process(self) -> EngineProcess:
        process = self._supervisor.process
        if process is None:
            raise EngineLostError("the engine's process is not up")
        return process

    def _painted(self, cold: bool, painted: Painted, seconds: float) -> None:
        """Take note of a painted chunk; `cold` is True for the first after a set-up."""
        self._deadlines.painted(seconds, cold=cold)
        self._failed = 0
        for stage, ms in painted.stages:
            self.timer.add(stage, ms)

    def _came_up(self, hello: Hello) -> None:
        self._deadlines.set_up()
        self._prepared, self._failed = None, 0
        self._on_up(hello)
