"""The engine in a process of its own: watched, and started anew whenever it ends, without the show noticing more than that."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sdv2_live.config.measures import SMALL_VAES
from sdv2_live.config.schema import Config
from sdv2_live.control.params import Params
from sdv2_live.errors import EngineError, EngineLostError, Sdv2Error
from sdv2_live.frame import Frame
from sdv2_live.stats import Counters, Fill, Window
from sdv2_live.system.clock import monotonic
from sdv2_live.threads import ended
from sdv2_live.worker import child
from sdv2_live.worker.host import EngineHost, EngineState, OnUp
from sdv2_live.worker.inflight import RemoteLaunched
from sdv2_live.worker.messages import Discard, EncodePrompts, FrameAt, Hello, Painted, Prepare, Settle, Setup
from sdv2_live.worker.process import Deadline, EngineProcess, Target
from sdv2_live.worker.recovery import RestartPolicy
from sdv2_live.worker.server import NO_MEMORY

log = logging.getLogger("sdv2_live.engine")

HALT_S = 0.5  # a chunk at hand may still end in this time when the show closes
USUAL = 10  # times the median chunk before one is taken for hung
LATE = 4  # times the median chunk before the audience gets something else to see
LATE_S = 1.0  # but not before this
WARM_UP = 8  # chunks in which kernels may still be chosen and graphs captured: they get more time
MORE_TIME = 4
IMPATIENT = 3  # chunks in a row that failed before the process is started anew
MAX_WAITING = 256  # prompts to be encoded before they are used; what is more is encoded when it is used
AT_ONCE = 8  # beside them, what several threads may put there in one moment


class RemoteEngine(EngineHost):
    """A thread starts the process, waits for its end, and starts the next. Counts engine_restarts.

    latest: the parameters that hold now. on_trouble: there may be no pictures for a while; called on any thread, must not
    block. target: see EngineProcess.
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
        self._latest = latest
        self._config = config
        self._counters = counters
        self._on_up = on_up
        self._on_trouble = on_trouble
        self._target = target
        faults = config.faults
        self._recovery = RestartPolicy(faults.crashes, faults.ladder, faults.retry_s, faults.climb_s)
        self._process: EngineProcess | None = None
        self._words = "loading"
        self._told = ""  # why the last process ended
        self._ever_up = self._was_up = False  # once; since the last start
        self._up_at = 0.0
        self._vae = ""
        self._kernels: dict[str, str] = {}
        self._planned = False  # the process ends because it was asked to
        self._size: tuple[int, int] | None = None
        self._prepared: tuple[object, ...] | None = None  # for which input, parameters and render scale the next chunk is
        self._needed = 0  # frames that it takes
        self._cold = True  # the next chunk is the first of its process or of its size
        self._warm = 0  # chunks painted since
        self._failed = 0  # chunks in a row
        self._chunk_s = Window(32)
        self._news: queue.SimpleQueue[EncodePrompts | None] = queue.SimpleQueue()  # None: look at the process
        self._like: tuple[int, int] = (0, 0)  # of the input, at the last request
        self._requesting = threading.Lock()
        self._landed = threading.Condition()
        self._waiting_for: list[RemoteLaunched] = []  # chunks that were launched and not waited for
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine-watch", daemon=True)

    def start(self) -> None:
        """Start the process and return. `on_up` is told when it has loaded its models; `failure` says when it cannot."""
        self._thread.start()

    def halt(self) -> None:
        super().halt()
        self._closing.set()
        if self._requesting.acquire(timeout=HALT_S):
            self._requesting.release()
        with self._landed:
            self._landed.wait_for(lambda: not self._waiting_for, HALT_S)
        if self._process is not None:
            self._process.kill()  # it has nothing to lose

    def close(self) -> None:
        self.halt()
        ended(self._thread)

    def state(self) -> EngineState:
        process = self._process
        restarts = self._counters["engine_restarts"]
        pid, gpu_mb = (process.pid, process.gpu_mb) if process is not None else (0, 0)
        return EngineState(self._words, pid, restarts, self._recovery.rungs, gpu_mb, self._kernels)

    @property
    def queues(self) -> dict[str, Fill]:
        process = self._process
        return {"engine_requests": Fill(self._news.qsize(), MAX_WAITING + AT_ONCE), **(process.queues if process else {})}

    def encode_prompts(self, prompts: Sequence[str], slot: str | None = None) -> None:
        for prompt in prompts:
            if self._news.qsize() < MAX_WAITING:
                self._news.put(EncodePrompts((prompt,), slot))

    def _look(self) -> None:
        """Wake the supervisor. A non-empty queue wakes it already."""
        if self._news.empty():
            self._news.put(None)

    @property
    def can_lighten(self) -> bool:
        return bool(self._vae) and self._vae not in SMALL_VAES

    def lighten(self, small: bool) -> None:
        """Restart the process with the other autoencoder: two would not fit in memory. The fallback picture covers the gap."""
        process = self._process
        if process is not None and self._recovery.lighten(small):
            self._planned, self.ready = True, False
            process.lost(f"{'the small' if small else 'its own'} autoencoder is wanted")

    # What the loop drives.

    def prepare(self, like: Frame, params: Params, *, reset: bool = False, render_scale: float = 1.0) -> int:
        """Raises EngineLostError when the process has ended or hangs. It is not asked twice for the same: nothing shall stand
        between a chunk's last frame and the painting."""
        wanted = like.size, like.format, params, render_scale
        with self._using() as process:
            if reset or wanted != self._prepared:
                self._prepared = None
                request = Prepare(FrameAt.of(like), params, reset, render_scale)
                prepared = process.prepare(request, self._patience(like.size, cold=self._cold))
                if prepared.size != self._size:
                    self._size, self._cold, self._warm = prepared.size, True, 0
                self._prepared, self._needed, self._like = wanted, prepared.needed, like.size
        return self._needed

    def push(self, frames: Sequence[Frame]) -> None:
        """Raises EngineLostError when the process has ended; what the engine raises comes with the next `paint`."""
        with self._using() as process:
            process.push(frames)

    def launch(self, frames: Sequence[Frame], params: Params, *, convert: bool = True) -> RemoteLaunched:
        """Raises EngineLostError when the process has ended; so does the waiting, also when it hangs, or what the engine raised
        when it could not paint."""
        with self._using() as process:
            self._prepared = None
            launched = RemoteLaunched(self, process, process.launch(frames, params, convert=convert), self._cold)
            self._waiting_for.append(launched)
        return launched

    def painted(self, launched: RemoteLaunched) -> tuple[Painted, list[Frame]]:
        """Wait for a chunk: once, in order, by any thread."""
        try:
            patience = self._patience(self._like, cold=launched.cold)
            painted, pictures, seconds = launched.process.painted(launched.chunk, patience)
        except EngineLostError:
            if launched.process is self._process:
                self._give_up()
            raise
        finally:
            with self._landed:
                self._waiting_for.remove(launched)
                self._landed.notify_all()
        self._chunk_s.add(seconds)  # the first one too: it is all that is known of a very slow machine
        self._cold, self._failed = self._cold and not launched.cold, 0
        self._warm += 1
        for stage, ms in painted.stages:
            self.timer.add(stage, ms)
        self.painting = painted.painting
        return painted, pictures

    def settle(self) -> None:
        if self._process is not None:
            self._process.tell(Settle())

    def discard(self) -> None:
        """After several failed chunks in a row, throw the whole process away: its memory may be beyond repair."""
        process, self._prepared = self._process, None
        if process is None:
            return
        self._failed += 1
        if self._failed < IMPATIENT:
            process.tell(Discard())
        else:
            self._give_up()
            process.lost(f"{self._failed} chunks in a row failed")

    @contextmanager
    def _using(self) -> Iterator[EngineProcess]:
        """The process, for one request; no other is taken up before that has ended."""
        with self._requesting:
            process = self._process
            if process is None or not self.ready:
                raise EngineLostError("the engine's process is not up")
            try:
                yield process
            except EngineLostError:
                self._give_up()
                raise

    def _give_up(self) -> None:
        """Let the process be replaced, also where it cannot even be killed."""
        self.ready = False
        self._look()

    def _patience(self, like: tuple[int, int], *, cold: bool) -> Deadline:
        hang_s, usual = self._config.faults.hang_s, self._chunk_s.summary().p50
        within = max(hang_s, USUAL * usual)
        if cold or like != self._like:
            within = self._config.faults.load_s
        elif self._warm < WARM_UP:
            within *= MORE_TIME
        return Deadline(within, max(LATE_S, LATE * usual), self._on_trouble)

    # The thread that keeps a process running.

    def _run(self) -> None:
        while not self._closing.is_set():
            refused = False
            try:
                why = self._live()
            except Sdv2Error as error:  # as with missing weights: the next one would say the same
                why, refused = str(error), True
                if not self._ever_up:
                    self.failure = error
            except Exception as error:  # the thread's top
                log.exception("the engine's process could not be kept")
                why = f"{type(error).__name__}: {error}"
            if self.failure is None and not self._closing.is_set():
                self._closing.wait(self._ended(why, refused=refused))
            if self.failure is not None:
                return

    def _live(self) -> str:
        """One process, from its start to its end. Returns why it ended; raises what it says of why it cannot come up."""
        config, faults = self._config, self._config.faults
        level = log.getEffectiveLevel()
        plain = config.model_dump(mode="json", exclude={"params"})
        setup = Setup(plain, self._latest(), self._recovery.asked, level)
        process = self._process = EngineProcess(setup, self._target, self._look, quiet=self._recovery.away)
        try:
            if self._closing.is_set():
                return "the show closed"
            self._came_up(process.hello(faults.load_s))
            process.quiet = False
            while self.ready and not process.ended.is_set():
                request = self._next(process)
                if request is not None:
                    process.tell(request)
            return str(process.lost())
        except EngineLostError as error:
            return str(error)
        finally:
            self.ready = False
            process.kill()

    def _next(self, process: EngineProcess) -> EncodePrompts | None:
        """What comes next for the process; ends it where it has lived for so long that more can be asked of the next one."""
        up_s = monotonic() - self._up_at
        try:
            return self._news.get(timeout=self._recovery.climbs_in(up_s))
        except queue.Empty:
            self._planned, self.ready = True, False
            step, left = self._recovery.climb(), ", ".join(self._recovery.rungs) or "nothing"
            process.lost(f"all was well for {up_s:.0f} s, so the step {step} is given back; still lowered to: {left}")
            return None

    def _came_up(self, hello: Hello) -> None:
        if self._ever_up:
            log.warning("the engine is back: model %s on %s", hello.profile, hello.device)
        self._vae, self._kernels, self._up_at = hello.vae, hello.kernels, monotonic()
        self._ever_up = self._was_up = True
        self._recovery.came_up()
        self._size, self._cold, self._warm, self._failed, self._prepared = None, True, 0, 0, None
        self._on_up(hello)
        with self._requesting:
            self._words, self.ready = "running", not self._closing.is_set()

    def _ended(self, why: str, *, refused: bool) -> float:
        """Says so, and returns the seconds until the next start. refused: it never came up, and said why."""
        self._counters.add("engine_restarts")
        self._on_trouble()
        if self._planned and not refused:
            self._planned = self._was_up = False
            self._words = f"restarting: {why}"
            log.warning("%s. The output goes on; the engine starts again", why)
            return 0.0
        before, told = self._recovery.rungs, self._recovery.away and why == self._told
        if refused:
            pause = self._recovery.refused()
        else:
            pause = self._recovery.ended(monotonic() - self._up_at if self._was_up else 0.0, self._vae)
        self._was_up = self._planned = False
        self._told = why
        then = "at once" if not pause else f"in {pause:g} s"
        log.log(logging.DEBUG if told else logging.ERROR, "%s. The output goes on; the engine starts again %s", why, then)
        if self._recovery.rungs != before:
            log.warning("it ended too often: from now on with less (%s)", ", ".join(self._recovery.rungs))
        self._words = f"away, next try {then}: {why}" if self._recovery.away else f"restarting: {why}"
        if self._recovery.away and not self._ever_up and not _may_pass(why):
            self.failure = EngineError(f"{why}; it never came up, however little was asked of it: see the log above")
        return pause


def _may_pass(why: str) -> bool:
    """Whether another program may be to blame, which took the memory, or had the system kill this one for it."""
    return NO_MEMORY in why.lower() or "SIGKILL" in why
