"""Recording while the show runs: the engine passes its chunks to a thread that writes them.

The frame path only puts references into a queue. A failure of the writing ends the take, never the show: `record` returns to
false, the log says why and what to do, and the written part stays.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from sdv2_live.chunk import Generated
from sdv2_live.config.schema import Config
from sdv2_live.control.store import Change, ParamStore
from sdv2_live.errors import Sdv2Error, TakeError
from sdv2_live.stats import Counters, Fill
from sdv2_live.system.process import may_wait
from sdv2_live.takes.format import Header
from sdv2_live.takes.writer import TakeWriter
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.takes")

MARKS = 3  # beside chunks, what may wait: the end of one take, the beginning of the next, the end of all


class _State(Enum):
    IDLE = auto()
    OPENING = auto()  # the folder is being made
    WAITING = auto()  # for a chunk that a take can begin with
    RECORDING = auto()


@dataclass(frozen=True, slots=True)
class _Open:
    """The start of a take."""


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a take.

    Attributes:
        problem: why it is incomplete.
    """

    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Job:
    """A job of the writing thread, for the take of this number."""

    take: int
    what: _Open | Generated | _End


class Recorder:
    """Follows the parameter `record`. Counts takes_recorded and takes_failed."""

    def __init__(self, config: Config, store: ParamStore, counters: Counters) -> None:
        self._config = config
        self._header: Header | None = None
        self._store = store
        self._counters = counters
        self._state = _State.IDLE
        self._number = 0  # of the take that `_state` is about, the newest
        self._version = -1  # of the newest change of `record` that was followed
        self._queue: deque[_Job | None] = deque()
        self._ready = threading.Condition()
        self._now: tuple[str, float] | None = None
        self._take: TakeWriter | None = None  # belongs to the thread, as does:
        self._failed = 0  # number of the last take that could not be written
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._forget = store.add_listener(self._changed)

    def start(self, header: Header) -> None:
        """Start to follow the parameter. A restarted engine calls it again: with other models, the present take ends."""
        before, self._header = self._header, header
        if before is None:
            self._thread.start()
            if self._store.latest().record:
                self._want(True)
        elif self.recording and any(header.differences(before)):
            log.warning("the engine goes on with other models: the take ends here")
            self._store.set("record", False, "recorder")

    def close(self) -> None:
        """Finish the present take, with all its chunks, and stop. Idempotent."""
        self._forget()
        self._want(False)
        with self._ready:
            self._queue.append(None)
            self._ready.notify()
        ended(self._thread, writes=True)

    @property
    def queues(self) -> dict[str, Fill]:
        """Fill of the queue of chunks, take starts and take ends that wait to be written."""
        return {"recorder": Fill(len(self._queue), self._config.takes.max_queue_chunks + MARKS)}

    @property
    def waiting(self) -> bool:
        """True when a take is ready to begin: the next chunk is to begin a new stream, with its prompt settled."""
        return self._state is _State.WAITING

    @property
    def recording(self) -> bool:
        """True when a take is being recorded, or begins with the next chunk."""
        return self._state in (_State.WAITING, _State.RECORDING)

    @property
    def now(self) -> tuple[str, float] | None:
        """The name of the take that is being written, and its Unix time of start; None without one."""
        return self._now

    def add(self, generated: Generated) -> None:
        """Take over a painted chunk. Never waits. The chunk is dropped when no take runs, or when one cannot begin yet."""
        if self._state not in (_State.WAITING, _State.RECORDING):
            return
        limit = self._config.takes.max_queue_chunks
        with self._ready:
            recipe = generated.recipe
            stands_alone = recipe.begins is not None and recipe.prompt.anew
            if self._state is _State.WAITING and stands_alone:
                self._state = _State.RECORDING
            if self._state is not _State.RECORDING:
                return
            full = len(self._queue) >= limit
            if full:
                problem = (
                    f"{self._config.takes.folder}: the disk or the encoder is too slow: {limit} chunks wait to be written; "
                    "record to a faster disk (takes.dir), at a smaller input size, or raise takes.max_queue_chunks"
                )
                self._state = _State.IDLE
            self._queue.append(_Job(self._number, _End(problem) if full else generated))
            self._ready.notify()
        if full:
            self._tell(problem)

    def _changed(self, change: Change) -> None:
        """Follow a change in the store, on any thread."""
        if "record" in change.values:
            self._want(bool(change.values["record"]), change.version)

    def _want(self, wanted: bool, version: int | None = None) -> None:
        with self._ready:
            if version is not None:
                if version < self._version:
                    return
                self._version = version
            if wanted and self._state is _State.IDLE:
                self._state = _State.OPENING
                self._number += 1
                self._queue.append(_Job(self._number, _Open()))
            elif not wanted and self._state is not _State.IDLE:
                self._state = _State.IDLE
                if self._queue and self._queue[-1] == _Job(self._number, _Open()):
                    self._queue.pop()  # called off before it began: while a disk hangs, no finger fills the queue
                else:
                    self._queue.append(_Job(self._number, _End()))
            self._ready.notify()

    def _run(self) -> None:
        may_wait()  # the show comes first
        while (job := self._next()) is not None:
            try:
                self._do(job.take, job.what)
            except Sdv2Error as error:
                self._give_up(job.take, str(error))
            except Exception:
                log.exception("the recorder stumbled")
                self._give_up(job.take, f"{self._config.takes.folder}: the take cannot go on, for the reason above")

    def _next(self) -> _Job | None:
        with self._ready:
            self._ready.wait_for(lambda: self._queue)
            return self._queue.popleft()

    def _do(self, number: int, what: _Open | Generated | _End) -> None:
        take = self._take
        match what:
            case _Open():
                assert self._header is not None
                self._take = TakeWriter(self._config, self._header)
                self._now = self._take.folder.name, time.time()
                log.info("recording to %s", self._take.folder)
                with self._ready:
                    if self._wanted(number):
                        self._state = _State.WAITING
            case _ if number == self._failed:
                pass  # told, and finished as far as it could be
            case Generated():
                if take is None:
                    raise TakeError(f"{self._config.takes.folder}: no take is open for a chunk; begin another with `record`")
                take.write(what)
            case _End(problem) if take is not None:
                take.close(problem)
                self._take = self._now = None
                if take.chunks:
                    self._counters.add("takes_recorded")
                    log.info("%s: %d chunks%s", take.folder, take.chunks, " (incomplete)" if problem else "")

    def _wanted(self, number: int) -> bool:
        """True when this take is the newest, and was not cancelled."""
        return number == self._number and self._state is not _State.IDLE

    def _give_up(self, number: int, problem: str) -> None:
        self._failed = number
        with self._ready:
            ends = self._wanted(number)  # else another was begun since, which may do better
            if ends:
                self._state = _State.IDLE
        take, self._take, self._now = self._take, None, None
        if take is not None:
            take.abandon(problem)
        self._tell(problem, ends)

    def _tell(self, problem: str, ends: bool = True) -> None:
        self._counters.add("takes_failed")
        log.error("recording has ended: %s. The show goes on", problem)
        if ends:
            self._store.set("record", False, "recorder")
