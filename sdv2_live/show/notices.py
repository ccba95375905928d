"""The last errors and warnings of a show, for the page: each once, with how often it came, and whether it is over."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sdv2_live.logs import MENDED, TROUBLE, harmless

KEPT = 50
MAX_TEXT = 500  # characters


@dataclass(slots=True)
class Notice:
    """One error or warning. `at` is the Unix time at which it came last."""

    at: float
    level: str
    text: str
    trouble: str
    count: int = 1
    over: bool = False

    def item(self) -> dict[str, Any]:
        """The notice as the page reads it. Messages say what is wrong, a semicolon, and what to do about it."""
        text, _, remedy = self.text.partition("; ")
        return {
            "at": round(self.at, 1),
            "level": self.level,
            "text": text,
            "remedy": remedy,
            "count": self.count,
            "over": self.over,
        }


class Notices(logging.Handler):
    """Keeps the last KEPT errors and warnings of the project's loggers. Any thread.

    Attributes:
        changed: called after each new one.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.changed: Callable[[], object] = lambda: None
        self._notices: dict[tuple[str, str], Notice] = {}  # the oldest first
        self._guard = threading.Lock()

    def items(self) -> list[dict[str, Any]]:
        """The notices, the newest first."""
        with self._guard:
            return [notice.item() for notice in reversed(self._notices.values())]

    def emit(self, record: logging.LogRecord) -> None:
        """Take in a record; one that tells of a mended trouble ends the notices of that trouble."""
        mended = getattr(record, MENDED, None)
        if mended is None and record.levelno < logging.WARNING:
            return
        text = harmless(record.getMessage())[:MAX_TEXT]
        with self._guard:
            if mended is not None:
                for notice in self._notices.values():
                    notice.over = notice.over or notice.trouble == mended
            else:
                self._note(record, text)
        self.changed()

    def _note(self, record: logging.LogRecord, text: str) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        before = self._notices.pop((level, text), None)
        notice = Notice(record.created, level, text, getattr(record, TROUBLE, ""), 1 + (before.count if before else 0))
        self._notices[level, text] = notice
        if len(self._notices) > KEPT:
            del self._notices[next(iter(self._notices))]
