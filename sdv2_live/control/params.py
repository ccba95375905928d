"""The one parameter table.

Everything a performer can change while a show runs is a field of `Params` or one of the triggers below it. OSC, MIDI,
presets, timelines, the command line and the documentation are all generated from `PARAMS`; nothing lists parameters twice.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from sdv2_live.errors import ParamError

Value = bool | int | float | str | tuple[int, ...]

MAX_STEPS = 4
MAX_TIMESTEP = 1000


class Kind(Enum):
    """How a parameter's value is read and shown."""

    TEXT = "text"
    INT = "integer"
    FLOAT = "number"
    BOOL = "boolean"
    CHOICE = "choice"
    STEPS = "timesteps"
    TRIGGER = "trigger"


class Applies(Enum):
    """When a new value shows in the output."""

    AT_ONCE = "at once"
    NEXT_CHUNK = "next chunk"
    NEXT_RESET = "next reset"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One row of the table. `low` and `high` are the inclusive range of a number, or of a text's length in characters."""

    name: str
    kind: Kind
    default: Value
    doc: str
    applies: Applies = Applies.NEXT_CHUNK
    low: int | float | None = None
    high: int | float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    continuous: bool = False  # in-between values make sense: faders, morphs

    @property
    def expected(self) -> str:
        """What to give, in words, as error messages and the reference say it."""
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
                return f"one of {', '.join(self.choices)}"
            case Kind.STEPS:
                return f"1 to {MAX_STEPS} strictly descending integers 1..{MAX_TIMESTEP}, such as 700,500"
            case Kind.TRIGGER:
                return "no value, or any number but 0, to fire"


def _param(
    default: Any,
    *,
    doc: str,
    applies: Applies = Applies.NEXT_CHUNK,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    continuous: bool = False,
) -> Any:
    row = {"doc": doc, "applies": applies, "low": low, "high": high, "unit": unit, "continuous": continuous}
    return dataclasses.field(default=default, metadata=row)


DEFAULT_PROMPT = (
    "A hand-painted animation of a performer on a dark stage, thick confident brush strokes follow every movement, "
    "deep ultramarine and violet shadows, warm amber rim light along the hair and shoulders, drifting dust glitters in "
    "soft volumetric beams, rich oil texture with visible canvas grain, expressive face, fluid cloth, gentle depth of "
    "field, cinematic composition, highly detailed, steady camera, smooth continuous motion"
)


@dataclass(frozen=True, slots=True)
class Params:
    """One immutable snapshot of every parameter. The types below are the types of the table."""

    prompt: str = _param(DEFAULT_PROMPT, high=4000, doc="What the picture shall look like; long, detailed prompts do best.")
    seed: int = _param(42, low=0, high=2**63 - 1, doc="Seed of the noise; the same seed and input give the same output.")
    noise_scale: float = _param(
        0.7, low=0.0, high=1.0, continuous=True, doc="Noise mixed into the input: more noise, more prompt, less input."
    )
    noise_controller: bool = _param(True, doc="Lower the noise while the input moves fast (motion-aware noise controller).")
    steps: tuple[int, ...] = _param((700, 500), doc="Denoising timesteps; fewer are faster, more are cleaner.")
    prompt_change: Literal["soft", "cut"] = _param(
        "soft", doc="soft: a new prompt grows out of the running picture; cut: it starts from fresh caches."
    )
    transition_chunks: int = _param(
        0, low=0, high=64, unit="chunks", doc="Chunks over which a new prompt fades in; 0 is at once."
    )
    freeze: bool = _param(False, applies=Applies.AT_ONCE, doc="Hold the picture.")
    bypass: bool = _param(False, applies=Applies.AT_ONCE, doc="Send the input through unchanged.")
    blackout: bool = _param(False, applies=Applies.AT_ONCE, doc="Send black.")
    normalize_latents: bool = _param(
        False, applies=Applies.NEXT_RESET, doc="Normalise latents per channel after encoding; pair it with noise_scale 0.6."
    )
    adapt_sink_threshold: float = _param(
        0.2,
        low=-1.0,
        high=1.0,
        continuous=True,
        applies=Applies.NEXT_RESET,
        doc="Similarity below which a new frame replaces a sink of the cache; -1 keeps the sinks for ever.",
    )


_TRIGGERS = (
    ParamSpec("reset", Kind.TRIGGER, False, "Start again from empty caches and the first noise of the seed."),
)  # fmt: skip

_KINDS = {bool: Kind.BOOL, int: Kind.INT, float: Kind.FLOAT, str: Kind.TEXT, tuple[int, ...]: Kind.STEPS}


def _table() -> Mapping[str, ParamSpec]:
    hints = get_type_hints(Params)
    table = {}
    for field in dataclasses.fields(Params):
        hint = hints[field.name]
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        kind = Kind.CHOICE if choices else _KINDS[hint]
        default: Any = field.default
        table[field.name] = ParamSpec(field.name, kind, default, choices=choices, **field.metadata)
    return MappingProxyType(table | {spec.name: spec for spec in _TRIGGERS})


PARAMS: Mapping[str, ParamSpec] = _table()


def nearest(name: str, names: Iterable[str]) -> str:
    """'; did you mean ...?' for the closest of `names`, or an empty string when none is close."""
    close = difflib.get_close_matches(name[:100].lower(), list(names), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def spec_of(name: str, where: str = "") -> ParamSpec:
    """The table's row for `name`.

    Raises ParamError, naming the nearest parameter, when there is none. `where` (an address, a file and line) leads the message.
    """
    try:
        return PARAMS[name]
    except KeyError:
        prefix = f"{where}: " if where else ""
        hint = nearest(name, PARAMS) or f"; the parameters are {', '.join(PARAMS)}"
        raise ParamError(f"{prefix}there is no parameter '{name}'{hint}") from None
