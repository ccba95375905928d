"""The chart for people and other programs: rows, CSV, and the definition of a fixture for QLC+."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree

from sdv2_live.music.dmx.chart import MODES, ON, Channel, Function, Kind, Mode, layout

MANUFACTURER, MODEL = "sdv2-live", "Show"
MODE_NAMES: dict[Mode, str] = {"8bit": "8 bit", "16bit": "16 bit"}
_QXF_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE FixtureDefinition>\n'
_XMLNS = "http://www.qlcplus.org/FixtureDefinition"


class Range(NamedTuple):
    """What the levels low..high of a channel mean."""

    low: int
    high: int
    meaning: str


class Row(NamedTuple):
    """One channel: its number in each mode, empty where it is not there."""

    label: str
    in_8bit: str
    in_16bit: str
    address: str
    meaning: str


def ranges(channel: Channel) -> tuple[Range, ...]:
    """The meaning of all levels, from 0 to 255."""
    function = channel.function
    if channel.fine:
        return (Range(0, 255, f"lower half of {function.label}"),)
    match function.kind:
        case Kind.FADER:
            unit = f" {function.unit}" if function.unit else ""
            return (Range(0, 255, f"0 to {function.high:g}{unit}"),)
        case Kind.NUMBER:
            return Range(0, 0, "none"), Range(1, 255, f"{function.label.lower()} of that number")
        case Kind.BANDS:
            return tuple(Range(*function.band(place), choice) for place, choice in enumerate(function.choices))
        case Kind.SWITCH:
            return Range(0, ON - 1, "off"), Range(ON, 255, "on")
        case Kind.BUTTON:
            return Range(0, ON - 1, "nothing"), Range(ON, 255, f"{function.label.lower()}, once as it comes here")


def rows() -> Iterator[Row]:
    """The chart, in the order of the 16-bit mode, which has every channel."""
    numbers = {mode: {channel.label: channel.number for channel in layout(mode).channels} for mode in MODES}
    for channel in layout("16bit").channels:
        short, long = (str(numbers[mode].get(channel.label, "")) for mode in MODES)
        meaning = ", ".join(
            one.meaning if (one.low, one.high) == (0, 255) else f"{_levels(one)} {one.meaning}" for one in ranges(channel)
        )
        yield Row(channel.label, short, long, f"/sdv2/{channel.function.name}", meaning)


def markdown() -> str:
    """The chart as a Markdown table."""
    lines = ["| channel | 8 bit | 16 bit | plays | levels |", "|---|---|---|---|---|"]
    lines += [f"| {row.label} | {row.in_8bit} | {row.in_16bit} | `{row.address}` | {row.meaning} |" for row in rows()]
    return "\n".join(lines)


def chart_csv() -> str:
    """A line for each range of levels of each channel of each mode."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("mode", "channel", "name", "from", "to", "meaning", "address"))
    for mode in MODES:
        for channel in layout(mode).channels:
            for one in ranges(channel):
                writer.writerow((MODE_NAMES[mode], channel.number, channel.label, *one, f"/sdv2/{channel.function.name}"))
    return out.getvalue()


def qxf(version: str) -> bytes:
    """The definition of the fixture for QLC+ 4, a .qxf file. version: of this program."""
    root = ElementTree.Element("FixtureDefinition", xmlns=_XMLNS)
    creator = ElementTree.SubElement(root, "Creator")
    for name, value in (("Name", "sdv2-live"), ("Version", version), ("Author", "The sdv2-live developers")):
        ElementTree.SubElement(creator, name).text = value
    for name, value in (("Manufacturer", MANUFACTURER), ("Model", MODEL), ("Type", "Effect")):
        ElementTree.SubElement(root, name).text = value
    for channel in layout("16bit").channels:
        element = ElementTree.SubElement(root, "Channel", Name=channel.label)
        ElementTree.SubElement(element, "Group", Byte=str(int(channel.fine))).text = _group(channel.function)
        for low, high, meaning in ranges(channel):
            ElementTree.SubElement(element, "Capability", Min=str(low), Max=str(high)).text = meaning
    for mode in MODES:
        element = ElementTree.SubElement(root, "Mode", Name=MODE_NAMES[mode])
        for channel in layout(mode).channels:
            ElementTree.SubElement(element, "Channel", Number=str(channel.number - 1)).text = channel.label
    ElementTree.indent(root, " ")
    return (_QXF_HEAD + ElementTree.tostring(root, encoding="unicode") + "\n").encode()


def _levels(one: Range) -> str:
    return str(one.low) if one.low == one.high else f"{one.low} to {one.high}"


def _group(function: Function) -> str:
    """What sort of channel QLC+ takes it for."""
    return {Kind.FADER: "Effect", Kind.NUMBER: "Effect", Kind.BANDS: "Speed"}.get(function.kind, "Maintenance")
