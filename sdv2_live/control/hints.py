"""Hints for whoever draws controls: how the page, and any other client, may show a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdv2_live.control.params import Kind, ParamSpec
from sdv2_live.control.rows import Widget

_WIDGETS = {
    Kind.TEXT: Widget.TEXT,
    Kind.BOOL: Widget.SWITCH,
    Kind.CHOICE: Widget.CHOICE,
    Kind.STEPS: Widget.STEPS,
    Kind.PRESET: Widget.TILES,
    Kind.TRIGGER: Widget.TRIGGER,
    Kind.NAME: Widget.TEXT,
}


def hints(spec: ParamSpec, name: str) -> Mapping[str, Any]:
    """The hints of a row, by names that JSON takes. name: the one by which the parameter is shown, which may be an alias."""
    default = spec.default
    longest = {"length": spec.high} if spec.kind in (Kind.TEXT, Kind.NAME) else {}
    return {
        "default": None if spec.kind is Kind.TRIGGER else ",".join(map(str, default)) if isinstance(default, tuple) else default,
        "label": _label(spec, name),
        "group": spec.group.value,
        "rank": spec.rank,
        "span": list(spec.span) if spec.span else None,
        "widget": (spec.widget or _widget(spec)).value,
        "applies": spec.applies.value,
        **longest,
    }


def _label(spec: ParamSpec, name: str) -> str:
    """A LoRA's own name where it has one, else the row's label, else the name's last part."""
    middle = name.split("/")[-2:-1]
    if spec.index is not None and middle and not middle[0].isdecimal():
        return middle[0]
    if spec.label:
        return spec.label.format(*middle)
    return spec.name.rpartition("/")[2].replace("_", " ").capitalize()


def _widget(spec: ParamSpec) -> Widget:
    if spec.kind in (Kind.INT, Kind.FLOAT):
        return Widget.FADER if spec.continuous else Widget.VALUE
    return _WIDGETS[spec.kind]
