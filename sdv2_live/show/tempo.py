"""The tempo of a show: its rows of the parameter table, the beat clock behind them, and what is told of the beat."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sdv2_live.closing import Service
from sdv2_live.config.schema_music import TempoConfig
from sdv2_live.control.params import Value
from sdv2_live.control.store import Change, ParamStore
from sdv2_live.errors import ParamError
from sdv2_live.music.clock import INTERNAL, BeatClock, ClockCounters
from sdv2_live.music.news import read_news
from sdv2_live.music.tempo import BPM_MAX, BPM_MIN, Tempo
from sdv2_live.system.clock import monotonic_ns
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.music")

OWN = "tempo"  # the writer of the rows that follow the clock
LOOK_S = 0.2  # between looks whether the source is silent, and between two changes of the row that follows it
STUMBLE_S = 1.0  # until the beat goes on after a mistake of the program
WAITS_NS = 1_000_000_000  # for a session to take the tempo that it was asked for; the row shows that one meanwhile
ECHOES = 5  # values of that row that may still come back from a program that echoes: those of a second
_SAME = 1e-3  # bpm
_ROW_STEP = 0.1  # bpm: a row that follows a live tempo is no finer


@dataclass(frozen=True, slots=True)
class TempoNow:
    """What a show says of its tempo.

    Attributes:
        bar, beat: counted from 1.
        peers: other programs in Link's session.
        confidence: 0..1, how sure the source is; 1 for internal.
        words: source, peers and state.
    """

    bpm: float = 120.0
    bar: int = 1
    beat: int = 1
    peers: int = 0
    confidence: float = 1.0
    words: str = INTERNAL


@dataclass(frozen=True, slots=True)
class TempoState:
    """The beat as a journal keeps it: at the Unix time `unix` the count was `beat`. Raises ValueError for what is no tempo."""

    beat: float
    bpm: float
    unix: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.unix):
            raise ValueError(f"{self.unix} is no time")
        Tempo(0, self.beat, self.bpm)

    def now(self) -> Tempo:
        """The tempo, with the beat where it would be by now without the interruption."""
        return Tempo(monotonic_ns(), self.beat + max(time.time() - self.unix, 0.0) * self.bpm / 60, self.bpm)


class TempoKeeper(Service):
    """Keeps the rows `tempo/...` and the clock in agreement, and tells every beat.

    A row that a hand writes acts on the clock at once, at the time when it was meant; a row that follows the clock (`tempo/bpm`,
    `tempo/source`) is written with the origin `tempo`, a few times a second at most.

    Args:
        store: holds the rows.
        config: who may be led.
        resumed: the beat of an earlier show.
        chosen: somebody has chosen the tempo.

    Attributes:
        clock: the beat.
        on_beat: called at every beat with its number in the bar, from 1; must not block.
        on_led: called with the tempo that the session of the source shall have, where it may be led; must not block.
    """

    def __init__(
        self, store: ParamStore, config: TempoConfig, resumed: TempoState | None = None, *, chosen: bool = False
    ) -> None:
        params = store.latest()
        tempo = Tempo(monotonic_ns(), 0.0, params.tempo_bpm)
        if resumed is not None:
            same = abs(resumed.bpm - params.tempo_bpm) <= _ROW_STEP / 2  # else an option has set another one
            tempo = resumed.now() if same else resumed.now().at_bpm(params.tempo_bpm, tempo.t0_ns)
        self.clock = BeatClock(
            tempo,
            params.tempo_source,
            beats_per_bar=params.tempo_beats_per_bar,
            leadable=("link",) if config.link_lead else (),
        )
        self.clock.set_offset(params.tempo_offset_ms, tempo.t0_ns)
        self.on_beat: Callable[[int], None] = lambda beat: None
        self.on_led: Callable[[float], None] = lambda bpm: None
        self.failures = 0
        self._chosen = chosen or self.clock.source != INTERNAL
        self._store = store
        self._acts: Mapping[str, Callable[[Any, int], object]] = {
            "tempo/source": self.clock.choose,
            "tempo/bpm": self._set_bpm,
            "tempo/tap": lambda _, at_ns: self.clock.tap(at_ns),
            "tempo/resync": lambda _, at_ns: self.clock.resync(at_ns),
            "tempo/multiply": lambda _, at_ns: self.clock.scale(2.0, at_ns),
            "tempo/divide": lambda _, at_ns: self.clock.scale(0.5, at_ns),
            "tempo/push": self._bend,
            "tempo/pull": self._bend,
            "tempo/nudge": self._nudge,
            "tempo/offset_ms": self.clock.set_offset,
            "tempo/beats_per_bar": self._set_beats_per_bar,
        }
        self._told: deque[float] = deque([params.tempo_bpm], maxlen=ECHOES)  # what the row was last
        self._row_waits_ns = 0
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._forget = [store.add_listener(self._written), self.clock.add_listener(self._wake.set)]
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def start(self) -> None:
        """Start to tell beats, to follow the source and to notice its silence."""
        self._thread.start()

    def close(self) -> None:
        """Stop. Idempotent."""
        self._stopped.set()
        self._wake.set()
        ended(self._thread)
        for forget in self._forget:
            forget()

    @property
    def counters(self) -> ClockCounters:
        """The clock's totals since start."""
        return self.clock.counters

    def offer(self, bpm: float) -> None:
        """Take a tempo that nobody asked for, such as a timeline's, as long as nobody has chosen one."""
        if not self._chosen and BPM_MIN <= bpm <= BPM_MAX:
            self.clock.set_bpm(bpm, monotonic_ns())
            self._store.set("tempo/bpm", bpm, OWN)

    def hear(self, args: tuple[Any, ...], arrived_ns: int) -> None:
        """Take `/sdv2/tempo/clock`. Raises ParamError for what is no tempo, which is counted and changes nothing."""
        try:
            news = read_news(args, arrived_ns)
        except ParamError:
            self.counters.refused += 1
            raise
        self.clock.lead(news.source, news.tempo, peers=news.peers, at_ns=arrived_ns)

    def now(self) -> TempoNow:
        """The present tempo."""
        clock = self.clock
        said = clock.sources.get(clock.source)
        link = clock.sources.get("link")
        bar, beat = clock.bar_and_beat(monotonic_ns())
        words = [clock.source]
        if said is not None and said.peers and not clock.silent:
            words.append(f"{said.peers} peer{'s' if said.peers > 1 else ''}")
        if clock.silent:
            words.append("silent: the beat goes on")
        peers = link.peers if link is not None and not (clock.source == "link" and clock.silent) else 0
        confidence = 1.0 if clock.source == INTERNAL else 0.0 if said is None or clock.silent else said.confidence
        return TempoNow(clock.bpm, bar, beat, peers, confidence, f"{', '.join(words)}, {clock.bpm:.1f} bpm")

    @property
    def mark(self) -> tuple[float, ...]:
        """Numbers that change when `kept` has something new to say, beside the rows; a source's small moves do not count."""
        tempo = self.clock.tempo
        return (tempo.t0_ns, tempo.b0, tempo.bpm) if self.clock.source == INTERNAL else ()

    def kept(self) -> TempoState:
        """The beat, for a journal: what is shown, without the offset and what is held."""
        now_ns = monotonic_ns()
        offset_beats = self._store.latest().tempo_offset_ms * 1e6 / self.clock.tempo.beat_ns
        return TempoState(self.clock.tempo.beat(now_ns) - offset_beats, self.clock.bpm, time.time())

    def _written(self, change: Change) -> None:
        """Act on rows as a hand or a program writes them; the writer's thread."""
        if change.origin == OWN:
            return
        for name, value in change.values.items():
            if name in self._acts:
                self._chosen = True
                self._acts[name](value, change.at_ns)

    def _set_bpm(self, bpm: float, at_ns: int) -> None:
        if self.clock.source != INTERNAL and any(abs(bpm - told) < _SAME for told in self._told):
            return  # a program that sends back what it is told is no hand
        if not self.clock.set_bpm(bpm, at_ns):
            self._row_waits_ns = at_ns + WAITS_NS
            self.on_led(bpm)
        self._follow_source()

    def _bend(self, _: bool, at_ns: int) -> None:
        params = self._store.latest()
        self.clock.bend(params.tempo_push - params.tempo_pull, at_ns)

    def _nudge(self, ms: float, at_ns: int) -> None:
        self.clock.nudge(ms, at_ns)
        self._store.set("tempo/nudge", 0.0, OWN)

    def _set_beats_per_bar(self, beats: int, at_ns: int) -> None:
        self.clock.beats_per_bar = beats

    def _follow_source(self) -> None:
        if self._store.latest().tempo_source != self.clock.source:
            self._store.set("tempo/source", self.clock.source, OWN)

    def _follow_bpm(self) -> None:
        bpm = self.clock.bpm
        if abs(self._store.latest().tempo_bpm - bpm) > _ROW_STEP / 2:
            rounded: Value = round(bpm, 1)
            self._told.append(round(bpm, 1))
            self._store.set("tempo/bpm", rounded, OWN)

    def _run(self) -> None:
        told, follow_ns = None, 0
        while not self._stopped.is_set():
            try:
                self._wake.clear()
                now_ns = monotonic_ns()
                self.clock.watch(now_ns)
                if now_ns >= max(follow_ns, self._row_waits_ns):
                    follow_ns = now_ns + round(LOOK_S * 1e9)
                    self._follow_bpm()
                beat = self.clock.whole_beat(now_ns)
                if beat != told:
                    told = beat
                    self.on_beat(beat % self.clock.beats_per_bar + 1)
                wait_s = (self.clock.time_at(beat + 1) - monotonic_ns()) / 1e9
                self._wake.wait(min(max(wait_s, 0.001), LOOK_S))
            except Exception:
                self.failures += 1
                log.exception("the beat stumbled; it goes on")
                self._stopped.wait(STUMBLE_S)
