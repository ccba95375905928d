"""Recording of what is played: a timeline that sets the same values at every chunk again.

Values are written as the chunks took them, at the time of the first frame that each chunk was painted from. So a fader at 60
messages a second leaves at most one value a chunk, and none of those that were seen is lost. A rendering of the same frames
applies a change to the first chunk that begins at its time, and so gives every chunk what it had. What acts between chunks as
well (freeze, bypass, blackout, input_select) is written when it was pressed, or with the chunk that took it.

A recalled preset is written by its name and with the values that it had, so that neither its morph nor a later edit of its file
changes what plays again. `take` and `reset` are written as triggers. Times are seconds; a show that knows a tempo would write
`bpm`, and `beat` in place of `at`, where `MoveRecorder.timeline` rounds them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from sdv2_live.control.macros import Macros
from sdv2_live.control.names import ParamNames
from sdv2_live.control.params import PARAMS, Applies, Params, Value, updated, value_of
from sdv2_live.control.store import Change, Snapshot
from sdv2_live.control.timeline.model import MAX_SECONDS, Event, Timeline
from sdv2_live.errors import ParamError

MAX_BYTES = 900_000  # of the file to come, estimated; one of more than a megabyte is not read back
DIGITS = 3  # milliseconds: a rendering begins a chunk's values up to one after its first frame
_PER_EVENT, _PER_VALUE = 24, 12  # bytes of a file beside names and values

_AT_ONCE = frozenset(name for name, spec in PARAMS.items() if spec.applies is Applies.AT_ONCE)


class _Press(NamedTuple):
    """A change of a parameter that acts at once: the version of the store that it made, and its time in nanoseconds."""

    version: int
    at_ns: int
    values: dict[str, Value]


class MoveRecorder:
    """Follows a show's parameters while a recording runs.

    The engine's thread calls `taken` and `chunk`, any thread `changed`, and others, in turn, the rest.

    Args:
        names: the show's parameter names.
        macros: expand a preset's recall.
        now_ns: the clock of the frames' capture times.
        on_full: called once a recording has grown to its limit; must not block.
    """

    def __init__(self, names: ParamNames, macros: Macros, now_ns: Callable[[], int], on_full: Callable[[], None]) -> None:
        self.running = False
        self._macros = macros
        self._now_ns = now_ns
        self._on_full = on_full
        # `record` stays out: a timeline that plays shall not fill a disk with takes.
        self._names = [
            name
            for name, spec in PARAMS.items()
            if spec.of_look and name != "record" and (spec.field != "lora_scales" or name in names.named)
        ]
        self._lock = threading.Lock()
        self._clear(Params(), 0)

    def _clear(self, params: Params, began_ns: int) -> None:
        self._began_ns = began_ns
        self._ended_ns: int | None = None
        self._params = params  # as the events so far leave them
        self._events: list[tuple[int, dict[str, Value]]] = []  # time in nanoseconds, values
        self._presses: list[_Press] = []
        self._taken: Snapshot | None = None
        self._fired: frozenset[str] = frozenset()  # since the last chunk
        self._recalled = False  # a preset was, since the last chunk
        self._seen = -1  # version of the last chunk
        self._bytes = 0

    @property
    def seconds(self) -> float:
        """The length of the recording so far; 0 while none runs."""
        return (self._now_ns() - self._began_ns) / 1e9 if self.running else 0.0

    @property
    def holds(self) -> bool:
        """True while a recording runs, or has ended and was not made into a timeline yet."""
        return bool(self._events)

    def begin(self, params: Params) -> None:
        """Begin anew, with these values."""
        with self._lock:
            self._clear(params, self._now_ns())
            start = {name: value_of(params, PARAMS[name]) for name in self._names}
            if self._recallable(params):
                start["preset"] = params.preset
            self._add(self._began_ns, start)
            self.running = True

    def taken(self, snapshot: Snapshot) -> None:
        """Note the parameters that the next chunk takes."""
        if not self.running:
            return
        with self._lock:
            self._taken = snapshot
            self._fired |= snapshot.fired
            self._recalled |= "preset" in snapshot.changed

    def chunk(self, captured_ns: int) -> None:
        """Write down the chunk that has taken its parameters, by the capture time of its first frame."""
        if not self.running:
            return
        with self._lock:
            snapshot, self._taken = self._taken, None
            if snapshot is None:
                return
            at_ns = max(captured_ns, self._began_ns)
            self._seen = snapshot.version
            waiting, self._presses = sorted(self._presses, key=lambda press: press.version), []
            for press in waiting:
                if press.version <= snapshot.version:
                    self._write(min(press.at_ns, at_ns), press.values)
                else:
                    self._presses.append(press)
            self._write(at_ns, self._difference(snapshot))
            self._params = updated(self._params, {"preset": snapshot.params.preset})  # even one that cannot be recalled
            self._fired, self._recalled = frozenset(), False
            full = self._is_full()
        if full:
            self._on_full()

    def changed(self, change: Change) -> None:
        """Write down what acts at once; a listener of the store."""
        if not self.running:
            return
        values = {name: value for name, value in change.values.items() if name in _AT_ONCE}
        if not values:
            return
        with self._lock:
            if change.version > self._seen:  # else the chunk that has taken it is written already
                self._presses.append(_Press(change.version, self._now_ns(), values))
            full = self._is_full()
        if full:
            self._on_full()

    def stop(self, params: Params) -> None:
        """End with these values."""
        with self._lock:
            if self._ended_ns is not None or not self._events:
                return
            self.running = False
            self._ended_ns = max(self._now_ns(), *(at_ns for at_ns, _ in self._events))
            for press in sorted(self._presses, key=lambda press: press.version):
                self._write(press.at_ns, press.values)
            self._write(self._ended_ns, self._difference(Snapshot(params, self._fired, 0)))

    def timeline(self, name: str) -> Timeline:
        """The recording that was stopped, which is forgotten here."""
        with self._lock:
            assert self._ended_ns is not None
            events: dict[float, dict[str, Value]] = {}
            for at_ns, values in sorted(self._events, key=lambda event: event[0]):
                events.setdefault(self._seconds(at_ns), {}).update(values)
            timeline = Timeline(tuple(Event(at, values) for at, values in events.items()), self._seconds(self._ended_ns), name)
            self._clear(Params(), 0)
            return timeline

    def _seconds(self, at_ns: int) -> float:
        return min(round((at_ns - self._began_ns) / 1e9, DIGITS), MAX_SECONDS)

    def _difference(self, snapshot: Snapshot) -> dict[str, Value]:
        """The values with which a timeline at `_params` reaches those of the snapshot."""
        before, params = self._params, snapshot.params
        values: dict[str, Value] = {}
        if params is not before:
            now = {name: value_of(params, PARAMS[name]) for name in self._names}
            values = {name: value for name, value in now.items() if value != value_of(before, PARAMS[name])}
        if (self._recalled or params.preset != before.preset) and self._recallable(params):
            written = self._macros.write_out({"preset": params.preset}, before)
            values |= {name: value_of(params, PARAMS[name]) for name in written.recalled} | {"preset": params.preset}
        fired = set(snapshot.fired | self._fired)
        if "take" in fired and not params.cue_prompt:
            fired.discard("take")  # its prompt is written, and without a cue it would be refused
        if "reset" in fired:
            values["seed"] = params.seed  # which may have been drawn
        return values | dict.fromkeys(sorted(fired), True)

    def _recallable(self, params: Params) -> bool:
        try:
            return bool(params.preset and self._macros.write_out({"preset": params.preset}, params))
        except ParamError:  # its file is gone
            return False

    def _write(self, at_ns: int, values: Mapping[str, Value]) -> None:
        if values:
            self._add(at_ns, dict(values))

    def _add(self, at_ns: int, values: dict[str, Value]) -> None:
        self._events.append((at_ns, values))
        self._bytes += _PER_EVENT + sum(_PER_VALUE + len(name) + len(json.dumps(value)) for name, value in values.items())
        self._params = updated(self._params, values)

    def _is_full(self) -> bool:
        """True once, when nothing more has room."""
        waiting = len(self._presses) * (_PER_EVENT + 2 * _PER_VALUE)
        long = (self._now_ns() - self._began_ns) / 1e9 >= MAX_SECONDS
        if not self.running or (self._bytes + waiting < MAX_BYTES and not long):
            return False
        self.running = False
        return True
