"""Where control writes and the engine reads: one immutable snapshot, replaced as a whole.

Writers (OSC, MIDI, presets, timelines) set values at any rate from any thread; the last one wins. The engine loop takes one
snapshot a chunk; what acts at once (freeze, bypass, blackout) is read from `latest` by whoever paces the output.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sdv2_live.control.coerce import Coerced, coerce
from sdv2_live.control.params import Kind, Params, Value, spec_of, updated
from sdv2_live.errors import ParamError

MAX_QUEUED = 8  # firings of one trigger that wait for their chunk; a stuck button shall not reset for minutes


@dataclass(frozen=True, slots=True)
class Taken:
    """What one chunk is made with. Of a trigger fired n times, this and the n-1 next takes carry one firing each."""

    params: Params
    fired: frozenset[str]
    version: int


@dataclass(frozen=True, slots=True)
class Change:
    """What one call wrote. `values` holds applied values, after coercion and clamping; triggers carry True."""

    values: Mapping[str, Value]
    origin: str
    version: int
    notes: Mapping[str, str]  # parameter to a sentence on what was clamped


@dataclass(slots=True)
class StoreCounters:
    """Totals since start. `coalesced`: writes that a later one replaced before any chunk saw them."""

    written: int = 0
    clamped: int = 0
    refused: int = 0
    fired: int = 0
    coalesced: int = 0
    overflowed: int = 0  # trigger firings beyond MAX_QUEUED


@dataclass(slots=True)
class _Pending:
    names: set[str] = field(default_factory=set)
    fired: Counter[str] = field(default_factory=Counter)


class ParamStore:
    """Thread-safe holder of the newest `Params`. A refused value changes nothing."""

    def __init__(self, start: Params | None = None) -> None:
        self._params = start or Params()
        self._version = 0
        self._pending = _Pending()
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[Change], None], ...] = ()
        self.counters = StoreCounters()

    def set(self, name: str, value: Any, origin: str) -> Value:
        """Set one parameter and return the value applied, which may be clamped. `origin` names the writer, for feedback.

        Raises ParamError for an unknown name or a value without meaning.
        """
        values = self.set_many({name: value}, origin).values
        return next(iter(values.values()), False)  # none: the release of a trigger

    def set_many(self, values: Mapping[str, Any], origin: str) -> Change:
        """Set several parameters (and fire triggers given a true value) so that one chunk sees all of them or none.

        Raises ParamError for the first that cannot be used; then nothing is changed.
        """
        try:
            specs = {name: spec_of(name, origin) for name in values}
            coerced = {spec.name: coerce(spec, values[name], origin) for name, spec in specs.items()}
        except ParamError:
            with self._lock:
                self.counters.refused += 1
            raise
        return self._apply(coerced, origin)

    def trigger(self, name: str, origin: str) -> None:
        """Fire a trigger. Raises ParamError when `name` is none."""
        self.set_many({name: True}, origin)

    def latest(self) -> Params:
        """The newest values, whether or not a chunk has taken them."""
        return self._params

    def take(self) -> Taken:
        """The snapshot for one chunk, and the triggers it carries out. Call once a chunk, from one thread."""
        with self._lock:
            fired = frozenset(self._pending.fired)
            self._pending.fired -= Counter(fired)
            self._pending.names.clear()
            return Taken(self._params, fired, self._version)

    def add_listener(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` after every change, on the writer's thread; it must neither block nor raise. Returns its removal.

        Two writers' changes may arrive in either order: the higher `version` is the newer one.
        """
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def remove() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        return remove

    def _apply(self, coerced: Mapping[str, Coerced], origin: str) -> Change:
        triggers = {name for name in coerced if spec_of(name).kind is Kind.TRIGGER}
        fired = {name for name in triggers if coerced[name].value}
        values = {name: item.value for name, item in coerced.items() if name not in triggers}
        notes = {name: item.note for name, item in coerced.items() if item.note}
        with self._lock:
            self._params = updated(self._params, values)
            self._version += 1
            self._count(frozenset(values), frozenset(fired), len(notes))
            change = Change(values | dict.fromkeys(fired, True), origin, self._version, notes)
            listeners = self._listeners
        for listener in listeners:
            listener(change)
        return change

    def _count(self, names: frozenset[str], fired: frozenset[str], clamped: int) -> None:
        queued = self._pending.fired
        accepted = {name for name in fired if queued[name] < MAX_QUEUED}
        self.counters.written += len(names)
        self.counters.clamped += clamped
        self.counters.fired += len(accepted)
        self.counters.overflowed += len(fired) - len(accepted)
        self.counters.coalesced += len(self._pending.names & names)
        self._pending.names |= names
        queued.update(accepted)
