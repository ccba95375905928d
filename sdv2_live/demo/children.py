"""Child processes whose output is read line by line, and who are always ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, TextIO

STOP_S = 15.0  # a child asked to stop gets this long
ERROR = "sdv2-live: "  # begins the sentence with which the command line reports an error

_LINE_END = re.compile(r"[\r\n]+")
_ERASE = "\033[K"


class Child:
    """`python -m sdv2_live ARGUMENTS`, its standard output and error given to `on_line` on a thread of its own.

    Where the system has pseudo-terminals the child writes to one, so that it reports once a second, as to a person. It is
    in a session of its own: Ctrl-C reaches the parent alone, which then stops its children in order.
    """

    def __init__(self, arguments: Sequence[str], log: TextIO, on_line: Callable[[str], None] = lambda _: None) -> None:
        self.command = "sdv2-live " + " ".join(f'"{part}"' if " " in part else part for part in arguments)
        self._on_line = on_line
        self._log = log
        self._recent: deque[str] = deque(maxlen=5)
        ours, theirs = os.openpty() if hasattr(os, "openpty") else os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sdv2_live", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
                env={**os.environ, "COLUMNS": "500"},  # a pseudo-terminal tells no width, and a report is cut to it
            )
        finally:
            os.close(theirs)
        self._reader = threading.Thread(target=self._read, args=(ours,), name=arguments[0], daemon=True)
        self._reader.start()

    @property
    def last_words(self) -> str:
        """Why it ended, in its own words, once it has; empty while it runs."""
        if self._process.poll() is None:
            return ""
        self._reader.join(STOP_S)
        own = [line.removeprefix(ERROR) for line in self._recent if line.startswith(ERROR)]
        return (own or list(self._recent) or [f"exit status {self._process.returncode}"])[-1]

    def stop(self) -> None:
        """End it: asked at first, so that it closes its files; killed when that does not help. Idempotent."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(STOP_S)

    def _read(self, descriptor: int) -> None:
        for line in _lines(descriptor):
            self._recent.append(line)
            self._log.write(f"{line}\n")
            self._log.flush()
            self._on_line(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _lines(descriptor: int) -> Iterator[str]:
    """What comes from a descriptor until its other end is closed, in lines; a line rewritten in place is one each time."""
    rest = ""
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        while True:
            try:
                data = stream.read(4096)
            except OSError:  # a pseudo-terminal's way to say that nobody has it open any more
                data = b""
            *lines, rest = _LINE_END.split(rest + data.decode(errors="replace"))
            yield from (text for line in (lines if data else [*lines, rest]) if (text := line.replace(_ERASE, "").strip()))
            if not data:
                return
