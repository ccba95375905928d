"""The rows of the parameter table for the frame before and after the painting, and for the painting that is fed back into it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from sdv2_live.control.rows import Group, Kind, param

MAX_FEEDBACK = 0.95  # of the picture before; with all of it no input would ever come through
MAX_LUT_NAME = 64

Border = Literal["black", "clamp", "mirror", "wrap"]

_feedback = partial(param, group=Group.FEEDBACK)


def _number(group: Group, name: str, default: float, low: float, high: float, doc: str, unit: str = "") -> Any:
    """A colour's row, before or after the painting."""
    return param(
        default,
        name=f"{group.value}/{name}",
        low=low,
        high=high,
        unit=unit,
        continuous=True,
        doc=doc,
        label=f"{group.value.capitalize()} {name}",
        group=group,
    )


def _turned(group: Group, name: str, doc: str) -> Any:
    return param(False, name=f"{group.value}/{name}", doc=doc, label=f"{group.value.capitalize()} {name}", group=group)


@dataclass(frozen=True)
class FrameParams:
    """Feedback, and the look of the frame that goes in and of the picture that comes out."""

    feedback: float = _feedback(
        0.0,
        low=0.0,
        high=MAX_FEEDBACK,
        continuous=True,
        doc="Share of the last painted picture, moved as below, in the input; in text mode the share of it that a new picture "
        "starts from. 0 costs nothing; the picture before goes with a reset or a cut.",
        rank=2,
    )
    feedback_zoom: float = _feedback(
        1.0,
        name="feedback/zoom",
        low=0.75,
        high=1.5,
        continuous=True,
        doc="The fed picture grows by this factor a frame; below 1 it shrinks.",
        label="Zoom",
        rank=2,
        span=(0.9, 1.1),
    )
    feedback_rotate: float = _feedback(
        0.0,
        name="feedback/rotate",
        low=-10.0,
        high=10.0,
        unit="degrees",
        continuous=True,
        doc="The fed picture turns by so much a frame, above 0 clockwise.",
        label="Rotate",
        rank=2,
        span=(-3.0, 3.0),
    )
    feedback_x: float = _feedback(
        0.0,
        name="feedback/x",
        low=-0.25,
        high=0.25,
        continuous=True,
        doc="The fed picture moves to the right by this share of its width a frame.",
        label="Shift x",
        span=(-0.05, 0.05),
    )
    feedback_y: float = _feedback(
        0.0,
        name="feedback/y",
        low=-0.25,
        high=0.25,
        continuous=True,
        doc="The fed picture moves down by this share of its height a frame.",
        label="Shift y",
        span=(-0.05, 0.05),
    )
    feedback_hue: float = _feedback(
        0.0,
        name="feedback/hue",
        low=-30.0,
        high=30.0,
        unit="degrees",
        continuous=True,
        doc="The fed picture's colours turn by so much a frame.",
        label="Hue a frame",
        rank=2,
    )
    feedback_border: Border = _feedback(  # noqa: RUF009 (a field, as all here)
        "mirror",
        name="feedback/border",
        doc="What lies beyond the fed picture's edges: black, its last pixels, its mirror image, or it again (wrap).",
        label="Border",
    )

    input_brightness: float = _number(
        Group.INPUT, "brightness", 0.0, -1.0, 1.0, "Added to the input before it is painted: 1 makes all of it white."
    )
    input_contrast: float = _number(Group.INPUT, "contrast", 1.0, 0.0, 2.0, "Contrast of the input, about middle grey.")
    input_saturation: float = _number(Group.INPUT, "saturation", 1.0, 0.0, 2.0, "Strength of the input's colours: 0 is grey.")
    input_hue: float = _number(Group.INPUT, "hue", 0.0, -180.0, 180.0, "Turns the input's colours.", "degrees")
    input_mirror: bool = _turned(Group.INPUT, "mirror", "Swap left and right of the input.")
    input_flip: bool = _turned(Group.INPUT, "flip", "Turn the input upside down.")

    output_brightness: float = _number(
        Group.OUTPUT, "brightness", 0.0, -1.0, 1.0, "Added to the painted picture: 1 makes all of it white."
    )
    output_contrast: float = _number(
        Group.OUTPUT, "contrast", 1.0, 0.0, 2.0, "The painted picture's contrast, about middle grey."
    )
    output_saturation: float = _number(
        Group.OUTPUT, "saturation", 1.0, 0.0, 2.0, "Strength of the painted picture's colours: 0 is grey."
    )
    output_hue: float = _number(Group.OUTPUT, "hue", 0.0, -180.0, 180.0, "Turns the painted picture's colours.", "degrees")
    output_mirror: bool = _turned(Group.OUTPUT, "mirror", "Swap left and right of the painted picture.")
    output_flip: bool = _turned(Group.OUTPUT, "flip", "Turn the painted picture upside down.")
    output_lut: str = param(
        "",
        name="output/lut",
        kind=Kind.NAME,
        high=MAX_LUT_NAME,
        doc="Colours of the painted picture by a look-up table: the name of a .cube file in output.luts, without .cube; nothing "
        "for none.",
        label="LUT",
        group=Group.OUTPUT,
    )
