"""Places of controls on the wire, and the messages that set their light, ring or motor."""

from __future__ import annotations

from typing import NamedTuple

import mido

from sdv2_live.control.osc.addresses import MIDI_MAX
from sdv2_live.midi.highres import DATA, LSB, MAX14, NRPN_HIGH, NRPN_LOW

_BEND_LOW = -8192  # a pitch bend at its lower end, as mido counts


class Place(NamedTuple):
    """One physical control: kind and number as in `Control`, channel 0..15."""

    kind: str
    channel: int
    number: int | None


def bend(pitch: int) -> float:
    """The position 0..1 of a pitch bend."""
    return (pitch - _BEND_LOW) / MAX14


def setting(place: Place, level: int) -> list[mido.Message]:
    """Messages that make a control show `level`: 0..127, or 0..16383 for a control of 14 bits."""
    if place.kind == "pitchbend":
        return [mido.Message("pitchwheel", channel=place.channel, pitch=level + _BEND_LOW)]
    assert place.number is not None
    if place.kind == "note":
        return [mido.Message("note_on", channel=place.channel, note=place.number, velocity=level)]
    changes = {place.number: level}
    if place.kind == "cc14":
        changes = {place.number: level >> 7, place.number + LSB: level & MIDI_MAX}
    elif place.kind == "nrpn":
        changes = {NRPN_HIGH: place.number >> 7, NRPN_LOW: place.number & MIDI_MAX}
        changes |= {DATA: level >> 7, DATA + LSB: level & MIDI_MAX}
    return [mido.Message("control_change", channel=place.channel, control=n, value=value) for n, value in changes.items()]
