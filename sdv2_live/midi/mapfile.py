"""Maps as YAML files.

    port: APC MINI             # what the name of the MIDI port contains, case as written
    channel: 1                 # of every entry that gives none, 1..16; left out: any
    setup: ["F0 00 20 F7"]     # messages in hexadecimal, sent whenever the controller is plugged in
    controls:
      - {note: 0, address: /sdv2/preset, value: 1, led: {on: 1, off: 5}}
      - {note: 82, address: /sdv2/freeze}                   # a boolean toggles, tempo/push is held, a trigger fires
      - {note: 83, address: /sdv2/mix, action: hold, value: 0.0}
      - {cc: 48, address: /sdv2/noise_scale/norm, range: [0.2, 1.0], curve: 2, pickup: true}
      - {cc14: 7, address: /sdv2/mix, feedback: true}       # MSB on CC 7, LSB on CC 39
      - {cc: 20, relative: twos, address: /sdv2/mix}        # an endless encoder: each step moves the value
      - {nrpn: 1029, address: /sdv2/mix}                    # 14 bits: CC 99 and 98 choose, 6 and 38 set
      - {pitchbend: 1, address: /sdv2/mix}                  # the fader of a Mackie surface, by its channel
      - {aftertouch: 36, address: /sdv2/mix}                # the pressure on one key; `all`: on the whole channel
      - {program: all, address: /sdv2/preset}               # program n recalls preset n + 1

Keys: one of note, cc, cc14 (0..31), nrpn (0..16383), pitchbend (a channel 1..16 or `any`), aftertouch (a key or `all`),
program (a number or `all`), 0..127 as MIDI counts where nothing else is said; channel 1..16 or `any`; address; action (value,
trigger, toggle, hold or set); value and off, sent to the address (a held button without `off` puts back what was there); range,
curve, pickup and feedback of faders and knobs; relative (twos, offset or sign, see `relative`) and step of encoders (the share of
the whole way that one step makes, 0.01, or the next whole number); led of buttons. One control may have several entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mido

from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.errors import MAX_PROBLEMS, ConfigError, several
from sdv2_live.midi.mapentry import ENTRY_KEYS, MistakeError, channel_of, read_entry
from sdv2_live.midi.mapping import Entry
from sdv2_live.wording import shown
from sdv2_live.yamlfile import Document, KeyPath, dotted, load_yaml

_KEYS = ("port", "channel", "setup", "controls")


@dataclass(frozen=True, slots=True)
class MidiMap:
    """A controller's map, checked. `setup` messages are sent whenever it is plugged in."""

    port: str
    entries: tuple[Entry, ...]
    setup: tuple[mido.Message, ...] = ()


def load_map(path: Path, names: ParamNames = TABLE) -> MidiMap:
    """Read and check one map; `names` are those of the show.

    Raises:
        ConfigError: a line for every mistake: file, line, key, allowed values.
    """
    return read_map(load_yaml(path), names)


def read_map(document: Document, names: ParamNames = TABLE) -> MidiMap:
    """Like `load_map`, for a document that is already read."""
    data = document.data
    if not isinstance(data, dict):
        raise ConfigError(f"{document.where()}: a map is a mapping with port and controls, not {shown(data)}")
    problems = [*document.problems, *document.unknown(_KEYS)]

    def complain(key: KeyPath, reason: str) -> None:
        problems.append(f"{document.where(key)}: {dotted(key)}: {reason}")

    port = data.get("port")
    if not isinstance(port, str) or not port.strip():
        complain(("port",), f"cannot be {shown(port)}; give a part of the MIDI port's name, as `sdv2-live midi --list` shows it")
    channel = None
    try:
        channel = channel_of(data)
    except MistakeError as mistake:
        complain((mistake.key,), str(mistake))
    controls = data.get("controls")
    if not isinstance(controls, list):
        complain(("controls",), f"cannot be {shown(controls)}; give a list of entries")
        controls = []
    entries = []
    for index, item in enumerate(controls):
        if len(problems) > MAX_PROBLEMS:
            break
        if not isinstance(item, dict):
            complain(("controls", index), f"cannot be {shown(item)}; give an entry such as {{cc: 7, address: /sdv2/mix}}")
            continue
        unknown = document.unknown(ENTRY_KEYS, ("controls", index))
        problems += unknown
        try:
            entries += [] if unknown else [read_entry(item, channel, names)]
        except MistakeError as mistake:
            complain(("controls", index, mistake.key) if mistake.key else ("controls", index), str(mistake))
    setup = _setup(data.get("setup", []), complain)
    if problems:
        raise ConfigError("\n".join(several(problems)))
    return MidiMap(str(port).strip(), tuple(entries), setup)


def _setup(given: Any, complain: Any) -> tuple[mido.Message, ...]:
    messages = []
    for index, text in enumerate(given if isinstance(given, list) else [given]):
        try:
            messages.append(mido.Message.from_hex(text))
        except (TypeError, ValueError, IndexError) as error:
            complain(("setup", index), f"cannot be {shown(text)} ({error}); give one MIDI message in hexadecimal, quoted")
    return tuple(messages)
