"""Writes to terminals, pipes and log files on threads of their own.

A paused terminal (Ctrl-S), a pipe whose reader hangs and a failed disk block their writers. No thread of a show may block: the
output and the controls would stand still meanwhile. So records and status lines queue here; those that do not fit are counted,
and the count is reported as soon as writing goes on.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from sdv2_live import logs
from sdv2_live.errors import Sdv2Error

log = logging.getLogger("sdv2_live.logs")

MOST = 1000  # lines that wait
END_S = 0.5  # for what still waits at the end

Write = Callable[[], object]


class Writer:
    """A thread that runs writes in the order of `put`. `lost` counts those that found no room."""

    def __init__(self) -> None:
        self.lost = 0
        self._waiting: queue.Queue[Write | None] = queue.Queue(MOST)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, write: Write) -> None:
        """Queue a call of `write`. Never waits."""
        try:
            self._waiting.put_nowait(write)
        except queue.Full:
            self.lost += 1

    def close(self) -> bool:
        """Write what is queued, for END_S at most. Returns True when all of it is written."""
        try:
            self._waiting.put(None, timeout=END_S)
        except queue.Full:
            return False
        self._thread.join(END_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (write := self._waiting.get()) is not None:
            write()


class Relay(logging.Handler):
    """Passes records to another handler on a `Writer`'s thread."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__(handler.level)
        self.handler, self.writer = handler, Writer()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, with its text as it is now."""
        record.msg, record.args = record.getMessage(), ()
        self.writer.put(partial(self._write, record))

    def _write(self, record: logging.LogRecord) -> None:
        lost, self.writer.lost = self.writer.lost, 0
        if lost:
            words = "%d lines are missing here: nothing was taken for a while"
            self.handler.handle(log.makeRecord(log.name, logging.WARNING, __file__, 0, words, (lost,), None))
        self.handler.handle(record)


class Relayed:
    """Moves the writes of the root logger's handlers and of `say` to threads of their own while entered.

    If something still blocks at the end, leaving ends the process at once: the interpreter's own exit would wait for it.
    """

    def __init__(self) -> None:
        self._relays: list[Relay] = []

    def __enter__(self) -> Self:
        root = logging.getLogger()
        for handler in list(root.handlers):
            self._relays.append(Relay(handler))
            root.removeHandler(handler)
            root.addHandler(self._relays[-1])
        self._terminal = Writer()
        return self

    def say(self, text: str, end: str = "\n") -> None:
        """Like `logs.say`, but never waits."""
        self._terminal.put(partial(logs.say, text, end))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        root = logging.getLogger()
        written = [writer.close() for writer in (self._terminal, *(relay.writer for relay in self._relays))]
        if not all(written):
            os._exit(error.exit_code if isinstance(error, Sdv2Error) else int(error is not None))
        for relay in self._relays:
            root.removeHandler(relay)
            root.addHandler(relay.handler)
