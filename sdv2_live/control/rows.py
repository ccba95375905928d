"""A row of the parameter table: what a parameter is, and how the page shows it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import Any, cast

Value = bool | int | float | str | tuple[int, ...]

MAX_STEPS = 4
MAX_TIMESTEP = 1000


class Kind(Enum):
    """The type of a parameter's value, which decides how it is read and shown."""

    TEXT = "text"
    INT = "integer"
    FLOAT = "number"
    BOOL = "boolean"
    CHOICE = "choice"
    STEPS = "timesteps"
    PRESET = "preset"
    TRIGGER = "trigger"
    NAME = "name"


class Group(Enum):
    """The panel of the page on which a parameter is shown."""

    LOOK = "look"
    MOTION = "motion"
    PROMPTS = "prompts"
    SAFETY = "safety"
    MODEL = "model"
    TEMPO = "tempo"
    MOD = "mod"
    SOUND = "sound"
    FEEDBACK = "feedback"
    INPUT = "input"
    OUTPUT = "output"
    MORE = "more"


class Widget(Enum):
    """The control by which the page shows a parameter."""

    FADER = "fader"
    VALUE = "value"  # a number, with a bar that shows where it lies in its range
    SEED = "seed"  # a number, with dice, lock and the last ones
    SWITCH = "switch"
    KEY = "key"  # a large button that stays down
    CHOICE = "choice"
    TEXT = "text"
    STEPS = "steps"
    TILES = "tiles"
    TRIGGER = "trigger"


class Applies(Enum):
    """The time at which a new value shows in the output."""

    AT_ONCE = "at once"
    NEXT_CHUNK = "next chunk"
    NEXT_RESET = "next reset"


class Keeps(Enum):
    """Who keeps a parameter's value when the show is over, or another look is recalled."""

    LOOK = "look"  # presets, takes and recorded timelines, and the journal
    SESSION = "session"  # the journal alone: the value belongs to the evening, and no chunk is painted by it
    MOMENT = "moment"  # nobody: it acts when it is written


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One row of the table.

    Attributes:
        low: with `high` the inclusive range of a number, or of a text's length in characters.
        label: a performer's word for it, in which {} stands for the number within a family; empty for its name.
        rank: 1 is always on the screen, 2 on its panel, 3 in the list of all parameters alone.
        span: the part of the range that a fader covers; None for all of it.
        scaled: the part that /norm and /midi cover; None for all of it.
        strict: a number out of range is refused, and not brought into it: it would be as wrong there.
        prepares: it only says how something later is done, so it holds at once, whatever tempo/quantise says.
        widget: None for that of its kind.
    """

    name: str
    kind: Kind
    default: Value
    doc: str
    field: str = ""  # of `Params`; empty for a trigger
    index: int | None = None  # within that field, for one of an indexed family such as prompt/2/text
    applies: Applies = Applies.NEXT_CHUNK
    low: int | float | None = None
    high: int | float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    continuous: bool = False  # in-between values make sense: faders, morphs
    label: str = ""
    group: Group = Group.MORE
    rank: int = 3
    span: tuple[float, float] | None = None
    widget: Widget | None = None
    keeps: Keeps = Keeps.LOOK
    scaled: tuple[float, float] | None = None
    strict: bool = False
    prepares: bool = False

    @property
    def waits(self) -> bool:
        """True when a change by hand waits for the grid of tempo/quantise: everything of the look that is no fader."""
        return self.keeps is Keeps.LOOK and not (self.continuous or self.prepares)

    @property
    def kept(self) -> bool:
        """True when start values and the journal can hold the parameter; a trigger or a recall happens once."""
        return self.kind not in (Kind.TRIGGER, Kind.PRESET) and self.keeps is not Keeps.MOMENT

    @property
    def of_look(self) -> bool:
        """True when presets, takes and recorded timelines hold the parameter, too."""
        return self.kept and self.keeps is Keeps.LOOK

    @property
    def expected(self) -> str:
        """The allowed values in words, for error messages and the reference."""
        unit = f" {self.unit}" if self.unit else ""
        match self.kind:
            case Kind.TEXT:
                return f"text of at most {self.high} characters"
            case Kind.INT:
                return f"an integer {self.low}..{self.high}{unit}"
            case Kind.FLOAT:
                return f"a number {self.low:g}..{self.high:g}{unit}"
            case Kind.BOOL:
                return "true or false"
            case Kind.CHOICE:
                return f"one of {', '.join(_families(self.choices))}"
            case Kind.STEPS:
                return f"1 to {MAX_STEPS} strictly descending integers 1..{MAX_TIMESTEP}, such as 700,500"
            case Kind.PRESET:
                return "a preset's name or number"
            case Kind.NAME:
                return f"the name of a file without its ending, of at most {self.high} characters, or nothing"
            case Kind.TRIGGER:
                return "no value, or any number but 0, to fire"


def _families(names: Sequence[str]) -> Iterator[str]:
    """The names, those that differ by their number alone as one: lora/1..8/scale."""
    for pattern, group in groupby(names, lambda name: re.sub(r"/\d+/", "/{}/", name)):
        numbers = [re.sub(r"\D", "", name) for name in group]
        yield pattern.format(f"{numbers[0]}..{numbers[-1]}") if len(numbers) > 1 else pattern.format(numbers[0])


def param(
    default: Any,
    *,
    doc: str,
    applies: Applies = Applies.NEXT_CHUNK,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    continuous: bool = False,
    label: str = "",
    group: Group = Group.MORE,
    rank: int = 3,
    span: tuple[float, float] | None = None,
    widget: Widget | None = None,
    keeps: Keeps = Keeps.LOOK,
    scaled: tuple[float, float] | None = None,
    strict: bool = False,
    prepares: bool = False,
    name: str = "",
    family: str = "",
    first: int = 1,
    kind: Kind | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """One field of `Params`.

    Args:
        default: start value; with `family` a tuple of them.
        label: as the other columns in `ParamSpec`.
        name: of the row, where it is not the field's own, as in tempo/bpm.
        family: name pattern of a tuple field; its item i is the parameter `family.format(first + i)`.
        first: number of the family's first item.
        kind: for a type that does not determine the kind.
        choices: of a text that has to be one of them, where the type cannot say so.
    """
    row = {"doc": doc, "applies": applies, "low": low, "high": high, "unit": unit, "continuous": continuous}
    row |= {"label": label, "group": group, "rank": rank, "span": span, "widget": widget, "keeps": keeps}
    row |= {"scaled": scaled, "strict": strict, "prepares": prepares}
    place = {"name": name, "family": family, "first": first}
    return dataclasses.field(default=default, metadata={"row": row, **place, "kind": kind, "choices": choices})


def names_of(field: dataclasses.Field[Any]) -> tuple[str, ...]:
    """The names of the rows that a field of `Params` makes."""
    place, default = field.metadata, cast(Any, field.default)
    if not place["family"]:
        return (place["name"] or field.name,)
    return tuple(place["family"].format(place["first"] + index) for index in range(len(default)))
