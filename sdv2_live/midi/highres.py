"""14-bit controls whose value comes in two messages: pairs of controllers, and NRPN.

Controller n carries the high seven bits and n + 32 the low ones; an NRPN is chosen by controllers 99 and 98 and set by 6 and 38
(MIDI 1.0 specification, "Control Change"). The specification sends the high half first, and lets a low half that has not changed
be left out; some controllers send the low half first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

LSB = 32  # controller n + 32 carries the low half of controller n
MAX14 = (1 << 14) - 1
MAX7 = (1 << 7) - 1
NRPN_HIGH, NRPN_LOW, RPN_HIGH, RPN_LOW, DATA = 99, 98, 101, 100, 6
HALF_WAIT_S = 0.01  # within which the second half of a move follows the first


class Moved(NamedTuple):
    """A control that has come to `position`, 0..1. kind is cc14 or nrpn; channel 0..15."""

    kind: str
    channel: int
    number: int
    position: float


@dataclass(slots=True)
class _Halves:
    """The known halves of one control's value. `waiting` names the half that came last, at `since`, if its partner may follow.

    Attributes:
        first: the half that this controller sends first, as far as it has shown it.
    """

    high: int | None = None
    low: int | None = None
    waiting: str = ""
    since: float = 0.0
    first: str = ""

    def take(self, half: str, value: int, now: float) -> float | None:
        """Take one half. Returns the position if that completes the value."""
        setattr(self, half, value)
        if self.waiting not in ("", half) and now - self.since < HALF_WAIT_S:
            self.first, self.waiting = self.waiting, ""
            return self._position()
        seven_bits = self.low is None  # as far as is known: then nothing follows
        last = half != self.first != ""  # and its partner has not changed
        self.waiting, self.since = "" if last else half, now
        if seven_bits:
            return value / MAX7
        return self._position() if last else None

    def due(self) -> float | None:
        return self.since + HALF_WAIT_S if self.waiting else None

    def settle(self) -> float | None:
        """Note that no other half has followed. Returns the position unless it was reported already."""
        half, self.waiting = self.waiting, ""
        if self.high is None or self.low is None:
            return None
        if half == "high":
            self.low = 0  # what the specification says of a high half alone
        return self._position()

    def _position(self) -> float | None:
        return None if self.high is None else (self.high << 7 | (self.low or 0)) / MAX14


class HighRes:
    """Joins the halves of controls. `wanted` says of (kind, channel, number) whether any entry uses that control."""

    def __init__(self, wanted: Callable[[str, int, int], bool]) -> None:
        self._wanted = wanted
        self._halves: dict[tuple[str, int, int], _Halves] = {}
        self._chosen: dict[int, dict[int, int]] = {}  # of each channel, the halves of the NRPN's number

    def controller(self, channel: int, number: int, value: int, now: float) -> list[Moved]:
        """Take in a control change. Returns the controls that it completes."""
        if number in (NRPN_HIGH, NRPN_LOW):
            self._chosen.setdefault(channel, {})[number] = value
        elif number in (RPN_HIGH, RPN_LOW):  # from now on the data belong to a registered parameter
            self._chosen.pop(channel, None)
        if number >= 2 * LSB:
            return []
        half, base = ("low", number - LSB) if number >= LSB else ("high", number)
        places = [("cc14", channel, base)]
        chosen = self._chosen.get(channel, {})
        if base == DATA and len(chosen) == 2:
            places.append(("nrpn", channel, chosen[NRPN_HIGH] << 7 | chosen[NRPN_LOW]))
        moved = []
        for place in places:
            if self._wanted(*place):
                position = self._halves.setdefault(place, _Halves()).take(half, value, now)
                moved += [] if position is None else [Moved(*place, position)]
        return moved

    def tick(self, now: float) -> list[Moved]:
        """The controls whose second half has not come in time."""
        late = [(place, halves) for place, halves in self._halves.items() if (due := halves.due()) is not None and due <= now]
        return [Moved(*place, position) for place, halves in late if (position := halves.settle()) is not None]

    @property
    def due(self) -> float | None:
        """Time of the next `tick` with something to do, on the clock of `now`; None for never."""
        return min((due for halves in self._halves.values() if (due := halves.due()) is not None), default=None)
