"""What hands ask for waits here for the beat, and goes to the store so that it is SEEN on it.

Between the two lies the output's delay, which is known: a chunk that is taken now is seen a delay later. So a change is given to
the chunk whose first picture comes nearest to the boundary, at most half a chunk off. Freeze, bypass and blackout act on the
output itself, exact to a frame; the choice of the input acts a delay ahead of the boundary.

A hand's actions, such as a timeline's buttons, wait like parameters. Faders go at once, and so does all that no hand writes:
timelines, morphs, the model's own values.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sdv2_live.control.coerce import coerce
from sdv2_live.control.params import PARAMS, Keeps, Kind, Value, value_of
from sdv2_live.control.store import Change, ParamStore
from sdv2_live.control.waiting import Call, LaunchCounters, Waiting
from sdv2_live.errors import ParamError
from sdv2_live.music.clock import BeatClock
from sdv2_live.music.grid import grid_beats, next_boundary
from sdv2_live.music.steering import frames_to_leave_out
from sdv2_live.system.clock import monotonic_ns

log = logging.getLogger("sdv2_live.music")

ORIGIN = "beat"  # the writer of what was launched
SOON_NS = 5_000_000_000  # a boundary so much later than the next grid line was overtaken by a jump of the beat


class Launcher:
    """Stands between hands and the store. Any thread.

    Args:
        store: gets what is due, with the origin `beat`.
        clock: the beat.
        now: nanoseconds.

    Attributes:
        steers: frames may be left out so that a chunk begins on the boundary.
        delay_ns: gives the output's present delay.
        encode: has prompts encoded; must not block.
        encoding: gives the prompts that are not encoded yet.
        on_waiting: called when something begins to wait (its parameter and value) or waits no more (None); must not block.
    """

    def __init__(self, store: ParamStore, clock: BeatClock, now: Callable[[], int] = monotonic_ns) -> None:
        self.counters = LaunchCounters()
        self.steers = True
        self.delay_ns: Callable[[], int] = lambda: 0
        self.encode: Callable[[Sequence[str]], None] = lambda prompts: None
        self.encoding: Callable[[], tuple[str, ...]] = tuple
        self.on_waiting: Callable[[str, Value | None], None] = lambda name, value: None
        self._store, self._clock, self._now = store, clock, now
        self._waiting = Waiting()
        self._next: tuple[int, int] | None = None  # when the next chunk will be seen, and the time between two chunks
        self._postponed = False
        self._lock = threading.RLock()
        self.forget = store.add_listener(self._written)

    # The hand

    def set_many(self, values: Mapping[str, Any], origin: str, at_ns: int | None = None) -> Change:
        """Same as `ParamStore.set_many`, but for what waits: that is checked now, and the notes on it are in the result.

        Raises:
            ParamError: for the first value that cannot be used; then nothing is changed, and nothing waits.
        """
        if not self._grid:
            return self._store.set_many(values, origin, at_ns)
        named = {self._store.names.spec(name, origin).name: value for name, value in values.items()}
        waits = {name: value for name, value in named.items() if PARAMS[name].waits}
        if "preset" in waits:  # what comes with a preset changes it
            waits = {name: value for name, value in named.items() if PARAMS[name].keeps is Keeps.LOOK}
        notes = self._store.check(named)
        change = self._store.set_many({name: value for name, value in named.items() if name not in waits}, origin, at_ns)
        self._wait(waits)
        return replace(change, notes=notes)

    def act(self, name: str, value: Value, call: Call) -> None:
        """Carry out an action of the hand, now or on the beat. `Waiting` says what the arguments are.

        Raises:
            ParamError: it cannot be done, and was to be done now.
        """
        grid = self._grid
        if not grid:
            call(False)
            return
        with self._lock:
            self._add(name, value, grid, call)

    def take_back(self, name: str) -> None:
        """Let one thing wait no more."""
        with self._lock:
            if name in self._waiting.values:
                self.counters.cancelled += 1
                self._drop(frozenset({name}))

    def go(self) -> None:
        """Launch all that waits, now."""
        self._launch(self._taken(), on_beat=False)

    def cancel(self) -> None:
        """Let nothing wait any more."""
        self.counters.cancelled += len(self._taken().values)

    @property
    def waiting(self) -> Mapping[str, Value]:
        """What waits: parameters and their values to come."""
        return self._waiting.values

    @property
    def beats_left(self) -> float | None:
        """Beats until what waits is seen; None while nothing waits."""
        waiting = self._waiting
        return max(0.0, waiting.beat - self._clock.beat(self._now() - self._heard_ns)) if waiting.values else None

    # The time

    def due(self, shown_ns: int, period_ns: int) -> None:
        """Launch what has waited for the chunk taken now: it is seen from `shown_ns` on, and chunks come every `period_ns`."""
        self._next = shown_ns + period_ns, period_ns
        if not self._waiting.values:
            return
        with self._lock:
            self._overtaken()
            names = self._waiting.painted
            if not names or shown_ns < self._seen_ns(self._waiting.beat) - period_ns // 2 or not self._encoded(names):
                return
            launched = self._taken(names)
        self._launch(launched, on_beat=True)

    def look(self) -> None:
        """Launch what acts on the output itself, when its time has come; also the rest, where no chunks are taken.

        The output calls it before every frame, and must go on whatever happens here.
        """
        if not self._waiting.values:
            return
        try:
            self._launch(self._ripe(), on_beat=False)
        except Exception:  # the output's thread: what waits is lost, the frame is sent
            log.exception("what waited for the beat could not be launched")
            self.counters.lost += 1

    def _ripe(self) -> Waiting:
        """Take what the output itself does now, or, where no chunks are taken, anything."""
        with self._lock:
            self._overtaken()
            left_ns = self._seen_ns(self._waiting.beat) - self._now()
            if left_ns <= 0:
                return self._taken()
            early = "input_select" in self._waiting.values and not self._store.latest().bypass and left_ns <= self.delay_ns()
            return self._taken(frozenset({"input_select"}) if early else frozenset())

    def steer(self, captured_ns: int, frame_ns: float, chunk_frames: int) -> int:
        """How many input frames to leave out before a chunk of so many that would begin with the frame captured then: 0..3.

        With them left out, a chunk begins on the boundary that something waits for.
        """
        with self._lock:
            waiting = self._waiting
            if not self.steers or not waiting.painted:
                return 0
            until_ns = self._seen_ns(waiting.beat) - self.delay_ns() - captured_ns
            return frames_to_leave_out(until_ns / frame_ns, chunk_frames)

    @property
    def _grid(self) -> int:
        params = self._store.latest()
        return grid_beats(params.tempo_quantise, params.tempo_beats_per_bar)

    @property
    def _heard_ns(self) -> int:
        """How much later than in the room a beat is heard: where people hear the sound that is passed on, by the delay."""
        return self.delay_ns() if self._store.latest().tempo_follow == "sound" else 0

    def _seen_ns(self, beat: float) -> int:
        """When a beat's picture has to be seen."""
        return self._clock.tempo.time_at(beat) + self._heard_ns

    def _boundary(self, waiting: Waiting, grid: int) -> float:
        """The first grid line that can still be had: keys act at once, all else is seen with the next chunk at the soonest."""
        now, shown, slack = self._now(), self._now(), 0
        if waiting.painted:
            shown, period = self._next or (now + self.delay_ns(), 0)
            while shown < now:  # no chunks were taken for a while
                shown, period = now, 0
            slack = period // 2
        return next_boundary(self._clock.tempo, shown - slack - self._heard_ns, grid)[0]

    def _overtaken(self) -> None:
        """Choose another boundary where the beat has jumped away from it."""
        grid = self._grid
        if grid:
            soonest = self._boundary(self._waiting, grid)
            if self._seen_ns(self._waiting.beat) - self._seen_ns(soonest) > SOON_NS + grid * self._clock.tempo.beat_ns:
                self._waiting = replace(self._waiting, beat=soonest)

    # What waits

    def _wait(self, values: Mapping[str, Any]) -> None:
        with self._lock:
            params, grid = self._store.latest(), self._grid or 1  # another hand may have taken the grid away meanwhile
            for name, asked in values.items():
                value = self._own(name, asked)
                if PARAMS[name].kind is Kind.TRIGGER and not value:  # a button's release
                    continue
                if PARAMS[name].kept and value == value_of(params, PARAMS[name]):
                    self.take_back(name)
                else:
                    self._add(name, value, grid)
            texts = self._texts(self._waiting)
        if texts:
            self.encode(texts)

    def _add(self, name: str, value: Value, grid: int, call: Call | None = None) -> None:
        self.counters.cancelled += name in self._waiting.values
        begins = not self._waiting.values
        self._waiting = self._waiting.also(name, value, call)
        soonest = self._boundary(self._waiting, grid)
        if begins or soonest > self._waiting.beat:
            self._waiting = replace(self._waiting, beat=soonest)
        self.on_waiting(name, value)

    def _own(self, name: str, value: Any) -> Value:
        """A value in the parameter's own type; a preset by its name. Words that stand for a number, as a seed's, stay words."""
        spec = PARAMS[name]
        if spec.kind is Kind.PRESET:
            return str(self._store.meaning({name: value})[name])
        words = spec.kind is Kind.INT and isinstance(value, str) and not value.strip().isdigit()
        return value if words else coerce(spec, value).value

    def _texts(self, waiting: Waiting) -> list[str]:
        """The prompts that these would bring."""
        try:
            meant = self._store.meaning(waiting.params)
        except ParamError:  # it is said when its beat comes
            return []
        texts = (str(value) for name, value in meant.items() if PARAMS[name].kind is Kind.TEXT and name != "cue_prompt")
        return [text for text in texts if text]

    def _encoded(self, names: frozenset[str]) -> bool:
        """True when every prompt can be painted; else all wait for the next grid line."""
        missing = set(self._texts(self._waiting.only(names))) & set(self.encoding())
        if not missing:
            self._postponed = False
            return True
        self.counters.postponed += 1
        if not self._postponed:
            log.warning("a prompt is not encoded yet: what waits for the beat is launched on the next grid line")
        self._postponed = True
        self._waiting = replace(self._waiting, beat=self._waiting.beat + max(self._grid, 1))
        return False

    def _taken(self, names: frozenset[str] | None = None) -> Waiting:
        """Take out of what waits: all, or these."""
        with self._lock:
            taken = self._waiting if names is None else self._waiting.only(names)
            self._drop(frozenset(taken.values))
            return taken

    def _launch(self, what: Waiting, *, on_beat: bool) -> None:
        """Do what was taken out. The lock is not held: writers of the store hold locks of their own."""
        if not what.values:
            return
        params = what.params
        doings: list[tuple[Callable[[], object], int]] = [(partial(call, on_beat), 1) for call in what.calls.values()]
        if params:  # last: what a hand has set lies on top of what a timeline sets
            doings.append((lambda: self._store.set_many(params, ORIGIN), len(params)))
        for doing, changes in doings:
            try:
                doing()
            except ParamError as error:  # another writer came between, as with a cue that was taken back
                self.counters.lost += changes
                log.warning("what waited for the beat cannot be done any more: %s", error)
            else:
                self.counters.launched += 1

    def _drop(self, names: frozenset[str]) -> None:
        gone = [name for name in self._waiting.values if name in names]
        self._waiting = self._waiting.without(names)
        for name in gone:
            self.on_waiting(name, None)

    def _written(self, change: Change) -> None:
        """Act on the rows of the tempo."""
        if "tempo/go" in change.values:
            self.go()
        if "tempo/cancel" in change.values:
            self.cancel()
        if change.values.keys() & {"tempo/quantise", "tempo/beats_per_bar"} and self._waiting.values:
            grid = self._grid
            if not grid:
                self.go()
                return
            with self._lock:
                self._waiting = replace(self._waiting, beat=self._boundary(self._waiting, grid))
