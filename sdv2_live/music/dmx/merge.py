"""Several desks on one universe: whose change counts.

These are parameters, not lamps: a desk repeats its levels many times a second, and only what changes is played. The highest
priority counts; among equals, the newest change. A desk that is silent leaves everything as it is.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from sdv2_live.music.dmx.chart import CHART, Kind, Layout
from sdv2_live.music.dmx.packets import SLOTS, Levels, Protocol
from sdv2_live.stats import total

MOST = 4  # sources of a universe
SILENT_NS = {Protocol.SACN: 2_500_000_000, Protocol.ARTNET: 10_000_000_000}  # after which a source counts as lost
OLD = 20  # a sequence number that lies so little behind the last belongs to an overtaken packet

Reading = tuple[int | None, ...]  # of each function of CHART
Changes = dict[int, int]  # readings to play, by place in CHART


@dataclass(slots=True)
class DmxCounters:
    """Totals since start."""

    packets: int = total("Packets with levels that were read from light desks.")
    changes: int = total("Values that light desks played.")
    other: int = total("Packets of other universes, or about other things.")
    malformed: int = total("Packets that were no Art-Net or sACN, or damaged.")
    barred: int = total("Packets from outside the allowed networks.")
    flooded: int = total("Packets beyond a desk's rate.")
    out_of_order: int = total("Packets that a newer one had overtaken.")
    crowded: int = total("Packets of a fifth desk on a universe.")
    refused: int = total("Values of light desks that could not be used, such as a preset that is not there.")
    lost: int = total("Times a light desk fell silent.")
    failures: int = total("Mistakes of the program itself, which are logged in full.")


@dataclass(slots=True, eq=False)
class Desk:
    """A source that sends now.

    Attributes:
        host: its address.
        heard_ns: when it was heard last.
        ended: it has said that it ends.
    """

    host: str
    name: str
    protocol: Protocol
    universe: int
    priority: int
    heard_ns: int
    sequence: int | None
    levels: bytes
    reading: Reading
    ended: bool = False

    @property
    def words(self) -> str:
        """Who it is."""
        return f"{self.name} at {self.host}" if self.name else self.host

    @property
    def origin(self) -> str:
        """Who it is and how it speaks."""
        return f"{self.words} ({self.protocol.value} {self.universe})"


class Merge:
    """The sources of one fixture, and what is played of them. Not thread-safe.

    Args:
        layout: the fixture's channels.
        first: the universe's slot of the first of them, from 1.
        always: a desk's first levels are played, too, and another's when one with a higher priority goes.
        counters: told of what is left out.
    """

    def __init__(self, layout: Layout, first: int, *, always: bool, counters: DmxCounters) -> None:
        self._layout, self._first, self._always = layout, first - 1, always
        self._counters = counters
        self._desks: dict[Hashable, Desk] = {}
        self._quiet: dict[Hashable, Desk] = {}  # that fell silent and have not said that they end

    @property
    def desks(self) -> tuple[Desk, ...]:
        """Those that send now."""
        return tuple(self._desks.values())

    def take(self, said: Levels, host: str, at_ns: int) -> tuple[Desk | None, Changes]:
        """Take in a packet. Returns its desk, None for a packet that does not count, and what it changes."""
        key = (said.protocol, said.identity or host)
        desk = self._desks.get(key)
        if said.ended:
            if desk is not None:
                desk.ended = True
            return None, {}
        levels = self._mine(said.levels)
        if desk is None:
            if len(self._desks) >= MOST:
                self._counters.crowded += 1
                return None, {}
            desk = self._desks[key] = self._came(key, said, host, at_ns)
        elif _overtaken(said.sequence, desk.sequence):
            self._counters.out_of_order += 1
            return None, {}
        before = desk.reading
        if said.priority != desk.priority and self._always:
            before = (None,) * len(CHART)
        desk.host, desk.name, desk.priority = host, said.name, said.priority
        desk.heard_ns, desk.sequence = at_ns, said.sequence
        desk.levels = levels + desk.levels[len(levels) :]  # what a short packet does not speak of stays
        desk.reading = self._layout.read(desk.levels)
        return desk, self._changes(desk, before)

    def _came(self, key: Hashable, said: Levels, host: str, at_ns: int) -> Desk:
        """A desk that speaks for the first time, or again.

        Some, such as OLA, say only what changes: their numbers go on where they were, and what they say then is a change. Whoever
        was cut off or started anew says first where it stands.
        """
        before = self._quiet.pop(key, None)
        if before is not None and not self._always and _follows(said.sequence, before.sequence):
            return before
        silent: Reading = (None,) * len(CHART)
        return Desk(host, said.name, said.protocol, said.universe, said.priority, at_ns, None, b"", silent)

    def gone(self, now_ns: int) -> list[tuple[Desk, Desk | None, Changes]]:
        """Forget the desks that are silent: each with the desk that takes over, and what that plays."""
        over: list[tuple[Desk, Desk | None, Changes]] = []
        for key, desk in list(self._desks.items()):
            if desk.ended or now_ns - desk.heard_ns >= SILENT_NS[desk.protocol]:
                del self._desks[key]
                if not desk.ended:
                    self._quiet[key] = desk
                    while len(self._quiet) > MOST:
                        del self._quiet[next(iter(self._quiet))]
                self._counters.lost += 1
                heir = max(self._desks.values(), key=lambda one: (one.priority, one.heard_ns), default=None)
                lower = self._always and heir is not None and heir.priority < desk.priority
                over.append((desk, heir, self._changes(heir, (None,) * len(CHART)) if lower and heir is not None else {}))
        return over

    def _mine(self, levels: bytes) -> bytes:
        return levels[self._first : min(self._first + len(self._layout), SLOTS)]

    def _changes(self, desk: Desk, before: Reading) -> Changes:
        higher = [one for one in self._desks.values() if one.priority > desk.priority]
        changes: Changes = {}
        for place, (now, was) in enumerate(zip(desk.reading, before, strict=True)):
            if now is None or now == was or any(one.reading[place] is not None for one in higher):
                continue
            if was is not None or (self._always and CHART[place].kind is not Kind.BUTTON):  # a button is pressed, not found down
                changes[place] = now
        return changes


def _overtaken(number: int | None, last: int | None) -> bool:
    return number is not None and last is not None and (last - number) % 256 < OLD


def _follows(number: int | None, last: int | None) -> bool:
    """True for the next number, or the one after it: Art-Net leaves 0 out."""
    return number is not None and last is not None and 1 <= (number - last) % 256 <= 2
