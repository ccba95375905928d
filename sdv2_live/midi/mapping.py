"""One entry of a map: its control, its OSC address, and the arguments that a position or a press sends there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sdv2_live.control.coerce import coerce
from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.osc.addresses import ACTIONS, MIDI, MIDI_MAX, NORM, ROOT, Setting, resolve, scalable
from sdv2_live.control.params import PARAMS, Kind, ParamSpec, Value
from sdv2_live.errors import ParamError
from sdv2_live.midi.highres import MAX14
from sdv2_live.midi.relative import Coding
from sdv2_live.wording import nearest

STEP = 0.01  # of a fader's way, that one step of an encoder makes


class Act(StrEnum):
    """The effect of a control on its address."""

    VALUE = "value"  # a fader or knob: its position
    TRIGGER = "trigger"  # a press fires
    TOGGLE = "toggle"  # a press changes between value and off
    HOLD = "hold"  # value while held, then off
    SET = "set"  # a press sends value


@dataclass(frozen=True, slots=True)
class Control:
    """A physical control: fader, knob, encoder, button or key.

    Attributes:
        number: 0..127, of an NRPN 0..16383; None for any program, for the pressure of a whole channel, and for a pitch bend.
        channel: 0..15, None for every channel.
        relative: the coding of an encoder's steps.
    """

    kind: str  # note | cc | cc14 | nrpn | pitchbend | aftertouch | program
    number: int | None
    channel: int | None
    relative: Coding | None = None

    def __str__(self) -> str:
        on = "" if self.channel is None else f" on channel {self.channel + 1}"
        return f"{self.kind} {'all' if self.number is None else self.number}{on}"

    @property
    def most(self) -> int:
        """The value at the upper end."""
        return MAX14 if self.kind in ("cc14", "nrpn", "pitchbend") else MIDI_MAX


@dataclass(frozen=True, slots=True)
class Target:
    """An OSC address: one of the parameter `spec`, in its plain form or scaled (/norm, /midi), or of an action."""

    address: str
    spec: ParamSpec | None
    form: str = ""

    def meant(self, argument: Any) -> Value | None:
        """The parameter's value when `argument` is sent; None when only the daemon can know it."""
        args = tuple(argument) if isinstance(argument, list | tuple) else (argument,)
        try:
            setting = resolve(self.address, args)
            return coerce(PARAMS[setting.name], setting.value).value if isinstance(setting, Setting) else None
        except ParamError:  # a word such as seed's "random"
            return None


def target_of(address: str, names: ParamNames = TABLE) -> Target:
    """The target of `address`; a LoRA named in it becomes the table's own address. `names` are those of the show.

    Raises:
        ParamError: the daemon does not know the address; suggests the nearest.
    """
    name = address.removeprefix(ROOT) if address.startswith(ROOT) else ""
    if name in ACTIONS:
        return Target(address, None)
    if spec := names.find(name):
        return Target(address if name in TABLE.aliases else ROOT + spec.name, spec)
    form = name[-len(NORM) :]
    if form in (NORM, MIDI) and (spec := names.find(name[: -len(form)])):
        if not scalable(spec):
            raise ParamError(f"{spec.name} is no number to scale; use {ROOT}{spec.name}")
        return Target(ROOT + spec.name + form, spec, form)
    if reason := names.refusal(name.removesuffix(form) if form in (NORM, MIDI) else name):
        raise ParamError(f"{reason}; give the show's --config")
    known = [ROOT + known for known in (*names, *ACTIONS)]
    known += [ROOT + known + NORM for known in names if (spec := names.find(known)) and scalable(spec)]
    raise ParamError(
        f"there is no address '{address}'{nearest(address, known) or f'; addresses look like {ROOT}noise_scale/norm'}"
    )


def full_range(target: Target) -> tuple[float, float] | None:
    """The arguments of a fader's two ends when the map gives no range; None where a position has no meaning."""
    spec = target.spec
    if target.form:
        return 0.0, 1.0 if target.form == NORM else float(MIDI_MAX)
    if spec is None or spec.kind not in _ENDS:
        return None
    low, high = _ENDS[spec.kind](spec)
    return (low, high) if high - low <= _MAX_SPAN else None


_MAX_SPAN = 1_000_000  # a fader over 63 bits of seed reaches next to none of them
_ENDS: Mapping[Kind, Any] = MappingProxyType(
    {
        Kind.FLOAT: lambda spec: (float(spec.low), float(spec.high)),
        Kind.INT: lambda spec: (float(spec.low), float(spec.high)),
        Kind.BOOL: lambda spec: (0.0, 1.0),
        Kind.CHOICE: lambda spec: (0.0, float(len(spec.choices) - 1)),
    }
)


@dataclass(frozen=True, slots=True)
class Light:
    """Values 0..127 for a button's LED: the velocity of a note, or the value of a CC. Colours are the controller's own."""

    on: int
    off: int = 0


@dataclass(frozen=True, slots=True, eq=False)  # by identity: an entry is a key
class Entry:
    """One line of a map.

    Attributes:
        value: OSC argument of a press.
        off: OSC argument of a release.
        low: OSC argument of a fader's lower end; may be above `high`.
        high: OSC argument of its upper end.
        curve: exponent over the fader's way; above 1 the low end is finer.
        pickup: the fader takes hold only where the value is.
        feedback: the value's position is sent to the control, for motor faders and LED rings.
        by: the share of a fader's way that one step of an encoder makes.
    """

    control: Control
    target: Target
    act: Act
    value: Any = None
    off: Any = None
    low: float = 0.0
    high: float = 1.0
    curve: float = 1.0
    pickup: bool = False
    feedback: bool = False
    by: float = STEP
    light: Light | None = None

    @property
    def name(self) -> str:
        """The parameter whose value this entry moves and shows; empty for an action."""
        return self.target.spec.name if self.target.spec else ""

    def argument(self, position: float) -> int | float:
        """The argument for a fader at `position` 0..1."""
        value: float = self.low + position**self.curve * (self.high - self.low)
        spec = self.target.spec
        if self.target.form or (spec is not None and spec.kind is Kind.FLOAT):
            return value
        return int(value >= 0.5) if spec is not None and spec.kind is Kind.BOOL else round(value)

    def position(self, value: Value) -> float:
        """The position 0..1 of a fader when its parameter has `value`: the inverse of `argument`."""
        span = self.high - self.low
        share = (_number(self.target, value) - self.low) / span if span else 0.0
        return float(min(max(share, 0.0), 1.0) ** (1 / self.curve))

    def unit(self) -> float:
        """The share of a fader's way, 0..1, between two values of a parameter in whole steps; 0 for one without steps."""
        spec = self.target.spec
        if spec is None or spec.kind is Kind.FLOAT or self.high == self.low:
            return 0.0
        one, other = (spec.choices[0], spec.choices[1]) if spec.kind is Kind.CHOICE else (0, 1)
        return abs(_number(self.target, other) - _number(self.target, one)) / abs(self.high - self.low)

    def shows_on(self, value: Value | None) -> bool:
        """True when the parameter's `value` is the one that this button stands for."""
        meant = True if self.value is None else self.target.meant(self.value)
        return value is not None and meant is not None and same(meant, value)


def same(one: Value, other: Value) -> bool:
    """Compare like ==, but tolerate OSC's 32-bit floats and the case of names."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-6)
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return one == other


def _number(target: Target, value: Value) -> float:
    """`value` in the terms of the target's address."""
    spec = target.spec
    assert spec is not None
    if spec.kind is Kind.CHOICE:
        index = spec.choices.index(str(value)) if value in spec.choices else 0
        value = (index + 0.5) / len(spec.choices) if target.form else index
    elif target.form and spec.kind is not Kind.BOOL:
        low, high = spec.scaled or (spec.low, spec.high)
        assert low is not None
        assert high is not None
        value = (_plain(value) - low) / (high - low)
    return _plain(value) * (MIDI_MAX if target.form == MIDI else 1)


def _plain(value: Value) -> float:
    return float(value) if isinstance(value, bool | int | float) else 0.0
