"""The prompts that were live during a show, the newest first: a performer goes back to any of them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable

MAX_TEXTS = 100
MAX_BYTES = 100_000  # of all, as JSON: the journal is written with them at every change


class PromptHistory:
    """Texts with the Unix time at which each was live last; one that comes again moves to the front. Thread-safe.

    `changed` is called after each change, on the thread that made it.
    """

    def __init__(
        self,
        texts: Iterable[tuple[float, str]] = (),
        changed: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._texts: dict[str, float] = {text: at for at, text in reversed(list(texts))}
        self._live: frozenset[str] = frozenset()
        self._changed, self._now = changed, now
        self._lock = threading.Lock()

    def live(self, texts: Iterable[str]) -> None:
        """Note the prompts of a painted chunk. Costs nothing while they stay the same."""
        shown = frozenset(text for text in texts if text)
        if shown == self._live:
            return
        with self._lock:
            for text in shown - self._live:
                self._texts.pop(text, None)
                self._texts[text] = self._now()
            self._live = shown
            size = sum(len(json.dumps(text)) for text in self._texts)
            while len(self._texts) > MAX_TEXTS or (size > MAX_BYTES and len(self._texts) > 1):
                oldest = next(iter(self._texts))
                size -= len(json.dumps(oldest))
                del self._texts[oldest]
        self._changed()

    def newest_first(self) -> list[tuple[float, str]]:
        """Times and texts."""
        with self._lock:
            return [(at, text) for text, at in reversed(self._texts.items())]
