"""The chart: which channel of a light desk plays what.

It is one table. The manual's chart, the fixture for QLC+ and the CSV are made from it (`exports`), and so is what is played.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Literal, get_args

from sdv2_live.music.grid import Quantise

Mode = Literal["8bit", "16bit"]
MODES: tuple[Mode, ...] = ("8bit", "16bit")
ON = 128  # from here a switch is on
FULL = {False: 0xFF, True: 0xFFFF}  # a fader's highest level, without and with its fine channel


class Kind(Enum):
    """How a channel's level is meant."""

    FADER = "fader"
    SWITCH = "switch"
    BUTTON = "button"
    NUMBER = "number"
    BANDS = "bands"


@dataclass(frozen=True, slots=True)
class Function:
    """One row of the chart.

    Attributes:
        name: the parameter that it plays.
        label: a desk's word for it.
        high: a fader's value at full, in the parameter's unit; it is 0 at 0.
        unit: of that.
        fine: a fader has a second channel in the 16-bit mode.
        choices: of bands, from level 0 up.
    """

    name: str
    label: str
    kind: Kind
    high: float = 1.0
    unit: str = ""
    fine: bool = False
    choices: tuple[str, ...] = ()

    def value(self, raw: int, fine: bool) -> bool | int | float | str:
        """What to write for a reading; see `Layout.read`."""
        match self.kind:
            case Kind.FADER:
                return round(raw / FULL[fine] * self.high, 6)
            case Kind.BANDS:
                return self.choices[raw]
            case Kind.NUMBER:
                return raw
            case Kind.SWITCH | Kind.BUTTON:
                return bool(raw)

    def band(self, index: int) -> tuple[int, int]:
        """The lowest and the highest level of a choice."""
        count = len(self.choices)
        return -(-index * 256 // count), -(-(index + 1) * 256 // count) - 1


CHART: tuple[Function, ...] = (
    Function("noise_scale", "Noise", Kind.FADER, fine=True),
    Function("mix", "Mix", Kind.FADER, fine=True),
    Function("preset", "Preset", Kind.NUMBER),
    Function("morph_seconds", "Morph", Kind.FADER, high=25.5, unit="seconds"),
    Function("freeze", "Freeze", Kind.SWITCH),
    Function("bypass", "Bypass", Kind.SWITCH),
    Function("blackout", "Blackout", Kind.SWITCH),
    Function("reset", "Reset", Kind.BUTTON),
    Function("tempo/quantise", "Launch on", Kind.BANDS, choices=get_args(Quantise)),
    Function("mod/1/depth", "Depth 1", Kind.FADER, fine=True),
    Function("mod/2/depth", "Depth 2", Kind.FADER, fine=True),
)


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a mode. number: from 1. fine: it is the second, lower half of its function."""

    number: int
    function: Function
    fine: bool = False

    @property
    def label(self) -> str:
        """A desk's word for it."""
        return f"{self.function.label} fine" if self.fine else self.function.label


@dataclass(frozen=True)
class Layout:
    """The channels of a mode, in order."""

    mode: Mode
    channels: tuple[Channel, ...]

    def __len__(self) -> int:
        return len(self.channels)

    def fine(self, function: Function) -> bool:
        """True when a function has a fine channel here."""
        return self.mode == "16bit" and function.fine

    def read(self, levels: Sequence[int]) -> tuple[int | None, ...]:
        """What the levels of these channels, or of the first of them, say to each function of CHART; None: nothing.

        A fader says its level, a number too, a switch or button whether it is on, bands which one.
        """
        said: list[int | None] = []
        at = 0
        for function in CHART:
            width = 1 + self.fine(function)
            part = levels[at : at + width]
            said.append(_reading(function, part) if len(part) == width else None)
            at += width
        return tuple(said)


def _reading(function: Function, part: Sequence[int]) -> int:
    match function.kind:
        case Kind.FADER:
            return part[0] << 8 | part[1] if len(part) == 2 else part[0]
        case Kind.NUMBER:
            return part[0]
        case Kind.BANDS:
            return part[0] * len(function.choices) // 256
        case Kind.SWITCH | Kind.BUTTON:
            return int(part[0] >= ON)


@lru_cache
def layout(mode: Mode) -> Layout:
    """The channels of a mode."""
    both = [(function, fine) for function in CHART for fine in (False, True) if not fine or (mode == "16bit" and function.fine)]
    return Layout(mode, tuple(Channel(number, *one) for number, one in enumerate(both, 1)))
