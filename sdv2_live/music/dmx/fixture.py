"""The show as a fixture: what light desks play on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sdv2_live.music.dmx.chart import CHART, Kind, Layout
from sdv2_live.music.dmx.merge import Changes, Desk, DmxCounters, Merge
from sdv2_live.music.dmx.packets import Levels

SETTLED_NS = 60_000_000  # for which a number must stand: a fader that is moved passes through many

Value = bool | int | float | str


class Played(NamedTuple):
    """Values that a desk plays at one moment, by parameter."""

    desk: Desk
    values: Mapping[str, Value]


class _Waiting(NamedTuple):
    desk: Desk
    raw: int
    since_ns: int


class Fixture:
    """Turns packets into values of parameters. Not thread-safe. `Merge` says what the arguments are.

    Attributes:
        counters: its totals, to which a receiver adds its own.
    """

    def __init__(self, layout: Layout, first: int, *, always: bool, counters: DmxCounters) -> None:
        self._layout, self.counters = layout, counters
        self._merge = Merge(layout, first, always=always, counters=counters)
        self._waiting: dict[int, _Waiting] = {}  # numbers that may still pass, by place in CHART
        self._settled: dict[int, int] = {}

    @property
    def desks(self) -> tuple[Desk, ...]:
        """Those that send now."""
        return self._merge.desks

    def take(self, said: Levels, host: str, at_ns: int) -> Iterator[Played]:
        """Take in a packet; gives what it plays at once."""
        desk, changes = self._merge.take(said, host, at_ns)
        if desk is not None:
            yield from self._play(desk, changes, at_ns)

    def due(self, now_ns: int) -> Iterator[Played]:
        """What is to be played now because it has stood long enough."""
        for place, waiting in list(self._waiting.items()):
            if now_ns - waiting.since_ns < SETTLED_NS:
                continue
            del self._waiting[place]
            if self._settled.get(place) != waiting.raw:
                self._settled[place] = waiting.raw
                if waiting.raw:  # 0 is no number
                    yield self._played(waiting.desk, {CHART[place].name: CHART[place].value(waiting.raw, False)})

    def gone(self, now_ns: int) -> Iterator[tuple[Desk, list[Played]]]:
        """The desks that fell silent, each with what another plays in its place."""
        for desk, heir, changes in self._merge.gone(now_ns):
            yield desk, list(self._play(heir, changes, now_ns)) if heir is not None else []

    def _play(self, desk: Desk, changes: Changes, at_ns: int) -> Iterator[Played]:
        values: dict[str, Value] = {}
        for place, raw in changes.items():
            function = CHART[place]
            if function.kind is Kind.NUMBER:
                self._waiting[place] = _Waiting(desk, raw, at_ns)
            elif raw or function.kind is not Kind.BUTTON:
                values[function.name] = function.value(raw, self._layout.fine(function))
        if values:
            yield self._played(desk, values)

    def _played(self, desk: Desk, values: Mapping[str, Value]) -> Played:
        self.counters.changes += len(values)
        return Played(desk, values)
