"""Ableton Link in a show: its process runs while the tempo's source is link, and is started again when it ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sdv2_live.backoff import Backoff
from sdv2_live.closing import Service
from sdv2_live.control.store import Change, ParamStore
from sdv2_live.link.process import LinkProcess
from sdv2_live.link.session import INSTALL, installed
from sdv2_live.music.clock import BeatClock
from sdv2_live.music.tempo import Tempo
from sdv2_live.stats import total
from sdv2_live.system.clock import monotonic, monotonic_ns
from sdv2_live.threads import ended

log = logging.getLogger("sdv2_live.music")

LINK = "link"
LOOK_S = 0.25
SILENT_S = 10.0  # a process that says nothing for so long hangs
FIRST_S, LONGEST_S = 0.5, 30.0  # until it is started again
WELL_S = 30.0  # after so long, an end is none of a series

Start = Callable[[str, int, Tempo, int], LinkProcess]


@dataclass(slots=True)
class LinkCounters:
    """Totals since start."""

    ended: int = total("Times that the process of Ableton Link ended or hung.")


class LinkKeeper(Service):
    """Keeps Link's process running on its own thread, as long as the row tempo/source is link. The beat goes on without it.

    Args:
        clock: has the beat that a session begins with.
        start: starts the process.

    Attributes:
        server: host and port at which the show takes OSC; None where it takes none.
    """

    def __init__(self, store: ParamStore, clock: BeatClock, start: Start = LinkProcess) -> None:
        self.counters = LinkCounters()
        self.failures = 0
        self.server: tuple[str, int] | None = None
        self._store, self._clock, self._start = store, clock, start
        self._wake, self._closing = threading.Event(), threading.Event()
        self._backoff = Backoff(FIRST_S, LONGEST_S)
        self._told = False  # that it ends
        self._forget = store.add_listener(self._written)
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    def start(self) -> None:
        """Start to look at the row."""
        self._thread.start()

    def close(self) -> None:
        """End the process. Idempotent."""
        self._closing.set()
        self._wake.set()
        ended(self._thread)
        self._forget()

    def _written(self, change: Change) -> None:
        if "tempo/source" in change.values:
            self._wake.set()

    @property
    def _wanted(self) -> bool:
        return self._store.latest().tempo_source == LINK and not self._closing.is_set()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._wake.clear()
                if not self._wanted:
                    self._told = False
                    self._backoff.reset()
                elif (problem := self._problem()) is not None:
                    log.warning("%s. The beat goes on; then choose link again", problem)
                elif self._live():
                    continue
                self._wake.wait()
            except Exception:
                self.failures += 1
                log.exception("Ableton Link could not be kept; it is tried again")
                self._closing.wait(LONGEST_S)

    def _problem(self) -> str | None:
        if self.server is None:
            return "Ableton Link reaches the show by OSC, which is off; set osc.enabled"
        return INSTALL if installed() is None else None

    def _live(self) -> bool:
        """Run one process until it ends or is wanted no more. Returns True when the next is to be started."""
        began = monotonic()
        assert self.server is not None
        process = self._start(*self.server, self._beginning(), self._store.latest().tempo_beats_per_bar)
        try:
            why = ""
            while self._wanted and not why:
                process.wait(LOOK_S)
                why = process.ended or self._hangs(began)
        finally:
            process.close()
        if not self._wanted:
            return True
        self._ended(why, monotonic() - began)
        self._closing.wait(self._backoff.seconds)
        self._backoff.grow()
        return True

    def _beginning(self) -> Tempo:
        """The beat that a session of ours begins with: Link's own of before, which has no offset and no factor of hands in it."""
        said = self._clock.sources.get(LINK)
        if said is not None:
            return said.tempo
        now_ns = monotonic_ns()
        offset_beats = self._store.latest().tempo_offset_ms * 1e6 / self._clock.tempo.beat_ns
        return Tempo(now_ns, self._clock.beat(now_ns) - offset_beats, self._clock.bpm)

    def _hangs(self, began: float) -> str:
        said = self._clock.sources.get(LINK)
        heard = max(began, said.heard_ns / 1e9 if said is not None else began)
        return f"has said nothing for {SILENT_S:g} s" if monotonic() - heard > SILENT_S else ""

    def _ended(self, why: str, lived_s: float) -> None:
        self.counters.ended += 1
        if lived_s > WELL_S:
            self._backoff.reset()
            self._told = False
        level = logging.DEBUG if self._told else logging.WARNING
        self._told = True
        log.log(
            level, "the process of Ableton Link %s; the beat goes on, and it starts again in %g s", why, self._backoff.seconds
        )
