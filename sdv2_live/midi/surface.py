"""One controller: its messages in OSC, and the daemon's as lights and motors. No threads, sockets or clock of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import mido

from sdv2_live.control.coerce import coerce
from sdv2_live.control.osc.addresses import MIDI_MAX, ROOT
from sdv2_live.control.params import PARAMS, Kind, Value
from sdv2_live.errors import ParamError
from sdv2_live.midi.highres import HighRes, Moved
from sdv2_live.midi.mapfile import MidiMap
from sdv2_live.midi.mapping import Act, Entry
from sdv2_live.midi.mirror import HOLD_S, Mirror
from sdv2_live.midi.wire import Place, bend, setting

PICKUP_WITHIN = 2 / MIDI_MAX  # a fader moved fast jumps several steps; closer than this it is where the value is
_PRESSED = 64  # a CC button is down from here on


class OscOut(NamedTuple):
    """An OSC message to send."""

    address: str
    args: tuple[Any, ...]


class Surface:
    """Give `midi` the controller's messages and `osc` the daemon's; send what they and `lights` return.

    `preset_name` turns a preset's number into its name, which the daemon reports; None when it is unknown.
    Times are seconds of any one steady clock.
    """

    def __init__(self, midi_map: MidiMap, preset_name: Callable[[Any], str | None] = lambda number: None) -> None:
        self.map = midi_map
        self.mirror = Mirror()
        self._preset_name = preset_name
        self._entries: dict[tuple[str, int | None], list[Entry]] = defaultdict(list)
        self._showing: dict[str, list[Entry]] = defaultdict(list)
        for entry in midi_map.entries:
            self._entries[entry.control.kind, entry.control.number].append(entry)
            if entry.light or entry.feedback:
                self._showing[entry.name].append(entry)
        self._down: set[Place] = set()
        self._before: dict[Entry, Value | None] = {}  # of each entry that is held: the value it will put back
        self._stood: dict[Entry, float] = {}  # where each fader was last seen
        self._touched: dict[Entry, float] = {}
        self._highres = HighRes(lambda *place: bool(self._at(Place(*place))))
        self._shown: dict[Place, int] = {}
        self._stale: set[Entry] = set()

    def midi(self, message: mido.Message, now: float) -> list[OscOut]:
        """The OSC messages that one message of the controller causes."""
        match message.type:
            case "note_on" | "note_off":
                down = message.type == "note_on" and message.velocity > 0
                return self._button(Place("note", message.channel, message.note), down, now)
            case "control_change":
                return self._controller(message.channel, message.control, message.value, now)
            case "program_change":
                return self._program(message.channel, message.program, now)
            case "pitchwheel":
                return self._moved(self._at(Place("pitchbend", message.channel, None)), bend(message.pitch), now)
            case "polytouch" | "aftertouch":
                place = Place("aftertouch", message.channel, getattr(message, "note", None))
                return self._moved(self._at(place), message.value / MIDI_MAX, now)
        return []

    def osc(self, address: str, args: tuple[Any, ...]) -> None:
        """Take in one message of the daemon."""
        name = address.removeprefix(ROOT)
        spec = PARAMS.get(name)
        if spec is None or not address.startswith(ROOT) or spec.kind is Kind.TRIGGER:
            return
        if spec.kind is Kind.PRESET:
            self.mirror.tell(name, str(args[0]) if args else "")
        else:
            try:
                self.mirror.tell(name, coerce(spec, args).value)
            except ParamError:
                return  # not a value; a later echo will be
        self._stale |= set(self._showing[name])

    def tick(self, now: float) -> list[OscOut]:
        """The messages due at `now`."""
        for name in self.mirror.settle(now):
            self._stale |= set(self._showing[name])
        for entry in [entry for entry, at in self._touched.items() if now - at >= HOLD_S]:
            del self._touched[entry]
            self._stale |= {entry} if entry.feedback else set()
        return self._completed(self._highres.tick(now), now)

    @property
    def due(self) -> float | None:
        """Time of the next `tick` with something to do; None for never."""
        touched = min((at + HOLD_S for at in self._touched.values()), default=None)
        return min((time for time in (touched, self._highres.due, self.mirror.due) if time is not None), default=None)

    def redraw(self) -> list[mido.Message]:
        """Setup messages for a controller that was plugged in. `lights` then sends every light again."""
        self._shown.clear()
        self._stale |= {entry for entries in self._showing.values() for entry in entries}
        return list(self.map.setup)

    def lights(self) -> list[mido.Message]:
        """Messages that bring the controller's lights and motors up to date."""
        stale, self._stale = self._stale, set()
        messages = []
        for entry in self.map.entries:  # in the map's order, so that of two entries with one light the later one wins
            if entry in stale and (level := self._level(entry)) is not None:
                messages += self._show(entry, level)
        return messages

    def dark(self) -> list[mido.Message]:
        """Messages that switch all lights off, for the end."""
        return [message for entry in self.map.entries if entry.light for message in self._show(entry, entry.light.off)]

    def let_go(self, now: float) -> list[OscOut]:
        """Release everything held: the controller is gone."""
        outs = [out for place in list(self._down) for out in self._button(place, False, now)]
        self._stood.clear()
        return outs

    def _at(self, place: Place) -> list[Entry]:
        entries = self._entries.get((place.kind, place.number), [])
        return [entry for entry in entries if entry.control.channel in (None, place.channel)]

    def _button(self, place: Place, down: bool, now: float) -> list[OscOut]:
        if down == (place in self._down) and not (down and place.kind == "note"):
            return []
        (self._down.add if down else self._down.discard)(place)
        outs: list[OscOut] = []
        for entry in self._at(place):
            if entry.act is not Act.VALUE:
                outs += self._press(entry, now) if down else self._release(entry, now)
                if entry.light:  # many controllers switch the light themselves while a button is held
                    self._shown.pop(place, None)
                    self._stale.add(entry)
        return outs

    def _press(self, entry: Entry, now: float) -> list[OscOut]:
        current = self.mirror.value(entry.name)
        match entry.act:
            case Act.TRIGGER:
                return [OscOut(entry.target.address, _args(entry.value))]
            case Act.TOGGLE:
                return self._send(entry, entry.off if entry.shows_on(current) else entry.value, now)
            case Act.HOLD:
                self._before.setdefault(entry, current)
        return self._send(entry, entry.value, now)

    def _release(self, entry: Entry, now: float) -> list[OscOut]:
        if entry.act is not Act.HOLD or entry not in self._before:
            return []
        before = self._before.pop(entry)
        if entry.off is not None:
            return self._send(entry, entry.off, now)
        if before is None or before == "":
            return []  # the daemon has not said what there was
        self._sent(entry.name, before, now)
        return [OscOut(ROOT + entry.name, _args(before))]

    def _controller(self, channel: int, number: int, value: int, now: float) -> list[OscOut]:
        place = Place("cc", channel, number)
        outs = self._button(place, value >= _PRESSED, now)
        for entry in self._at(place):
            if entry.control.relative is not None:
                outs += self._turned(entry, entry.control.relative.steps(value), now)
            else:
                outs += self._moved([entry], value / MIDI_MAX, now)
        return outs + self._completed(self._highres.controller(channel, number, value, now), now)

    def _completed(self, moves: list[Moved], now: float) -> list[OscOut]:
        return [out for move in moves for out in self._moved(self._at(Place(*move[:3])), move.position, now)]

    def _turned(self, entry: Entry, steps: int, now: float) -> list[OscOut]:
        """Move an encoder on from its value's position."""
        value = self.mirror.value(entry.name)
        spec = PARAMS[entry.name]
        if spec.kind is Kind.PRESET or value is None:  # told by name, or not told: go on from where it was turned to
            there = self._stood.get(entry, 0.0 if spec.kind is Kind.PRESET else entry.position(spec.default))
        else:
            there = entry.position(value)
        return self._moved([entry], min(max(there + steps * max(entry.by, entry.unit()), 0.0), 1.0), now) if steps else []

    def _moved(self, entries: list[Entry], position: float, now: float) -> list[OscOut]:
        outs: list[OscOut] = []
        for entry in entries:
            if entry.act is not Act.VALUE:
                continue
            taken = not entry.pickup or self._picks_up(entry, position)
            self._stood[entry] = position
            if entry.feedback:
                self._touched[entry] = now
                self._shown.pop(_place(entry), None)  # the hand has moved it
            if taken:
                outs += self._send(entry, entry.argument(position), now)
        return outs

    def _picks_up(self, entry: Entry, position: float) -> bool:
        """True when a fader that moves to `position` meets or passes its value's position, or had hold of it before."""
        value = self.mirror.value(entry.name)
        if value is None:
            return True  # no daemon has answered: better a jump than a dead fader
        there = entry.position(value)
        within = max(PICKUP_WITHIN, entry.unit())
        stood = self._stood.get(entry, position)
        return abs(stood - there) <= within or abs(position - there) <= within or (stood - there) * (position - there) < 0

    def _program(self, channel: int, number: int, now: float) -> list[OscOut]:
        outs: list[OscOut] = []
        for entry in self._at(Place("program", channel, number)):
            outs += self._press(entry, now)
        for entry in self._entries.get(("program", None), []):
            if entry.control.channel in (None, channel):
                outs += self._send(entry, number + 1, now)
        return outs

    def _send(self, entry: Entry, value: Any, now: float) -> list[OscOut]:
        meant = entry.target.meant(value)
        if meant is not None:
            self._sent(entry.name, meant, now)
        return [OscOut(entry.target.address, _args(value))]

    def _sent(self, name: str, value: Value, now: float) -> None:
        known = self._preset_name(value) if PARAMS[name].kind is Kind.PRESET else value
        if known is not None:
            self.mirror.send(name, known, now)
            self._stale |= set(self._showing[name])

    def _level(self, entry: Entry) -> int | None:
        """The value to send to the entry's light or motor; None for nothing."""
        value = self.mirror.value(entry.name)
        if entry.feedback:
            busy = entry in self._touched  # never work against the hand
            return None if busy or value is None else round(entry.position(value) * entry.control.most)
        assert entry.light is not None
        if entry.act is Act.TRIGGER:
            lit = any(entry in self._at(place) for place in self._down)
        elif entry.name == "preset":
            named = self._preset_name(entry.value) or str(entry.value)
            lit = value is not None and named.lower() == str(value).lower()
        else:
            lit = entry.shows_on(value)
        return entry.light.on if lit else entry.light.off

    def _show(self, entry: Entry, level: int) -> list[mido.Message]:
        place = _place(entry)
        if self._shown.get(place) == level:
            return []
        self._shown[place] = level
        return setting(place, level)


def _place(entry: Entry) -> Place:
    return Place(entry.control.kind, entry.control.channel or 0, entry.control.number)


def _args(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)
