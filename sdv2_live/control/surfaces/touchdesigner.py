"""A script that builds sdv2-live's component in TouchDesigner, made from the parameter table.

The script's template is assets/touchdesigner.py.in. The table is filled in here, as TouchDesigner's Python has no sdv2_live.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.params import PARAMS, Kind, ParamSpec
from sdv2_live.control.surfaces.places import place_of

TEMPLATE = Path(__file__).parents[2] / "assets" / "touchdesigner.py.in"
OWN_PARS = ("Host", "Port", "Feedbackport", "Sourcename", "Resultname", "Sendchop", "Subscribe", "Lasterror")  # of the script

_MAX_INT = 2**31 - 1  # of a custom parameter
_STYLES = {Kind.BOOL: "Toggle", Kind.FLOAT: "Float", Kind.CHOICE: "Menu", Kind.TRIGGER: "Pulse"}


def script(specs: Iterable[ParamSpec] = PARAMS.values()) -> str:
    """The whole script. Raises ValueError when two parameters would get one name."""
    rows = [row(spec) for spec in specs]
    taken = [*OWN_PARS, *(entry["par"] for entry in rows)]
    if twice := sorted({name for name in taken if taken.count(name) > 1}):
        raise ValueError(f"two parameters would be named {', '.join(twice)} in TouchDesigner")
    table = "\n".join(f"    {entry!r}," for entry in rows)
    return TEMPLATE.read_text(encoding="utf-8").replace("@TABLE@", table)


def row(spec: ParamSpec) -> dict[str, Any]:
    """One parameter in the form of the script's table."""
    style = _style(spec)
    entry: dict[str, Any] = {
        "address": ROOT + spec.name,
        "par": par_name(spec.name),
        "label": spec.name.replace("/", " ").replace("_", " ").title(),
        "page": {"strip": "Picture"}.get(place := place_of(spec), place.capitalize()),
        "style": style,
        "help": f"{spec.doc} OSC: {ROOT}{spec.name}",
    }
    if style in ("Float", "Int"):
        entry |= {"low": spec.low, "high": spec.high}
    if style == "Menu":
        entry["choices"] = list(spec.choices)
    if spec.kind in (Kind.TEXT, Kind.NAME):
        entry["empty"] = True  # is a value too: it clears the prompt
    if style != "Pulse":
        text = ", ".join(map(str, spec.default)) if isinstance(spec.default, tuple) else str(spec.default)
        entry["default"] = text if style == "Str" else spec.default
    return entry


def par_name(name: str) -> str:
    """The name of a custom parameter: one capital letter, then lower-case letters and digits."""
    plain = re.sub("[^A-Za-z0-9]", "", name)
    return plain.capitalize() if plain[:1].isalpha() else f"P{plain.lower()}"


def _style(spec: ParamSpec) -> str:
    if spec.kind is Kind.INT:  # larger numbers than a custom parameter holds are typed in
        return "Int" if spec.high is not None and spec.high <= _MAX_INT else "Str"
    return _STYLES.get(spec.kind, "Str")
