"""Sizes and rates: what a camera offers, what was asked for, and the best of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

USUAL_SIZE = (720, 1280)  # height, width: no model paints more, and all cameras of today give it
FLUENT = Fraction(24)  # frames a second that look like motion
SAID = 8  # modes that a sentence names at most
_ASKED = re.compile(r"(?P<name>.*?)(?:@(?P<height>\d{1,5})x(?P<width>\d{1,5}))?(?:@(?P<rate>\d{1,3}(?:\.\d{1,4})?))?")


@dataclass(frozen=True, slots=True)
class Mode:
    """One kind of pictures that a camera gives.

    Attributes:
        rate: frames a second.
        format: libavdevice's name of its layout; empty where the system chooses.
        packed: it comes as JPEG or another codec and is decoded here.
    """

    height: int
    width: int
    rate: Fraction
    format: str = ""
    packed: bool = False

    def __str__(self) -> str:
        return f"{self.height}x{self.width}@{float(self.rate):.4g}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, as in `camera:NAME@HEIGHTxWIDTH@FPS`. size: (height, width); None where it is not said."""

    name: str
    size: tuple[int, int] | None = None
    rate: Fraction | None = None


def asked(text: str) -> Asked:
    """A camera's name with the mode after it; either may be missing."""
    match = _ASKED.fullmatch(text)
    assert match is not None  # the name may be any text
    size = (int(match["height"]), int(match["width"])) if match["height"] else None
    return Asked(match["name"].strip(), size, Fraction(match["rate"]) if match["rate"] else None)


def fitting(wanted: Asked, modes: Sequence[Mode]) -> list[Mode]:
    """The modes that give what was asked for, the best first: fluent, of about the usual size, and nothing to decode."""
    found = [
        mode
        for mode in modes
        if wanted.size in (None, (mode.height, mode.width)) and (wanted.rate is None or abs(mode.rate - wanted.rate) < 1)
    ]
    return sorted(found, key=_worth)


def _worth(mode: Mode) -> tuple[bool, bool, int, Fraction, bool]:
    pixels, usual = mode.height * mode.width, USUAL_SIZE[0] * USUAL_SIZE[1]
    small = pixels < usual
    return mode.rate < FLUENT, small, -pixels if small else pixels, abs(mode.rate - 30), mode.packed


def listed(modes: Sequence[Mode]) -> str:
    """The modes in words, the largest first, each size once with its highest rate."""
    best: dict[tuple[int, int], Mode] = {}
    for mode in modes:
        known = best.get((mode.height, mode.width))
        if known is None or known.rate < mode.rate:
            best[mode.height, mode.width] = mode
    found = sorted(best.values(), key=lambda mode: -mode.height * mode.width)
    return ", ".join(str(mode) for mode in found[:SAID]) + (" and others" if len(found) > SAID else "")
