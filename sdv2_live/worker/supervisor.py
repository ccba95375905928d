"""Keeps an engine process running: starts it, watches it, and starts the next whenever it ends."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import replace
from typing import Any

from sdv2_live.config.measures import SMALL_VAES
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.errors import NO_MEMORY, EngineError, EngineLostError, Sdv2Error, WeightsError
from sdv2_live.logs import MENDED, TROUBLE
from sdv2_live.stats import Counters, Fill
from sdv2_live.system.clock import monotonic
from sdv2_live.threads import ended
from sdv2_live.worker.deadlines import Deadline
from sdv2_live.worker.host import EngineState, OnUp, painted_size
from sdv2_live.worker.messages import EncodePrompts, Hello, Setup
from sdv2_live.worker.pending import POLL_S
from sdv2_live.worker.process import EngineProcess, Target
from sdv2_live.worker.recovery import RestartPolicy, asked

log = logging.getLogger("sdv2_live.engine")

HALT_S = 0.5  # a chunk at hand may still end in this time when the show closes
MAX_WAITING = 256  # prompts to encode ahead; what is more is encoded when it is used
AT_ONCE = 8  # beside them, what several threads may put there in one moment


class Supervisor:
    """Runs one process after another, on its own thread. Counts engine_restarts.

    See `remote.RemoteEngine` for the arguments.

    Attributes:
        failure: the error that keeps the process away until somebody repairs it; None without one.
    """

    def __init__(
        self,
        config: Config,
        latest: Callable[[], Params],
        counters: Counters,
        on_up: OnUp,
        on_trouble: Callable[[], None],
        target: Target,
    ) -> None:
        self.failure: Sdv2Error | None = None
        self._config = config
        self._latest = latest
        self._counters = counters
        self._on_up = on_up
        self._on_trouble = on_trouble
        self._target = target
        faults = config.faults
        self._policy = RestartPolicy(faults.crashes, faults.ladder, faults.retry_s, faults.climb_s)
        self._newest: EngineProcess | None = None
        self._hello: Hello | None = None  # of the last process that came up
        self._up_at: float | None = None  # when the newest process came up
        self._words = "loading"
        self._told = ""  # why the last process ended
        self._planned = False  # the process ends because it was asked to
        self._news: queue.SimpleQueue[EncodePrompts | None] = queue.SimpleQueue()  # None: look at the process
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine-watch", daemon=True)

    def start(self) -> None:
        """Start the first process and return."""
        self._thread.start()

    def halt(self) -> None:
        """Let the process finish its requests for a short time, then end it."""
        up = self.process
        self._closing.set()
        if up is not None:
            up.finish(HALT_S)
        if self._newest is not None:
            self._newest.terminate("the show ends")

    def close(self) -> None:
        """Halt, and end the thread. Idempotent."""
        self.halt()
        ended(self._thread)

    @property
    def process(self) -> EngineProcess | None:
        """The process that takes requests now; None while there is none."""
        process = self._newest
        up = process is not None and self._up_at is not None and process.alive and not self._closing.is_set()
        return process if up else None

    def state(self) -> EngineState:
        """The present state."""
        process = self._newest
        restarts = self._counters["engine_restarts"]
        pid, gpu_mb = (process.pid, process.gpu_mb) if process is not None else (0, 0)
        kernels = self._hello.kernels if self._hello is not None else {}
        ranks, hop_ms = (process.ranks, process.hop_ms) if process is not None else ((), 0.0)
        return EngineState(self._words, pid, restarts, self._policy.rungs, gpu_mb, kernels, ranks, hop_ms)

    @property
    def encoding(self) -> tuple[str, ...]:
        """Prompts that the process has not encoded yet."""
        process = self.process
        return process.encoding if process is not None else ()

    @property
    def queues(self) -> dict[str, Fill]:
        """Fill of the queue of prompts that wait for a process, and of the queues of the process."""
        process = self._newest
        return {"engine_requests": Fill(self._news.qsize(), MAX_WAITING + AT_ONCE), **(process.queues if process else {})}

    def encode_prompts(self, prompts: Sequence[str], slot: str | None) -> None:
        """Have the process encode these as soon as it is up. Never waits."""
        for prompt in prompts:
            if self._news.qsize() < MAX_WAITING:
                self._news.put(EncodePrompts((prompt,), slot))

    @property
    def can_lighten(self) -> bool:
        """True when `lighten(True)` would change anything."""
        return self._hello is not None and self._hello.vae not in SMALL_VAES

    def lighten(self, small: bool) -> None:
        """Replace the process by one with the other autoencoder. Two would not fit in memory: the fallback covers the gap."""
        process = self._newest
        if self._policy.lighten(small) and process is not None and process.alive:
            self._planned = True
            process.terminate(f"{'the small' if small else 'its own'} autoencoder is wanted")

    def measured(self, max_pixels: int) -> None:
        """Take note of the most pixels that the process measured for its input."""
        assert self._hello is not None
        self._keep_alike({"video.max_pixels": max_pixels})
        self._hello = replace(self._hello, kernels={**self._hello.kernels, "size": painted_size(None, max_pixels)})

    def _keep_alike(self, kept: dict[str, Any]) -> None:
        self._config = self._config.with_keys(kept)  # the next process paints alike, however busy the machine is then

    def _wake(self) -> None:
        """Have the thread look at the process. A queue that is not empty wakes it anyway."""
        if self._news.empty():
            self._news.put(None)

    def _run(self) -> None:
        while not self._closing.is_set():
            refused: Sdv2Error | None = None
            try:
                why = self._live()
            except Sdv2Error as error:  # as with missing weights: the next one would say the same
                why, refused = str(error), error
                if self._hello is None:
                    self.failure = error
            except Exception as error:  # the thread's top
                log.exception("the engine's process could not be kept")
                why = f"{type(error).__name__}: {error}"
            if self.failure is None and not self._closing.is_set():
                self._closing.wait(self._ended(why, refused))
            if self.failure is not None:
                return

    def _live(self) -> str:
        """Run one process from its start to its end. Returns why it ended; raises its error when it cannot come up."""
        plain = self._config.model_dump(mode="json", exclude={"params"})
        setup = Setup(plain, self._latest(), self._policy.asked, log.getEffectiveLevel(), self._ranks)
        process = self._newest = EngineProcess(setup, self._target, self._wake, quiet=self._policy.away)
        try:
            if not self._closing.is_set():
                self._keep(process)
        except EngineLostError as error:
            return str(error)
        finally:
            loss = process.close()
        return str(loss)

    def _keep(self, process: EngineProcess) -> None:
        hello = process.hello(Deadline(self._config.faults.load_s))
        while process.alive and not hello.done():
            wait([hello], POLL_S)
            process.watch()
        if hello.done():
            self._came_up(process, hello.result())
        while process.alive:
            try:
                request = self._news.get(timeout=POLL_S)
            except queue.Empty:
                request = None
            if request is not None:
                process.tell(request)
            process.watch()
            self._climb(process)

    def _came_up(self, process: EngineProcess, hello: Hello) -> None:
        if self._hello is not None:
            log.warning("the engine is back: model %s on %s", hello.profile, hello.device, extra={MENDED: "engine"})
        self._hello = hello
        self._keep_alike(hello.kept)
        self._policy.came_up()
        self._on_up(hello)
        process.quiet = False
        self._words, self._up_at = "running", monotonic()

    def _climb(self, process: EngineProcess) -> None:
        """End a process that has lived long enough for the next one to get a rung back."""
        up_s = self._up_s
        climbs_in = self._policy.climbs_in(up_s)
        if climbs_in is None or climbs_in > 0 or not process.alive:
            return
        self._planned = True
        rung, left = self._policy.climb(), ", ".join(self._policy.rungs) or "nothing"
        process.terminate(f"all was well for {up_s:.0f} s, so the step {rung} is given back; still lowered to: {left}")

    @property
    def _up_s(self) -> float:
        """Seconds for which the newest process has been up."""
        return monotonic() - self._up_at if self._up_at is not None else 0.0

    @property
    def _ranks(self) -> int:
        """Processes of this machine that paint together, or are to, as far as is known."""
        if self._hello is not None:
            return self._hello.ranks
        several = self._newest is not None and self._newest.group_lost
        return asked(self._config.model.gpus) or 1 + several

    def _ended(self, why: str, refused: Sdv2Error | None) -> float:
        """Log the end, and return the seconds until the next start.

        Args:
            refused: what the process reported, where it never came up.
        """
        policy, planned, up_s, hello = self._policy, self._planned and not refused, self._up_s, self._hello
        self._planned, self._up_at = False, None
        self._counters.add("engine_restarts")
        self._on_trouble()
        if planned:
            self._words = f"restarting: {why}"
            log.warning("%s. The output goes on; the engine starts again", why, extra={TROUBLE: "engine"})
            return 0.0
        before, told = policy.rungs, policy.away and why == self._told
        if refused is not None:
            pause = policy.refused(self._ranks if hello is not None and not isinstance(refused, WeightsError) else 1)
        else:
            pause = policy.ended(up_s, hello.vae if hello is not None else "", self._ranks)
        self._told = why
        then = "at once" if not pause else f"in {pause:g} s"
        level = logging.DEBUG if told else logging.ERROR
        log.log(level, "%s. The output goes on; the engine starts again %s", why, then, extra={TROUBLE: "engine"})
        if policy.rungs != before:
            often = "" if refused else "it ended too often: "
            log.warning("%sfrom now on with less (%s)", often, ", ".join(policy.rungs))
        self._words = f"away, next try {then}: {why}" if policy.away else f"restarting: {why}"
        if policy.away and self._hello is None and not _may_pass(why):
            self.failure = EngineError(f"{why}; it never came up, however little was asked of it: see the log above")
        return pause


def _may_pass(why: str) -> bool:
    """True when another program may be the cause: it took the memory, or the system killed this process for it."""
    return NO_MEMORY in why.lower() or "SIGKILL" in why
