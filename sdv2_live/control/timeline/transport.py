"""Playing a timeline live: play, stop, seek, next, loop.

It has no thread: its caller runs `tick`. The performer and the timeline write the same parameters; the last one wins.
"""

from __future__ import annotations

import logging
import math
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable

from sdv2_live.control.params import PARAMS, Applies, Kind, Value
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.model import Event, Timeline, clock_seconds, merged
from sdv2_live.errors import ParamError
from sdv2_live.music.running import RunningBeats
from sdv2_live.system.clock import monotonic
from sdv2_live.wording import nearest

log = logging.getLogger("sdv2_live.timeline")

ORIGIN = "timeline"
EPSILON_S = 1e-6  # what adding and taking away times may cost


class Transport:
    """Plays a timeline. Starts stopped at 0. Thread-safe.

    Args:
        timeline: what to play.
        store: is written.
        clock: gives seconds.
        beats: gives the time in the clock's place for timelines in beats; None plays these in their own tempo.
    """

    def __init__(
        self,
        timeline: Timeline,
        store: ParamStore,
        clock: Callable[[], float] = monotonic,
        beats: RunningBeats | None = None,
    ) -> None:
        self._take(timeline)
        self.refused = 0  # events, or parts of one, that the store did not take
        self._store = store
        self._seconds_of_clock, self._beats = clock, beats
        self._lock = threading.RLock()
        self._since: float | None = None  # clock time that is timeline second 0 while playing
        self._held = 0.0  # position while stopped
        self._done = -math.inf  # events up to here have been applied
        self._keys: deque[tuple[float, dict[str, Value]]] = deque()  # what acts on the output itself, and the clock's time for it

    def load(self, timeline: Timeline) -> None:
        """Take another timeline in place of this one, stopped at its start. Parameters keep their values."""
        with self._lock:
            self._take(timeline)
            self._since, self._held, self._done = None, 0.0, -math.inf
            self._keys.clear()

    def _take(self, timeline: Timeline) -> None:
        self.timeline, self.looping = timeline, timeline.loop
        self.digest = timeline.digest
        self._times = [event.at for event in timeline.events]

    def _clock(self, *, on_beat: bool = False) -> float:
        """The time, or that of the nearest beat, in the timeline's seconds, from an origin that stays while one is loaded."""
        bpm = self.timeline.bpm
        if bpm is None or self._beats is None:
            return self._seconds_of_clock()
        beats = self._beats.count()
        return (round(beats) if on_beat else beats) * 60 / bpm

    @property
    def loaded(self) -> bool:
        """True when there is something to play."""
        return bool(self.timeline.events)

    @property
    def playing(self) -> bool:
        """True while time runs."""
        return self._since is not None

    @property
    def position(self) -> float:
        """Seconds from the timeline's start; may be past the end until the next tick."""
        with self._lock:
            return self._held if self._since is None else max(self._clock() - self._since, 0.0)

    @property
    def mark(self) -> float:
        """A number that changes when the timeline is moved, stopped or started, and is constant while it plays."""
        with self._lock:
            return self._held if self._since is None else self._since

    @property
    def applied(self) -> float:
        """The time up to which events have been applied, in seconds; below 0 before those of the start."""
        return max(self._done, -1.0)

    @property
    def due(self) -> float | None:
        """The time of the next event or the end, in the clock's seconds, at which `tick` has work. None while stopped."""
        with self._lock:
            following = self._times[bisect_right(self._times, self._done) :][:1] or [self.timeline.duration]
            return None if self._since is None else self._since + following[0]

    def play(self, *, on_beat: bool = False) -> None:
        """Start from the current position; at the end, from the start.

        on_beat: the present moment is a beat, by the time of the chunk that is taken; a timeline in beats is put exactly there.
        """
        with self._lock:
            if self._since is None:
                if self._held >= self.timeline.duration:
                    self._held, self._done = 0.0, -math.inf
                self._since = self._clock(on_beat=on_beat) - self._held
                self._apply_until(self._held + EPSILON_S)
        self.tick()

    def stop(self) -> None:
        """Stop at the current position. Parameters keep their values."""
        with self._lock:
            self._held, self._since = min(self.position, self.timeline.duration), None

    def seek(self, target: float | str, *, on_beat: bool = False) -> None:
        """Move to a time in seconds or to a marker, and set all values of that time.

        A trigger fires only if it is due at exactly that time. `play` says what `on_beat` is.

        Raises:
            ParamError: the marker is unknown or the time outside the timeline.
        """
        seconds = self._seconds(target)
        with self._lock:
            self._keys.clear()
            self._done = -math.inf
            self._apply_until(math.nextafter(seconds, -math.inf), fire=False)
            self._apply_until(seconds)
            self._held = self._done = seconds
            if self._since is not None:
                self._since = self._clock(on_beat=on_beat) - seconds

    def check(self, target: float | str) -> None:
        """Say whether there is such a place. Raises ParamError as `seek` does."""
        self._seconds(target)

    def hold(self, position: float, applied: float) -> None:
        """Stop at `position` seconds, with the events up to `applied` seconds taken as applied, and set nothing."""
        with self._lock:
            self._held, self._done = min(max(position, 0.0), self.timeline.duration), applied
            self._since = None

    def catch_up(self, missed: float) -> None:
        """Play on after a gap of `missed` seconds: events that were due in it set their values and fire no triggers."""
        duration = self.timeline.duration
        with self._lock:
            bpm = self.timeline.bpm
            now = self._held + missed * (self._beats.bpm / bpm if bpm and self._beats is not None else 1.0)
            if self.looping and 0 < duration <= now:
                self._apply_until(duration, fire=False)
                rounds, now = divmod(now, duration)
                if rounds > 1:
                    self._done = -math.inf
                    self._apply_until(duration, fire=False)
                self._done = -math.inf
            self._held = min(now, duration)
            self._apply_until(self._held, fire=False)
            if self._held < duration:
                self._since = self._clock() - self._held

    def next(self, *, on_beat: bool = False) -> None:
        """Move to the next marker, or in a timeline without markers to the next event; after the last, to the start if looping.

        `play` says what `on_beat` is.

        Raises:
            ParamError: nothing follows.
        """
        with self._lock:
            times = list(self.timeline.markers.values()) or [event.at for event in self.timeline.events]
            following = [at for at in times if at > self.position] or ([0.0] if self.looping else [])
            if not following:
                raise ParamError("the timeline has nothing further; seek to a marker, or switch timeline/loop on")
            self.seek(following[0], on_beat=on_beat)

    def tick(self) -> None:
        """Apply the events that have become due. Call often: events are late by up to the time between calls."""
        with self._lock:
            while self._keys and self._keys[0][0] <= self._clock():
                self._set(*self._keys.popleft())
            if self._since is None:
                return
            now = self.position + EPSILON_S
            self._apply_until(now)
            if now < self.timeline.duration:
                return
            if not self.looping or self.timeline.duration <= 0:
                self.stop()
                return
            self._since += self.timeline.duration * (now // self.timeline.duration)
            self._done = -math.inf
            self._apply_until(self.position + EPSILON_S)

    def _apply_until(self, now: float, *, fire: bool = True) -> None:
        due = self.timeline.events[bisect_right(self._times, self._done) : bisect_right(self._times, now)]
        for event in due if fire else merged(due):
            self._apply(event, fire=fire)
        self._done = max(self._done, now)

    def _apply(self, event: Event, *, fire: bool) -> None:
        """Set the event's values. Without `fire` no trigger fires except take, whose prompt holds from then on."""
        values = {
            name: value for name, value in event.values.items() if fire or name == "take" or PARAMS[name].kind is not Kind.TRIGGER
        }
        if (
            self._since is not None and self._beats is not None and self.timeline.bpm
        ):  # a painting takes a while to be seen, a key not
            keys = {name: values.pop(name) for name in list(values) if PARAMS[name].applies is Applies.AT_ONCE}
            if keys:
                self._keys.append((self._since + event.at + self._beats.ahead * 60 / self.timeline.bpm, keys))
        self._set(event.at, values)

    def _set(self, at: float, values: dict[str, Value]) -> None:
        try:
            self._store.set_many(values, ORIGIN)
        except ParamError as error:
            self.refused += 1
            log.warning("at %g s: %s", at, error)

    def _seconds(self, target: float | str) -> float:
        markers = self.timeline.markers
        if isinstance(target, str) and target in markers:
            return markers[target]
        seconds = clock_seconds(target) if isinstance(target, str) else target
        if not isinstance(seconds, int | float):
            hint = nearest(str(target), markers) or f"; the markers are {', '.join(markers) or 'none'}"
            raise ParamError(f"the timeline has no marker {str(target)[:80]!r}{hint}")
        if not 0 <= seconds <= self.timeline.duration:
            raise ParamError(f"{seconds:g} s is outside the timeline; give 0..{self.timeline.duration:g} seconds or a marker")
        return seconds
