"""The address space as OSCQuery describes it: one JSON object a node, made from the parameter table.

Source: the OSCQuery proposal (github.com/Vidvox/OSCQueryProposal). Where it leaves a choice, clients decide:

- Its tree has values at the leaves alone; a node with both a value and children stops strict clients, and others show only one
  of the two. Where an address that takes a value lies above others (/sdv2/prompt, /sdv2/preset), the tree has a container, in
  which an alias takes that value (/sdv2/prompt/1/text, /sdv2/preset/name). A request for the address itself gets its own node.
- Every method has a VALUE, which strict clients read of each: null for an impulse.
- A boolean's VALUE is true or false (the proposal says nil, no client does), its TYPE the tag of that value.
- A MAX that the double of a JSON reader cannot hold is left out.
- `steps` is text such as "700,500": its length varies, a TYPE does not.
- HINTS is an attribute of our own, for the page: see `control.hints`. Clients leave out what they do not know.
- The scaled forms /norm and /midi of a number are named in its DESCRIPTION: as nodes they would triple the tree.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sdv2_live.control.hints import hints
from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.osc.addresses import ACTIONS, MIDI, MIDI_MAX, NORM, ROOT, scalable
from sdv2_live.control.osc.news import BEAT, METERS, MOVED
from sdv2_live.control.params import PARAMS, Kind, Params, ParamSpec, Value, value_of
from sdv2_live.control.params_mod import TARGETS

Node = dict[str, Any]

ATTRIBUTES = ("FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT", "CLIPMODE", "HINTS")
EXTENSIONS = ("ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT", "CLIPMODE", "HINTS", "LISTEN", "PATH_CHANGED")

NO_VALUE, READ, WRITE, READ_WRITE = range(4)  # of ACCESS
_MAX_INT32 = 2**31 - 1
_MAX_EXACT = 2**53  # of a double
_TYPES = {Kind.FLOAT: "f", Kind.TRIGGER: "I"}  # the others depend on value or range, or are text
_ACTION_VALUES: Mapping[str, bool | float | str] = {
    "mod/listen": True,
    "audio/listen": True,
    "prompt/expand": "",
    "preset/save": "",
    "preset/replace": "",
    "preset/picture": "",
    "timeline/seek": 0.0,
    "timeline/loop": True,
    "timeline/load": "",
    "timeline/record": False,
    "timeline/save": "",
    "takes/render": "",
    "tempo/clock": "",
}
_SCALED = f"Also at {NORM} as 0..1 and at {MIDI} as 0..{MIDI_MAX}, scaled to the range."
_BEAT = "Told at every beat: its number in the bar, from 1."
_METERS = "How loud the sound is, each 0..1: level, bass, middle, top, onset, kick."
_MOVED = "What modulation makes of {} now; the value of the fader where it does not move."
_RULE = f"The controls of the show. Numbers, switches and choices are also taken with {NORM} or {MIDI} behind the address."


def methods(
    params: Params,
    *,
    presets: Sequence[str] = (),
    status: Mapping[str, float | str] | None = None,
    moving: Mapping[str, Value] | None = None,
    levels: Sequence[float] = (),
    actions: Collection[str] = (),
    names: ParamNames = TABLE,
) -> dict[str, Node]:
    """Describe every address that takes or gives a value.

    Args:
        params: the current values.
        presets: names of presets.
        status: numbers and words of the running show.
        moving: effective values of the parameters that modulation moves now; None where nothing can move.
        levels: of the meters of the sound; none where nothing is heard.
        actions: names of the actions that this show carries out.
        names: the show's parameter names.

    Returns:
        Address to node.
    """
    found = {ROOT + name: _parameter(spec, name, value_of(params, spec), presets) for name, spec in _specs(names)}
    found |= {ROOT + name: _action(name) for name in actions}
    for name, value in (status or {}).items():
        text = isinstance(value, str)
        node = {"TYPE": "s" if text else "f", "ACCESS": READ, "DESCRIPTION": name, "VALUE": [value if text else float(value)]}
        found[f"{ROOT}{'info' if text else 'status'}/{name}"] = node
    if moving is not None:
        found |= {MOVED + name: _moved(spec, moving.get(spec.name, value_of(params, spec))) for name, spec in _targets(names)}
    if "tempo/clock" in actions:
        found[BEAT] = {"TYPE": "f", "ACCESS": READ, "DESCRIPTION": _BEAT, "VALUE": [(status or {}).get("beat", 1)]}
    if levels:
        found[METERS] = {"TYPE": "f" * len(levels), "ACCESS": READ, "DESCRIPTION": _METERS, "VALUE": list(levels)}
    return {address: {"FULL_PATH": address} | node for address, node in found.items()}


def tree(methods: Mapping[str, Node]) -> Node:
    """The root node with all nodes below it; an address above others is only a container."""
    root = _container("/", "sdv2-live")
    containers = {address[:end] for address in methods for end, char in enumerate(address) if char == "/"}
    for address, node in methods.items():
        if address not in containers:
            _put(root, address, node)
    root["CONTENTS"][ROOT.strip("/")]["DESCRIPTION"] = _RULE
    return root


def _specs(names: ParamNames) -> Iterator[tuple[str, ParamSpec]]:
    """The names that can be set, aliases included; of the LoRAs' scales only those of loaded, unmerged LoRAs."""
    for name, meant in ({name: name for name in PARAMS} | dict(names.aliases)).items():
        if PARAMS[meant].field != "lora_scales" or meant in names.named:
            yield name, PARAMS[meant]


def _targets(names: ParamNames) -> Iterator[tuple[str, ParamSpec]]:
    """The names of what modulation can move in this show."""
    for name in TARGETS:
        if PARAMS[name].field != "lora_scales" or name in names.named:
            yield from ((told, PARAMS[name]) for told in names.told(name))


def _moved(spec: ParamSpec, value: Value) -> Node:
    told = _value(value)
    tag = "s" if isinstance(told, str) else "f"
    return {"TYPE": tag, "ACCESS": READ, "DESCRIPTION": _MOVED.format(spec.name), "VALUE": [told]}


def _action(name: str) -> Node:
    value = _ACTION_VALUES.get(name)
    tag = {bool: "T" if value else "F", float: "f", str: "s"}.get(type(value), "I")
    return {"TYPE": tag, "ACCESS": WRITE, "DESCRIPTION": ACTIONS[name].doc, "VALUE": [value]}


def find(root: Node, path: str) -> Node | None:
    """The node at an OSC address, None when there is none."""
    node: Node | None = root
    for part in filter(None, path.split("/")):
        node = (node or {}).get("CONTENTS", {}).get(part)
    return node


def arguments(name: str, params: Params, names: ParamNames = TABLE) -> tuple[int | float | str, ...]:
    """The OSC arguments that stream a parameter's value: booleans as 1 and 0, as to every subscriber; `steps` as text."""
    value = _value(value_of(params, PARAMS[names.aliases.get(name, name)]))
    return (int(value) if isinstance(value, bool) else value,)


def _parameter(spec: ParamSpec, name: str, value: Value, presets: Sequence[str]) -> Node:
    node: Node = {
        "TYPE": _type(spec, value),
        "ACCESS": WRITE if spec.kind is Kind.TRIGGER else READ_WRITE,
        "DESCRIPTION": spec.doc,
    }
    node["VALUE"] = [None if spec.kind is Kind.TRIGGER else _value(value)]
    if scalable(spec) and spec.kind is not Kind.TRIGGER:
        node["DESCRIPTION"] += f" {_SCALED}"
    if spec.kind in (Kind.INT, Kind.FLOAT):
        assert spec.high is not None
        node["RANGE"] = [{"MIN": spec.low} | ({"MAX": spec.high} if spec.high <= _MAX_EXACT else {})]
        node["CLIPMODE"] = ["both"]
    choices = presets if spec.kind is Kind.PRESET else spec.choices
    if choices:
        node["RANGE"] = [{"VALS": list(choices)}]
    if spec.unit:
        node["UNIT"] = [spec.unit]
    node["HINTS"] = hints(spec, name)
    return node


def _type(spec: ParamSpec, value: Value) -> str:
    if spec.kind is Kind.BOOL:
        return "T" if value else "F"
    if spec.kind is Kind.INT:
        return "i" if spec.high is not None and spec.high <= _MAX_INT32 else "h"
    return _TYPES.get(spec.kind, "s")


def _value(value: Value) -> bool | int | float | str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


def _container(path: str, description: str) -> Node:
    return {"FULL_PATH": path, "ACCESS": NO_VALUE, "DESCRIPTION": description, "CONTENTS": {}}


def _put(root: Node, address: str, node: Node) -> None:
    """Insert `node` into the tree at its address, with the containers above it."""
    above, path = root, ""
    *parents, last = address.strip("/").split("/")
    for part in parents:
        path += f"/{part}"
        above = above["CONTENTS"].setdefault(part, _container(path, part))
    above["CONTENTS"][last] = node
