"""Painting takes again while a show runs: one at a time, in a process of its own."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from sdv2_live.control.errands import Errands
from sdv2_live.errors import ParamError, TakeError
from sdv2_live.system.process import ends_with_this, how_it_ended, uninterrupted
from sdv2_live.takes import painter
from sdv2_live.takes.shelf import VIDEO, Shelf
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.takes")

CANCELLED = "cancelled"

Target = Callable[[Connection, Path, Path], None]


@dataclass
class _Work:
    """One take that is being painted. done: the share, 0..1."""

    name: str
    file: Path
    done: float = 0.0


class TakeRenderer:
    """Lists the takes of a show, and carries out `/sdv2/takes/render` and `cancel`.

    `changed` is called whenever `listed` may have changed, on any thread.

    Args:
        recording: gives the name of the take that is recorded now and its Unix time of start; None without one.
        target: what the process does.
    """

    def __init__(
        self,
        folder: Path,
        recording: Callable[[], tuple[str, float] | None] = lambda: None,
        changed: Callable[[], None] = lambda: None,
        target: Target = painter.main,
    ) -> None:
        self._shelf, self._recording, self._changed, self._target = Shelf(folder), recording, changed, target
        self._errands = Errands("takes", self._look)
        self._recorded: tuple[str, float] | None = None  # as it was told last
        self._problem = ""
        self._work: _Work | None = None
        self._process: Any = None
        self._thread: threading.Thread | None = None

    @property
    def failures(self) -> int:
        """Internal errors that were survived."""
        return self._errands.failures

    @property
    def working(self) -> bool:
        """True while a take is painted."""
        return self._work is not None

    @property
    def actions(self) -> dict[str, Callable[[tuple[Any, ...]], Future[None] | None]]:
        """The functions of its OSC addresses."""
        return {"takes/render": self._render, "takes/cancel": lambda args: self.cancel() if not args or args[0] else None}

    def listed(self) -> dict[str, Any]:
        """The takes, the one that is recorded, and the one that is painted."""
        work, recorded = self._work, self._recorded
        return {
            "items": [asdict(take) for take in self._shelf.takes],
            "recording": {"name": recorded[0], "since": recorded[1]} if recorded else None,
            "rendering": {"name": work.name, "done": round(work.done, 2), "file": work.file.name} if work else None,
            "problem": self._problem,
        }

    def start(self) -> None:
        """Begin to look at the folder."""
        self._errands.start()

    def close(self) -> None:
        """Cancel what is painted, and stop. Idempotent."""
        self._errands.close()
        self.cancel()
        if self._thread is not None:
            ended(self._thread)

    def cancel(self) -> None:
        """Stop painting; the file is removed."""
        process = self._process
        if process is not None and self._work is not None:
            self._problem = CANCELLED
            process.kill()  # SIGTERM is shut out, as Ctrl-C is

    def _render(self, args: tuple[Any, ...]) -> Future[None]:
        if len(args) != 1:
            raise ParamError("takes/render takes the name of a take")
        return self._errands.ask(f"render {args[0]}", lambda: self._begin(args[0]))

    def _begin(self, name: object) -> None:
        self._shelf.look()
        folder = self._shelf.find(name)
        if self._work is not None:
            raise TakeError(f"{self._work.name} is being painted; wait for it, or send takes/cancel")
        if self._recorded and self._recorded[0] == folder.name:
            raise TakeError(f"{folder.name} is still being recorded")
        work = _Work(folder.name, folder.with_name(folder.name + VIDEO))
        context = multiprocessing.get_context("spawn")  # never fork: threads and CUDA do not survive that
        ours, theirs = context.Pipe(duplex=False)
        # Under its final name only when it is whole: the sink puts a part there when it is interrupted.
        process = context.Process(target=self._target, args=(theirs, folder, _unfinished(work.file)), name="sdv2-live take")
        process.daemon = True
        with uninterrupted():
            process.start()
        theirs.close()
        ends_with_this(process.pid or 0)
        self._work, self._process, self._problem = work, process, ""
        self._thread = threading.Thread(target=self._follow, args=(work, process, ours), name="take-rendering", daemon=True)
        self._thread.start()
        log.info("%s is painted again into %s", folder, work.file)
        self._changed()

    def _follow(self, work: _Work, process: Any, said: Connection) -> None:
        problem = "it ended without a word"
        with suppress(EOFError, OSError):
            # Of the process too: on Windows the pipe of one that is killed as it starts never ends.
            while said in wait((said, process.sentinel)):
                if isinstance(told := said.recv(), str):
                    problem = told
                    break
                work.done = told
                self._changed()
        process.join()
        if self._problem != CANCELLED:
            if process.exitcode:
                problem = f"{work.name}: its process {how_it_ended(process.exitcode)}"
            self._problem = problem
        self._finish(work)
        self._work = None
        self._changed()

    def _finish(self, work: _Work) -> None:
        """Give the video its name, or remove what there is of it."""
        unfinished = _unfinished(work.file)
        try:
            if not self._problem:
                unfinished.replace(work.file)
                log.info("%s: painted again", work.file)
                return
            for left in (unfinished, unfinished.with_name(unfinished.name + ".part")):
                left.unlink(missing_ok=True)
        except OSError as error:
            self._problem = f"{work.file}: cannot be written: {error.strerror}"
        if self._problem != CANCELLED:
            log.error("a take could not be painted: %s", self._problem)

    def _look(self) -> None:
        recorded, self._recorded = self._recorded, self._recording()
        if self._shelf.look() or recorded != self._recorded:
            self._changed()


def _unfinished(file: Path) -> Path:
    return file.with_name(f"{file.stem}.unfinished{file.suffix}")
