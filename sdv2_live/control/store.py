"""The parameter store: control writes to it, the engine reads one immutable snapshot, which is replaced as a whole.

Writers (OSC, MIDI, presets, timelines) set values at any rate from any thread; the last one wins. The engine loop takes one
snapshot a chunk. Parameters that act at once (freeze, bypass, blackout, input_select) are read from `latest` for every frame.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from sdv2_live.control.coerce import Coerced, coerce
from sdv2_live.control.macros import Macros
from sdv2_live.control.morph import Morph, can_glide
from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.params import PARAMS, Keeps, Kind, Params, Value, updated, value_of
from sdv2_live.errors import ParamError
from sdv2_live.stats import total
from sdv2_live.system.clock import monotonic, monotonic_ns

MAX_QUEUED = 8  # firings of one trigger that wait for their chunk; a stuck button shall not reset for minutes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The parameters and triggers of one chunk. A trigger fired n times is in this one and in each of the next n-1.

    Attributes:
        changed: parameters written and triggers fired since the chunk before.
    """

    params: Params
    fired: frozenset[str]
    version: int
    changed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Change:
    """The result of one call.

    Attributes:
        values: applied values, after coercion and clamping; triggers carry True.
        notes: parameter to a sentence on what was clamped.
        at_ns: when a hand or a program asked for it, by `system.clock.monotonic_ns`.
    """

    values: Mapping[str, Value]
    origin: str
    version: int
    notes: Mapping[str, str]
    at_ns: int


@dataclass(frozen=True, slots=True)
class Applied:
    """The start of a chunk with changes. `names`: parameters changed and triggers fired since the chunk before."""

    chunk: int
    names: frozenset[str]
    version: int


@dataclass(slots=True)
class StoreCounters:
    """Totals since start."""

    written: int = total("Values of parameters written.")
    clamped: int = total("Values that were out of range and were brought into it.")
    refused: int = total("Requests that could not be used, and changed nothing.")
    fired: int = total("Triggers fired.")
    coalesced: int = total("Values that a later one replaced before any chunk saw them.")
    overflowed: int = total("Firings of a trigger left out, because so many waited for their chunk already.")


@dataclass(slots=True)
class _Pending:
    names: set[str] = field(default_factory=set)
    fired: Counter[str] = field(default_factory=Counter)


class _Request(NamedTuple):
    """An expanded and checked request: values to set now, and targets of values that glide."""

    coerced: dict[str, Coerced]
    gliding: dict[str, float]


E = TypeVar("E")


class _Listeners(Generic[E]):
    """Functions to call with each event. Replaced as a whole, so that a call in progress sees a fixed set."""

    def __init__(self) -> None:
        self._all: tuple[Callable[[E], None], ...] = ()
        self._lock = threading.Lock()

    def add(self, listener: Callable[[E], None]) -> Callable[[], None]:
        with self._lock:
            self._all = (*self._all, listener)

        def remove() -> None:
            with self._lock:
                self._all = tuple(one for one in self._all if one is not listener)

        return remove

    def tell(self, event: E) -> None:
        for listener in self._all:
            listener(event)


class ParamStore:
    """Thread-safe holder of the newest `Params`. A refused value changes nothing.

    `macros` expands requests such as a preset recall; `clock` gives seconds for gliding values; `names` are the show's.
    """

    def __init__(
        self,
        start: Params | None = None,
        macros: Macros | None = None,
        clock: Callable[[], float] = monotonic,
        names: ParamNames = TABLE,
    ) -> None:
        self.names = names
        self._params = start or Params()
        self._macros = macros or Macros()
        self._clock = clock
        self._version = 0
        self._pending = _Pending()
        self._morph: Morph | None = None
        self._lock = threading.Lock()
        self._changes: _Listeners[Change] = _Listeners()
        self._applied: _Listeners[Applied] = _Listeners()
        self.counters = StoreCounters()

    def set(self, name: str, value: Any, origin: str) -> Value:
        """Set one parameter and return the applied value, which may be clamped. `origin` names the writer, for feedback.

        Raises:
            ParamError: the name is unknown or the value has no meaning.
        """
        return self.set_many({name: value}, origin).values.get(self.names.spec(name).name, False)  # absent: a trigger's release

    def set_many(self, values: Mapping[str, Any], origin: str, at_ns: int | None = None) -> Change:
        """Set several parameters (and fire triggers given a true value) so that one chunk sees all of them or none.

        Args:
            values: by parameter.
            origin: names the writer, for feedback.
            at_ns: when it was asked for, by `system.clock.monotonic_ns`; None for now.

        Raises:
            ParamError: for the first value that cannot be used; then nothing is changed.
        """
        at_ns = monotonic_ns() if at_ns is None else at_ns
        try:
            with self._lock:
                request = self._read(values, origin)
                coerced = request.coerced
                change = self._apply(coerced, origin, at_ns) if coerced else Change({}, origin, self._version, {}, at_ns)
                self._start_morph(request.gliding, frozenset(coerced))
        except ParamError:
            with self._lock:
                self.counters.refused += 1
            raise
        if coerced:
            self._changes.tell(change)
        return change

    def check(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        """What setting `values` would note now. Raises the ParamError that it would raise."""
        return {name: item.note for name, item in self._read(values, "").coerced.items() if item.note}

    def meaning(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The plain values that a request stands for now, as a preset's. Raises ParamError when it cannot be met."""
        return self._macros.write_out(values, self._params).values

    def trigger(self, name: str, origin: str, at_ns: int | None = None) -> None:
        """Fire a trigger. Raises ParamError when `name` is no trigger, or when it cannot be carried out."""
        self.set_many({name: True}, origin, at_ns)

    def latest(self) -> Params:
        """The newest values, already taken by a chunk or not."""
        return self._params

    def settled(self) -> Params:
        """The newest values, with gliding ones at their targets."""
        with self._lock:
            return updated(self._params, self._morph.target) if self._morph else self._params

    def settle(self) -> None:
        """Move gliding values to their targets at once: a show's first picture has nothing to glide from."""
        with self._lock:
            if self._morph is not None:
                self._params, self._morph = updated(self._params, self._morph.target), None

    def snapshot(self, chunk: int = 0) -> Snapshot:
        """The snapshot for chunk number `chunk`, with the triggers that it carries out. Call once a chunk, from one thread.

        It advances gliding values and informs the listeners of `add_applied_listener` of a chunk with changes.
        """
        glided = self._glide()
        with self._lock:
            fired = frozenset(self._pending.fired)
            self._pending.fired -= Counter(fired)
            names = frozenset(self._pending.names) | fired
            self._pending.names.clear()
            taken = Snapshot(self._params, fired, self._version, names)
        if glided is not None:
            self._changes.tell(glided)
        if names:
            self._applied.tell(Applied(chunk, names, taken.version))
        return taken

    def add_listener(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` after every change, on the writer's thread; it must neither block nor raise. Returns its remover.

        Two writers' changes may arrive in either order: the higher `version` is the newer one.
        """
        return self._changes.add(listener)

    def add_applied_listener(self, listener: Callable[[Applied], None]) -> Callable[[], None]:
        """Call `listener` when a chunk takes changes, on the engine's thread; it must not block or raise. Returns its remover."""
        return self._applied.add(listener)

    def _read(self, values: Mapping[str, Any], origin: str) -> _Request:
        given = {self.names.spec(name, origin).name: value for name, value in values.items()}
        params = self._params
        try:
            written = self._macros.write_out(given, params)
        except ParamError as error:
            raise ParamError(f"{origin}: {error}" if origin else str(error)) from error
        coerced = {
            name: coerce(PARAMS[name], self.names.meant(PARAMS[name], value), origin) for name, value in written.values.items()
        }
        seconds = self._morph_s(params, coerced)
        glides = {name for name in written.recalled if can_glide(name)} if seconds else set()
        gliding = {name: float(coerced.pop(name).value) for name in glides}  # type: ignore[arg-type]  # numbers glide
        return _Request(coerced, gliding)

    def _apply(self, coerced: Mapping[str, Coerced], origin: str, at_ns: int) -> Change:
        triggers = {name for name in coerced if PARAMS[name].kind is Kind.TRIGGER}
        fired = {name for name in triggers if coerced[name].value}
        values = {name: item.value for name, item in coerced.items() if name not in triggers}
        notes = {name: item.note for name, item in coerced.items() if item.note}
        self._params = updated(self._params, values)
        self._version += 1
        self._count(frozenset(values), frozenset(fired), len(notes))
        return Change(values | dict.fromkeys(fired, True), origin, self._version, notes, at_ns)

    @staticmethod
    def _morph_s(params: Params, coerced: Mapping[str, Coerced]) -> float:
        """How long a recalled preset's numbers glide: in beats of the tempo, or in seconds."""
        if params.tempo_morph_beats:
            return params.tempo_morph_beats * 60 / params.tempo_bpm
        return float(coerced["morph_seconds"].value if "morph_seconds" in coerced else params.morph_seconds)  # type: ignore[arg-type]

    def _start_morph(self, target: Mapping[str, float], by_hand: frozenset[str]) -> None:
        if self._morph is not None:
            self._morph = self._morph.without(by_hand | target.keys())
        if target:
            rest = self._morph.target if self._morph else {}
            whole = {**rest, **target}
            start = {name: float(value_of(self._params, PARAMS[name])) for name in whole}  # type: ignore[arg-type]
            self._morph = Morph(start, whole, self._clock(), self._morph_s(self._params, {}))

    def _glide(self) -> Change | None:
        with self._lock:
            if self._morph is None:
                return None
            now = self._clock()
            coerced = {name: Coerced(value) for name, value in self._morph.at(now).items()}
            self._morph = None if self._morph.done(now) else self._morph
            return self._apply(coerced, "morph", monotonic_ns()) if coerced else None

    def _count(self, names: frozenset[str], fired: frozenset[str], clamped: int) -> None:
        queued = self._pending.fired
        accepted = {name for name in fired if queued[name] < MAX_QUEUED}
        self.counters.written += len(names)
        self.counters.clamped += clamped
        self.counters.fired += len(accepted)
        self.counters.overflowed += len(fired) - len(accepted)
        painted = {name for name in names if PARAMS[name].keeps is Keeps.LOOK}  # the others wait for no chunk
        self.counters.coalesced += len(self._pending.names & painted)
        self._pending.names |= painted
        queued.update(name for name in accepted if PARAMS[name].keeps is Keeps.LOOK)
