"""Probe of the MIDI ports, and of who sends clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event

from sdv2_live.config.schema import Config
from sdv2_live.doctor.probe import Check, fail, ok, warn
from sdv2_live.errors import MidiError


def look_midi(config: Config) -> Iterator[Check]:
    """midi."""
    needed = config.tempo.source == "midi"
    try:
        from sdv2_live.midi.clock_input import listen  # of an optional extra
        from sdv2_live.midi.ports import INSTALL, SystemPorts
    except ImportError as error:
        if needed:
            yield fail("midi", f"tempo.source is midi, and {error.name} is not installed", "pip install 'sdv2-live[midi]'")
        else:
            yield ok("midi", "without MIDI: its extra is not installed")
        return
    try:
        ports = SystemPorts()
    except MidiError as error:
        what, _, remedy = str(error).partition("; ")
        yield fail("midi", what, remedy or INSTALL) if needed else ok("midi", f"without MIDI: {what}")
        return
    yield told(ports.inputs(), listen(ports, Event().wait), needed)


def told(names: Sequence[str], clocks: dict[str, float], needed: bool) -> Check:
    """What is said of the ports.

    Args:
        names: of those that can be heard.
        clocks: the tempo in bpm of those that send clock.
        needed: the show's tempo is to follow a clock.
    """
    said = [f"{name} (clock, {clocks[name]:.1f} bpm)" if name in clocks else name for name in dict.fromkeys(names)]
    if clocks or not needed:
        return ok("midi", ", ".join(said) or "no MIDI port")
    return warn(
        "midi",
        f"tempo.source is midi, and no port sends clock: {', '.join(said) or 'there is none'}",
        "have the player or the mixer send MIDI clock, and let no other program hold its port",
    )
