"""Learning: finds the control that was moved, and writes its entry into a map.

Only the text of the entry itself changes, so comments elsewhere in the file stay. An entry that is spread over several lines
becomes one line; comments between its lines are lost with that.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import mido
import yaml

from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.params import Keeps, Kind
from sdv2_live.errors import ConfigError, MidiError, ParamError
from sdv2_live.midi.highres import DATA, LSB, NRPN_HIGH, NRPN_LOW
from sdv2_live.midi.mapentry import ENCODER_KEYS, ENTRY_KEYS, KINDS
from sdv2_live.midi.mapfile import read_map
from sdv2_live.midi.mapping import target_of
from sdv2_live.midi.relative import codings
from sdv2_live.system.atomic import written_whole
from sdv2_live.system.clock import monotonic
from sdv2_live.yamlfile import Document, parse_yaml

SETTLE_S = 0.4  # of further messages, which tell a fader from a button and 14 bits from 7
HELD_S = 1.5  # a note that is held this long may be the touch of a fader that is moved next
_BUTTON_VALUES = {0, 127}
_MOVES = ("control_change", "pitchwheel", "polytouch", "aftertouch")

Item = dict[str, Any]
Messages = Sequence[mido.Message]


def moved(messages: queue.SimpleQueue[mido.Message], timeout_s: float) -> list[mido.Message]:
    """Messages of the next control that moves, up to `SETTLE_S` after its first. Raises MidiError when none moves in time.

    While a note is held, and nothing else is sent, the performer may still be about to move the fader that is touched.
    """
    deadline = monotonic() + timeout_s
    while True:
        try:
            first = messages.get(timeout=max(deadline - monotonic(), 0.0))
        except queue.Empty:
            raise MidiError(f"no control was moved within {timeout_s:g} s; nothing was changed") from None
        if first.type in (*_MOVES, "program_change") or (first.type == "note_on" and first.velocity > 0):
            break
    heard = [first]
    end = monotonic() + SETTLE_S
    held = min(monotonic() + HELD_S, deadline) if first.type == "note_on" else end
    while (left := end - monotonic()) > 0 or (left := held - monotonic()) > 0:
        try:
            heard.append(messages.get(timeout=left))
        except queue.Empty:
            continue  # a held note has longer than the others
        if heard[-1].type in _MOVES and held > end:  # the fader under the finger: from here on as for any other
            end = held = monotonic() + SETTLE_S
        elif heard[-1].type in ("note_off", "note_on"):
            held = end
    return heard


def learned(messages: Messages, address: str, value: Any = None, names: ParamNames = TABLE) -> Item:
    """The entry that joins the control which sent `messages` to `address`. Raises ParamError for an unknown address.

    A touch-sensitive fader sends a note too, and a pad its pressure: the fader is the one that moves, and the pad is a button
    unless the address wants a position.
    """
    target = target_of(address, names)
    position = value is None and target.spec is not None and target.spec.kind not in (Kind.BOOL, Kind.TRIGGER)
    first = next((one for one in messages if one.type in ("control_change", "pitchwheel")), messages[0])
    if first.type == "note_on" and position:
        first = next((one for one in messages if one.type in ("polytouch", "aftertouch")), first)
    same = [one for one in messages if one.type == first.type and one.channel == first.channel]
    control = _CONTROLS[first.type](same)
    item: Item = {**control, "channel": first.channel + 1, "address": address}
    if "pitchbend" in control:
        del item["channel"]
    if value is not None:
        item["value"] = value
    elif "cc" in control and _pressed(same) and target.spec is not None and target.spec.kind is Kind.BOOL and not target.form:
        item["action"] = "hold" if target.spec.keeps is Keeps.MOMENT else "toggle"
    return item


def ambiguous(messages: Messages) -> bool:
    """True when an encoder was turned one way only, which leaves open how it codes the other."""
    changes = [one for one in messages if one.type == "control_change"]
    return bool(changes) and len(codings([one.value for one in changes if one.control == changes[0].control])) > 1


def _controllers(messages: Messages) -> Item:
    """The control behind the control changes of one channel."""
    values = [(one.control, one.value) for one in messages]
    numbers = dict(values)
    if NRPN_HIGH in numbers and NRPN_LOW in numbers and {DATA, DATA + LSB} & numbers.keys():
        return {"nrpn": numbers[NRPN_HIGH] << 7 | numbers[NRPN_LOW]}
    number = values[0][0]
    pair = next((n for n in (number, number - LSB) if 0 <= n < LSB and {n, n + LSB} <= numbers.keys()), None)
    if pair is not None:
        return {"cc14": pair}
    coded = codings([value for control, value in values if control == number])
    return {"cc": number, "relative": str(coded[0])} if coded else {"cc": number}


_CONTROLS: Mapping[str, Callable[[Messages], Item]] = {
    "note_on": lambda messages: {"note": messages[0].note},
    "program_change": lambda messages: {"program": messages[0].program},
    "control_change": _controllers,
    "pitchwheel": lambda messages: {"pitchbend": messages[0].channel + 1},
    "polytouch": lambda messages: {"aftertouch": messages[0].note},
    "aftertouch": lambda messages: {"aftertouch": "all"},
}


def _pressed(changes: Messages) -> bool:
    values = [one.value for one in changes if one.control == changes[0].control]
    return set(values) <= _BUTTON_VALUES and not codings(values)


def taught(text: str, path: Path, item: Item, names: ParamNames = TABLE) -> tuple[str, bool]:
    """The map's text with `item` in it, and True if it replaced an entry for the same address (and value).

    A replaced entry keeps its other settings where they still fit. Raises ConfigError when the map is broken before, or when
    `item` is not valid.
    """
    document = parse_yaml(text, path)
    read_map(document, names)
    entries: list[Item] = document.data["controls"]
    index = next((i for i, entry in enumerate(entries) if _same(entry, item)), None)
    if index is None:
        return _checked(_appended(text, document, item), path, names), False
    control_keys = (*KINDS, "channel", "relative", *(() if "relative" in item else ENCODER_KEYS))
    kept = {key: entry for key, entry in entries[index].items() if key not in control_keys}
    try:
        return _checked(_replaced(text, index, item | kept), path, names), True
    except ConfigError:  # a button has no curve, a fader no light
        return _checked(_replaced(text, index, item), path, names), True


def _same(entry: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    return entry["address"] == item["address"] and ("value" not in item or entry.get("value") == item["value"])


def _checked(text: str, path: Path, names: ParamNames) -> str:
    read_map(parse_yaml(text, path), names)
    return text


def _nodes(text: str) -> yaml.SequenceNode:
    """The list of controls, with its place in the text. The text has been read as a map before."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    controls = next(value for key, value in root.value if key.value == "controls")
    assert isinstance(controls, yaml.SequenceNode)
    return controls


def _replaced(text: str, index: int, item: Item) -> str:
    node = _nodes(text).value[index]
    return text[: node.start_mark.index] + _line(item) + text[_end(text, node) :]


def _appended(text: str, document: Document, item: Item) -> str:
    controls = _nodes(text)
    if not controls.value:  # `controls: []`
        return f"{text[: controls.start_mark.index].rstrip()}\n  - {_line(item)}{text[controls.end_mark.index :]}"
    end = _end(text, controls.value[-1])
    if controls.flow_style:
        return f"{text[:end]}, {_line(item)}{text[end:]}"
    indent = " " * controls.start_mark.column
    end = text.find("\n", end) if "\n" in text[end:] else len(text)  # behind the last entry's own comment
    return f"{text[:end]}\n{indent}- {_line(item)}{text[end:]}"


def _end(text: str, node: yaml.Node) -> int:
    """The end of the node's own text: YAML counts the blank lines and comments behind a block to it."""
    end: int = node.end_mark.index
    if not isinstance(node, yaml.CollectionNode) or node.flow_style:
        return end
    lines = text[node.start_mark.index : end].splitlines(keepends=True)
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return node.start_mark.index + len("".join(lines).rstrip())


def _line(item: Item) -> str:
    ordered = sorted(item.items(), key=lambda pair: ENTRY_KEYS.index(pair[0]))
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in ordered) + "}"


def _scalar(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_scalar(one)}" for key, one in value.items()) + "}"
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.removesuffix("...\n").strip()


def write(path: Path, text: str) -> None:
    """Replace the file, whole or not at all. Raises ConfigError when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; choose another file with --map") from error


def check_address(address: str, names: ParamNames = TABLE) -> None:
    """Raise ParamError, led by the option's name, for an unknown address."""
    try:
        target_of(address, names)
    except ParamError as error:
        raise ParamError(f"--learn: {error}") from error
