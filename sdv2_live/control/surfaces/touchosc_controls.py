"""The controls of the TouchOSC layout: each is one or more nodes of the file, placed in a box and bound to an OSC address.

py2tosc writes the nodes; their properties are those of the TouchOSC manual (hexler.net/touchosc/manual). Local messages show a
sent value at once in other nodes, since the OSC server echoes a value to everybody but its sender.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from py2tosc import Control, LocalMessage, OscMessage, Partial, Trigger, Value

from sdv2_live.control.osc.addresses import ROOT
from sdv2_live.control.params import Keeps, Kind, ParamSpec

INK = "#e8ecf2"
DIM = "#8b95a5"
PANEL = "#1b2029"
BACK = "#0d1015"
CAPTION = 22  # points, height of the name above a control
GAP = 8
_NAMESPACE = uuid.UUID("5d9f2f0e-2d6b-5c0a-9a0e-7a3c5d4b1e60")  # ids are made from names: the same layout is the same file
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Box(NamedTuple):
    """A place inside the parent, in points."""

    x: float
    y: float
    w: float
    h: float

    def cut_top(self, height: float, gap: float = GAP) -> tuple[Box, Box]:
        """The uppermost `height` points, and the rest below a gap."""
        return Box(self.x, self.y, self.w, height), Box(self.x, self.y + height + gap, self.w, self.h - height - gap)

    def cut_left(self, width: float, gap: float = GAP) -> tuple[Box, Box]:
        """The leftmost `width` points, and the rest beyond a gap."""
        return Box(self.x, self.y, width, self.h), Box(self.x + width + gap, self.y, self.w - width - gap, self.h)

    def columns(self, count: int, gap: float = GAP) -> list[Box]:
        """`count` boxes of one width, side by side."""
        width = (self.w - gap * (count - 1)) / count
        return [Box(round(self.x + i * (width + gap), 2), self.y, round(width, 2), self.h) for i in range(count)]

    def rows(self, count: int, gap: float = GAP) -> list[Box]:
        """`count` boxes of one height, from the top."""
        height = (self.h - gap * (count - 1)) / count
        return [Box(self.x, round(self.y + i * (height + gap), 2), self.w, round(height, 2)) for i in range(count)]

    def grid(self, columns: int, rows: int) -> list[Box]:
        """Boxes of one size, row by row."""
        return [box for row in self.rows(rows) for box in row.columns(columns)]

    def inset(self, by: float) -> Box:
        """A box that is smaller by `by` on every side."""
        return Box(self.x + by, self.y + by, self.w - 2 * by, self.h - 2 * by)


def plain(text: str) -> str:
    """`text` in a form that the file can hold: no control characters, no end of a CDATA section, which py2tosc lets through."""
    return _NOT_XML.sub("", text).replace("]]>", "]] >")


def node(kind: str, name: str, box: Box, values: Sequence[Value], **properties: Any) -> Control:
    """One node of the file; `name` is unique in the layout."""
    return Control(
        kind,
        id=str(uuid.uuid5(_NAMESPACE, name)),
        name=name,
        frame=box,
        values=[Value("touch"), *values],
        **({"outline": False, "corner_radius": 4.0} | properties),
    )


def words(name: str, text: str, box: Box, **properties: Any) -> Control:
    """A fixed line of text."""
    style = {"background": False, "text_color": INK, "text_size": 14}
    return node("LABEL", name, box, [Value("text", default=plain(text), locked_default_current=True)], **(style | properties))


def live(name: str, address: str, box: Box, *, text: str = "", argument: int = 0, **properties: Any) -> Control:
    """A line that shows one argument of the server's messages to `address`."""
    label = words(name, text, box, **properties)
    skipped = [Partial("PROPERTY", "STRING", "tag") for _ in range(argument)]
    label.messages.append(_message(address, [*skipped, Partial("VALUE", "STRING", "text")], send=False))
    return label


def caption(spec: ParamSpec, box: Box, text: str = "") -> Control:
    """A parameter's name above its control."""
    return words(f"{spec.name} name", text or title(spec.name), box, text_color=DIM, text_size=13)


def title(name: str) -> str:
    """The name of a parameter as a performer reads it: `noise_scale` becomes NOISE SCALE."""
    return name.replace("/", " ").replace("_", " ").upper()


def fader(spec: ParamSpec, box: Box, accent: str, *, upright: bool = True, named: bool = True) -> list[Control]:
    """A fader over a number's range, with its value in figures. It stands upright below its name, or lies to the right of it."""
    assert spec.low is not None
    assert spec.high is not None
    integer = spec.kind is Kind.INT
    if upright:
        head, rest = box.cut_top(CAPTION, 4)
        track, foot = rest.cut_top(rest.h - 30, 4)
    else:
        head, rest = box.cut_left(168 if named else 0, GAP if named else 0)
        track, foot = rest.cut_left(rest.w - 72, 4)
    share = (float(spec.default) - spec.low) / (spec.high - spec.low)  # type: ignore[arg-type]  # a number's default is one
    scaled = Partial("VALUE", "INTEGER" if integer else "FLOAT", "x", spec.low, spec.high)
    figures = words(
        f"{spec.name} value", f"{spec.default:g}", foot, text_size=18, text_length=6, background=True, color=PANEL, font=1
    )
    control = node(
        "FADER",
        spec.name,
        track,
        [Value("x", default=share)],
        tag=spec.name,
        color=accent,
        orientation=0 if upright else 1,
        grid=upright,
        gridSteps=11,
        outline=True,
    )
    control.messages.append(_message(ROOT + spec.name, [scaled]))
    control.messages.append(
        LocalMessage(
            triggers=[Trigger("x")],
            type="VALUE",
            conversion=scaled.conversion,
            value="x",
            scale_min=spec.low,
            scale_max=spec.high,
            dst_type="VALUE",
            dst_var="text",
            dst_id=figures.id,
        )
    )
    return [*([caption(spec, head)] if named else []), control, figures]


def toggle(spec: ParamSpec, box: Box, accent: str) -> list[Control]:
    """A button that switches on and off, with its name on it; of a moment's parameter it is on while it is held."""
    button = node(
        "BUTTON",
        spec.name,
        box,
        [Value("x", default=float(bool(spec.default)))],
        tag=spec.name,
        color=accent,
        button_type=0 if spec.keeps is Keeps.MOMENT else 2,
        outline=True,
    )
    button.messages.append(_message(ROOT + spec.name, [Partial("VALUE", "INTEGER", "x", 0, 1)]))
    return [button, _face(spec.name, title(spec.name), box)]


def push(
    name: str,
    text: str,
    box: Box,
    address: str,
    argument: int | str | None,
    accent: str,
    *,
    shows: Control | None = None,
    size: int = 16,
) -> list[Control]:
    """A button that sends one message when it is pressed and nothing when it is released.

    shows: a label that takes the sent value.
    """
    button = node("BUTTON", name, box, [Value("x", default=0.0)], color=accent, outline=True)
    kind = "INTEGER" if isinstance(argument, int) else "STRING"
    arguments = [] if argument is None else [Partial("CONSTANT", kind, plain(str(argument)))]
    button.messages.append(_message(address, arguments, trigger="RISE", receive=False))
    if shows is not None:
        button.messages.append(
            LocalMessage(
                triggers=[Trigger("x", "RISE")],
                type="CONSTANT",
                conversion="STRING",
                value=plain(str(argument)),
                dst_type="VALUE",
                dst_var="text",
                dst_id=shows.id,
            )
        )
    return [button, _face(name, text, box, size)]


def selector(spec: ParamSpec, values: Sequence[int | str], box: Box, accent: str) -> list[Control]:
    """The current value and a button for each of `values`, for a choice or a number that suits no fader."""
    head, rest = box.cut_top(CAPTION, 4)
    name, now = head.columns(2, 4)
    default = ",".join(map(str, spec.default)) if isinstance(spec.default, tuple) else str(spec.default)
    state = live(
        f"{spec.name} value", ROOT + spec.name, now, text=default, tag=spec.name, text_color=accent, text_size=13, text_align_h=3
    )
    buttons = [
        push(f"{spec.name} {value}", _in_lines(str(value)), place, ROOT + spec.name, value, accent, shows=state, size=14)
        for value, place in zip(values, rest.columns(len(values), 4), strict=True)
    ]
    caption_left = caption(spec, name)
    caption_left.set("textAlignH", 1)
    return [caption_left, state, *(control for button in buttons for control in button)]


def paper(name: str, spec: ParamSpec, box: Box, *, size: int = 13, **properties: Any) -> Control:
    """A prompt, cut off where the box ends."""
    text = node(
        "TEXT",
        name,
        box,
        [Value("text", default=str(spec.default), locked_default_current=True)],
        color=PANEL,
        text_color=INK,
        text_size=size,
        text_align_h=1,
        outline=True,
        **properties,
    )
    text.messages.append(_message(ROOT + spec.name, [Partial("VALUE", "STRING", "text")], send=False))
    return text


def _in_lines(text: str) -> str:
    """A list as long as "1000,750,500,250", two numbers a line, and a name such as lora/1/scale, a part a line."""
    parts = text.split(",")
    return "\n".join(" ".join(parts[i : i + 2]) for i in range(0, len(parts), 2)).replace("/", "\n")


def _face(name: str, text: str, box: Box, size: int = 16) -> Control:
    return words(f"{name} face", text, box.inset(2), text_size=size)


def _message(
    address: str, arguments: list[Partial], *, send: bool = True, receive: bool = True, trigger: str = "ANY"
) -> OscMessage:
    return OscMessage(
        send=send,
        receive=receive,
        triggers=[Trigger("x", trigger)] if send else [],
        path=[Partial("CONSTANT", "STRING", address)],
        arguments=arguments,
    )
