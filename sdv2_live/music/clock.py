"""The one beat of a show: whoever leads it, it goes on."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sdv2_live.music.course import Course
from sdv2_live.music.news import Said
from sdv2_live.music.place import Place
from sdv2_live.music.taps import Taps
from sdv2_live.music.tempo import Tempo, bpm_within
from sdv2_live.stats import total

log = logging.getLogger("sdv2_live.music")

INTERNAL = "internal"
BEND = 0.03  # push and pull: the share of the tempo
JUMP_BEATS = 0.5  # a source that is further away than this has not drifted: it is somewhere else
SILENT_BEATS, SILENT_NS = 2, 1_000_000_000  # without news for both: the source is lost
ASKED_NS = 1_000_000_000  # so far ahead what was said about a beat is not taken back
TOLD_AGAIN_NS = 60_000_000_000  # a source that jumps again and again is told of so seldom
ROUNDING = 1e-6  # of a beat: what floats and whole nanoseconds take off
PHRASE_BARS = 8  # the longest grid, which doubling and halving keep


@dataclass(slots=True)
class ClockCounters:
    """Totals since start."""

    taps: int = total("Taps of the tempo.")
    bounced: int = total("Taps so soon after another that no hand has meant them.")
    jumps: int = total("Times that the source of the tempo was suddenly at another beat.")
    lost: int = total("Times that the source of the tempo fell silent.")
    refused: int = total("News of the tempo that were none.")


class BeatClock:
    """The beat of a show. Any thread; times are `system.clock.monotonic_ns`. It freewheels: a tempo goes on for ever.

    What others may rely on:

    - `beat(at_ns)`, asked for later and later times, never goes back, and glides where the source or a hand moves it a little.
      It jumps only by `resync`, by `multiply` and `divide` (forwards), and where the source is more than half a beat away.
      What it has said about a time up to a second ahead stays true, but for these jumps.
    - `time_at(beat)` is its inverse.
    - `tempo` is the newest knowledge, to which `beat` glides: best for the time of a boundary that is still to come.
    - All three are as they are to be shown: `offset_ms` and a push or pull that is held are in them; `bpm` is without these.

    A source beside internal is led by another program. Tap, resync, nudge, push, pull, multiply and divide then move only our own
    place and factor relative to it; another source, or one that jumps, begins without them.
    """

    def __init__(self, tempo: Tempo, source: str = INTERNAL, *, beats_per_bar: int = 4, leadable: Collection[str] = ()) -> None:
        """Make a clock that runs at `tempo` until its source says something else. leadable: sources whose tempo we may set."""
        self.counters = ClockCounters()
        self.source = source
        self.beats_per_bar = beats_per_bar
        self.silent = False  # the source was lost: the clock freewheels
        self.tempo = tempo
        self._leadable = frozenset(leadable)
        self._said: dict[str, Said] = {}
        self._place = Place(tempo)
        self._offset_ns = 0
        self._course = Course.of(tempo)
        self._asked_ns = tempo.t0_ns
        self._chosen_ns = tempo.t0_ns
        self._jump_told_ns: int | None = None
        self._taps = Taps()
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._lock = threading.RLock()

    # What there is to know

    def beat(self, at_ns: int) -> float:
        """The count of beats at a time: whole on the beat; 0 is beat 1 of bar 1."""
        self._asked_ns = max(self._asked_ns, at_ns)
        return self._course.beat(at_ns)

    def time_at(self, beat: float) -> int:
        """The time at which the count of beats is `beat`."""
        return self._course.time_at(beat)

    @property
    def bpm(self) -> float:
        """The tempo, without a push or pull that is held."""
        return self._place.bpm

    @property
    def sources(self) -> Mapping[str, Said]:
        """What each source said last, by its name; internal says nothing."""
        return dict(self._said)

    def whole_beat(self, at_ns: int) -> int:
        """The number of the beat that has begun at a time, from 0; a time that `time_at` gave for a beat counts as that one."""
        return math.floor(self._course.beat(at_ns) + ROUNDING)

    def bar_and_beat(self, at_ns: int) -> tuple[int, int]:
        """The bar, and the beat within it, both counted from 1."""
        bar, beat = divmod(self.whole_beat(at_ns), self.beats_per_bar)
        return bar + 1, beat + 1

    def add_listener(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every change of the tempo, its source or its state, on the changing thread. Returns its remover.

        It must neither block nor raise.
        """
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def remove() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        return remove

    # What sources say

    def lead(self, source: str, tempo: Tempo, *, peers: int = 0, confidence: float = 1.0, at_ns: int) -> None:
        """Take news from a source: its beat and tempo. While another leads, they are remembered and change nothing."""
        with self._lock:
            before = self._said.get(source)
            self._said[source] = Said(tempo, peers, confidence, at_ns)
            if source != self.source:
                return
            if self.silent:
                self.silent = False
                log.info("the tempo follows %s again, at %.1f bpm", source, tempo.bpm)
            by = tempo.beat(at_ns) - self._place.led.beat(at_ns)
            self._place.follow(tempo, at_ns)
            if jumped := abs(by) > JUMP_BEATS:
                self._place.be_the_sources()
                if before is not None and before.heard_ns >= self._chosen_ns:  # else it is only now heard of
                    self._jumped(by, at_ns)
            self._go(at_ns, jump=jumped)
        self._tell()

    def choose(self, source: str, at_ns: int) -> None:
        """Let `source` lead. Until it says something, the beat goes on as it is."""
        with self._lock:
            if source == self.source:
                return
            self._place.own(self.bpm, at_ns)
            self.source, self.silent, self._chosen_ns = source, False, at_ns
            said = self._said.get(source)
            if said is not None and not self._stale(said.heard_ns, at_ns):
                by = said.tempo.beat(at_ns) - self._place.led.beat(at_ns)
                self._place.follow(said.tempo, at_ns)
                self._go(at_ns, jump=abs(by) > JUMP_BEATS)
        self._tell()

    def watch(self, at_ns: int) -> None:
        """Notice, and say once, that the source has fallen silent. Call it a few times a second."""
        with self._lock:
            said = self._said.get(self.source)
            heard_ns = max(self._chosen_ns, said.heard_ns if said is not None else self._chosen_ns)
            if self.source == INTERNAL or self.silent or not self._stale(heard_ns, at_ns):
                return
            self.silent = True
            self.counters.lost += 1
            log.warning("%s says nothing of the tempo; the beat goes on at %.1f bpm", self.source, self.bpm)
        self._tell()

    def _stale(self, heard_ns: int, at_ns: int) -> bool:
        return at_ns - heard_ns > max(SILENT_NS, SILENT_BEATS * self._place.led.beat_ns)

    def _jumped(self, by: float, at_ns: int) -> None:
        self.counters.jumps += 1
        if self._jump_told_ns is None or at_ns - self._jump_told_ns > TOLD_AGAIN_NS:
            self._jump_told_ns = at_ns
            log.warning("%s is suddenly %+.1f beats away; the beat goes there", self.source, by)

    # What hands do

    def set_bpm(self, bpm: float, at_ns: int) -> bool:
        """Set the tempo by hand: internal leads from now on. False, and nothing is changed, where the source may be led itself.

        Raises:
            ValueError: `bpm` is no tempo.
        """
        bpm = bpm_within(bpm)
        with self._lock:
            if self.source in self._leadable and not self.silent:
                return False
            self._place.own(bpm, at_ns)
            self.source, self.silent = INTERNAL, False
            self._go(at_ns)
        self._tell()
        return True

    def tap(self, at_ns: int) -> None:
        """Tap: the nearest beat is here, and from the second tap on the tempo is the taps', unless a source gives it."""
        with self._lock:
            self.counters.taps += 1
            tapped = self._taps.tap(at_ns)
            if tapped is None:
                self.counters.bounced += 1
                return
            if tapped.bpm is not None and (self.source == INTERNAL or self.silent):
                self._place.own(tapped.bpm, at_ns)
            there = self._place.at(tapped.beat_ns).b0
            self._place.shift(round(there) - there)
            self._go(at_ns)
        self._tell()

    def resync(self, at_ns: int) -> None:
        """Make this beat 1 of bar 1."""
        with self._lock:
            self._place.shift(-self._place.at(at_ns).b0)
            self._go(at_ns, jump=True)
        self._tell()

    def nudge(self, ms: float, at_ns: int) -> None:
        """Shift the beat once; above 0 it comes earlier."""
        with self._lock:
            self._place.shift(ms * 1e6 / self.tempo.beat_ns)
            self._go(at_ns)
        self._tell()

    def bend(self, way: int, at_ns: int) -> None:
        """Run faster (1) or slower (-1) by BEND from now on, or straight (0): push and pull."""
        with self._lock:
            self._place.bend(BEND * way, at_ns)
            self._go(at_ns)
        self._tell()

    def scale(self, factor: float, at_ns: int) -> None:
        """Multiply the tempo. Each bar's first beat stays one, and the place within PHRASE_BARS bars; the count goes forwards.

        A tempo that would be out of its range stays as it is.
        """
        with self._lock:
            if not self._place.scale(factor, PHRASE_BARS * self.beats_per_bar, at_ns):
                return
            self._go(at_ns, jump=True)
        self._tell()

    def set_offset(self, ms: float, at_ns: int) -> None:
        """Set how much earlier everything is shown, in ms."""
        with self._lock:
            self._offset_ns = round(ms * 1e6)
            self._go(at_ns)
        self._tell()

    def _go(self, at_ns: int, *, jump: bool = False) -> None:
        """Go where our beat shall be: at once by a jump, else by a glide that begins where nothing was said yet."""
        tempo = self._place.at(at_ns)
        self.tempo = Tempo(tempo.t0_ns - self._offset_ns, tempo.b0, tempo.bpm)
        if jump:
            self._course = self._course.jumped(self.tempo, at_ns)
        else:
            self._course = self._course.joined(self.tempo, max(at_ns, min(self._asked_ns, at_ns + ASKED_NS)))

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
