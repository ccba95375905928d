"""The lists that the page shows: presets, the timeline, takes, and whatever else is no value of a parameter.

Any part of a show adds a kind, a function that makes its JSON object, and says when that has changed. The object is made on the
control loop, when a page is there to read it, so the function must not block.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

log = logging.getLogger("sdv2_live.page")

Make = Callable[[], Mapping[str, Any]]


class Lists:
    """The kinds of lists, each as JSON text that is made at most once between two changes."""

    def __init__(self) -> None:
        self._makes: dict[str, Make] = {}
        self._fresh: set[str] = set()
        self._texts: dict[str, str] = {}
        self._changed: set[str] = set()
        self._lock = threading.Lock()
        self.wake: Callable[[], object] = lambda: None  # called after a change, on the thread that changed something
        self.failed: Callable[[], object] = lambda: None  # called on the loop when a list cannot be made

    def add(self, kind: str, make: Make, *, fresh: bool = False) -> Callable[[], None]:
        """Add a kind.

        Args:
            make: returns the object, without its kind, from values that JSON takes; called on the control loop.
            fresh: a page gets it once, made anew, when it connects.

        Returns:
            A function to call after each change, on any thread. It never waits.
        """
        self._makes[kind] = make
        if fresh:
            self._fresh.add(kind)
        return lambda: self.changed(kind)

    def changed(self, kind: str) -> None:
        """Have pages told of a kind again. Any thread; never waits."""
        with self._lock:
            self._changed.add(kind)
        self.wake()

    def take_changed(self) -> dict[str, str]:
        """The texts of the kinds that became others since the last call. The loop's."""
        with self._lock:
            changed, self._changed = self._changed, set()
        known = sorted(changed & self._makes.keys() - self._fresh)
        before = {kind: self._texts.pop(kind, "") for kind in known}
        return {kind: text for kind, text in self._of(known).items() if text != before[kind]}

    def all(self) -> dict[str, str]:
        """The text of every kind, as it was made last: a change is made into text by `take_changed`. The loop's."""
        return self._of(self._makes)

    def _of(self, kinds: Iterable[str]) -> dict[str, str]:
        """The texts of these kinds, without those that cannot be made."""
        found = {}
        for kind in kinds:
            try:
                found[kind] = self._texts[kind] if kind in self._texts else self._text(kind)
            except Exception:  # a list's top: this one is not told, all others are
                self.failed()
                log.exception("the list '%s' of the page could not be made", kind)
        return found

    def _text(self, kind: str) -> str:
        text = json.dumps({"kind": kind, **self._makes[kind]()}, ensure_ascii=False, separators=(",", ":"))
        if kind not in self._fresh:
            self._texts[kind] = text
        return text
