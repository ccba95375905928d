"""The address space as OSCQuery describes it: one JSON object a node, made from the parameter table.

Source: the OSCQuery proposal (github.com/Vidvox/OSCQueryProposal). Where it leaves room, clients decide:

- A node that has both a value and children is shown by some as a container alone. So the first prompt slot is also
  /sdv2/prompt/1/text, and the actions under /sdv2/preset/ are left out.
- A boolean's VALUE is true or false (the proposal says nil, no client does), its TYPE the tag of that value.
- A MAX that the double of a JSON reader cannot hold is left out.
- `steps` is text such as "700,500": its length varies, a TYPE does not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sdv2_live.control.addresses import ACTIONS, ROOT
from sdv2_live.control.names import TABLE, Names
from sdv2_live.control.params import PARAMS, Kind, Params, ParamSpec, Value, value_of

Node = dict[str, Any]

ATTRIBUTES = ("FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT", "CLIPMODE")
EXTENSIONS = ("ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT", "CLIPMODE", "LISTEN", "PATH_CHANGED")

NO_VALUE, READ, WRITE, READ_WRITE = range(4)  # of ACCESS
_MAX_INT32 = 2**31 - 1
_MAX_EXACT = 2**53  # of a double
_TYPES = {Kind.FLOAT: "f", Kind.TRIGGER: "I"}  # the others depend on value or range, or are text
_ACTION_TYPES = {"timeline/play": "I", "timeline/stop": "I", "timeline/next": "I", "timeline/seek": "f", "timeline/loop": "T"}


def tree(
    params: Params,
    *,
    presets: Sequence[str] = (),
    status: Mapping[str, float | str] | None = None,
    actions: Collection[str] = (),
    names: Names = TABLE,
) -> Node:
    """The root node with all below it.

    presets: what can be recalled. status: numbers and words of the running show. actions: those that this show carries out.
    names: what it calls its parameters.
    """
    root = _container("/", "sdv2-live")
    for name, spec in (dict(PARAMS) | {alias: PARAMS[name] for alias, name in names.aliases.items()}).items():
        _put(root, ROOT + name, _parameter(spec, value_of(params, spec), presets))
    for name in actions:
        if name in _ACTION_TYPES:
            _put(root, ROOT + name, {"TYPE": _ACTION_TYPES[name], "ACCESS": WRITE, "DESCRIPTION": ACTIONS[name].doc})
    for name, value in (status or {}).items():
        text = isinstance(value, str)
        node = {"TYPE": "s" if text else "f", "ACCESS": READ, "VALUE": [value if text else float(value)], "DESCRIPTION": name}
        _put(root, f"{ROOT}{'info' if text else 'status'}/{name}", node)
    return root


def find(root: Node, path: str) -> Node | None:
    """The node at an OSC address, None when there is none."""
    node: Node | None = root
    for part in filter(None, path.split("/")):
        node = (node or {}).get("CONTENTS", {}).get(part)
    return node


def arguments(name: str, params: Params, names: Names = TABLE) -> tuple[int | float | str, ...]:
    """The OSC arguments that stream a parameter's value: booleans as 1 and 0, as to every subscriber; `steps` as text."""
    value = _value(value_of(params, PARAMS[names.aliases.get(name, name)]))
    return (int(value) if isinstance(value, bool) else value,)


def _parameter(spec: ParamSpec, value: Value, presets: Sequence[str]) -> Node:
    node: Node = {
        "TYPE": _type(spec, value),
        "ACCESS": WRITE if spec.kind is Kind.TRIGGER else READ_WRITE,
        "DESCRIPTION": spec.doc,
    }
    if spec.kind is not Kind.TRIGGER:
        node["VALUE"] = [_value(value)]
    if spec.kind in (Kind.INT, Kind.FLOAT):
        assert spec.high is not None
        node["RANGE"] = [{"MIN": spec.low} | ({"MAX": spec.high} if spec.high <= _MAX_EXACT else {})]
        node["CLIPMODE"] = ["both"]
    choices = presets if spec.kind is Kind.PRESET else spec.choices
    if choices:
        node["RANGE"] = [{"VALS": list(choices)}]
    if spec.unit:
        node["UNIT"] = [spec.unit]
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
    """Hang `node` into the tree at its address, making the containers above it."""
    above, path = root, ""
    *parents, last = address.strip("/").split("/")
    for part in parents:
        path += f"/{part}"
        above = above.setdefault("CONTENTS", {}).setdefault(part, _container(path, part))
    known = above.setdefault("CONTENTS", {}).get(last, {})
    above["CONTENTS"][last] = known | {"FULL_PATH": address} | node
