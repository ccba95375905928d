"""Conversion of values from controllers and files: tolerant of their type, strict about their meaning.

TouchDesigner's OSC Out CHOP sends floats only, MIDI sends integers, text fields send strings: all of them may mean the same
value. A value with a clear meaning is accepted, one out of range is clamped with a note, any other is refused with a ParamError.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.params import MAX_STEPS, MAX_TIMESTEP, Keeps, Kind, ParamSpec, Value
from sdv2_live.errors import MAX_PROBLEMS, ParamError
from sdv2_live.wording import shown
from sdv2_live.yamlfile import CUT, Written

log = logging.getLogger("sdv2_live.control")

_TRUE = {"true", "on", "yes"}
_FALSE = {"false", "off", "no"}
_NAME = re.compile(r"\w[\w .+-]*")


class Coerced(NamedTuple):
    """A value of the parameter's own type, and a sentence on the clamping (empty when nothing was clamped)."""

    value: Value
    note: str = ""


class _RefusedError(ValueError):
    """The value has no meaning for the parameter; the text gives the reason when `expected` alone would not."""


def coerce(spec: ParamSpec, value: Any, where: str = "") -> Coerced:
    """Convert `value` to the type of the parameter `spec`.

    Accepts the type itself, bool, int, float, a numeric string, and a sequence of one of these; for `steps` also several
    numbers or "700,500"; for a choice also its position from 0, as number-only controllers send it; for a trigger any number.

    Args:
        spec: the parameter.
        value: as a controller or a file gave it.
        where: its address or its place in a file; leads the error message.

    Raises:
        ParamError: anything else, NaN and infinities included.
    """
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    try:
        return _READERS[spec.kind](spec, value)
    except _RefusedError as reason:
        prefix = f"{where}: " if where else ""
        why = f" ({reason})" if str(reason) else ""
        raise ParamError(f"{prefix}{spec.name} cannot be {shown(value)}{why}; give {spec.expected}") from None


def exact(spec: ParamSpec, value: Any, where: str = "") -> Value:
    """Convert like `coerce`, but refuse a value that would be clamped: the author of a file can correct it. Raises ParamError."""
    read, note = coerce(spec, value, where)
    if note:
        prefix = f"{where}: " if where else ""
        raise ParamError(f"{prefix}{spec.name} cannot be {shown(value)}; give {spec.expected}")
    return read


def read_params(
    given: Mapping[str, Any],
    where: Callable[[str], str],
    *,
    happenings: bool = False,
    session: bool = True,
    names: ParamNames = TABLE,
    written: Mapping[str, Written] = MappingProxyType({}),
) -> tuple[dict[str, Value], list[str]]:
    """Check the parameters that a file gives.

    Args:
        given: values by parameter name.
        where: returns a name's place in the file, for messages.
        happenings: accept triggers and preset recalls; start values and presets may hold values only.
        session: accept what belongs to the session; no preset may move that.
        names: the show's parameter names.
        written: the literal text of values in the file, for texts that look like numbers, such as 1984.

    Returns:
        The usable values, and a sentence on each of the others. After MAX_PROBLEMS mistakes the rest is not read.
    """
    values: dict[str, Value] = {}
    problems: list[str] = []
    for name, value in given.items():
        if len(problems) > MAX_PROBLEMS:
            break
        try:
            spec = names.spec(name, where(name))
            if not spec.kept and not happenings:
                raise ParamError(f"{where(name)}: {name} happens once and has no value to keep here; leave it out")
            if spec.keeps is Keeps.SESSION and not session:
                raise ParamError(f"{where(name)}: {name} belongs to the session, and no preset moves it; leave it out")
            if spec.kind in (Kind.TEXT, Kind.PRESET, Kind.NAME):
                value = _as_written(name, value, written.get(name), where)
            values[spec.name] = exact(spec, names.meant(spec, value), where(name))
        except ParamError as error:
            comma = "; a text with a comma in it needs quotes" if value is None and not names.find(name) else ""
            problems.append(str(error) + comma)
    return values, problems


def _as_written(name: str, value: Any, written: Written | None, where: Callable[[str], str]) -> Any:
    """The literal text of a value that is unquoted in its file. Raises ParamError when YAML reads it as a list or nothing."""
    if written is None and isinstance(value, list | dict):
        raise ParamError(f"{where(name)}: {name} cannot be a list; put a text that begins with a bracket in quotes")
    if written and not written.text:
        raise ParamError(
            f"{where(name)}: {name} has no value, as the # begins a comment; put a text that begins with # in quotes"
        )
    if written and written.cut:
        log.warning("%s: %s", where(name), CUT.format(name))
    return written.text if written else value


def _number(value: Any) -> int | float:
    """An int where the value is exactly one (a 64-bit seed survives), else a finite float."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                raise _RefusedError from None
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    if not isinstance(value, float):
        raise _RefusedError
    if not math.isfinite(value):
        raise _RefusedError("not a finite number")
    return value


def _clamped(spec: ParamSpec, number: int | float) -> tuple[int | float, str]:
    assert spec.low is not None
    assert spec.high is not None
    limited = min(max(number, spec.low), spec.high)
    if spec.strict and limited != number:
        raise _RefusedError
    return limited, "" if limited == number else f"{spec.name} {shown(number)} was clamped to {limited} ({spec.expected})"


def _read_int(spec: ParamSpec, value: Any) -> Coerced:
    number, note = _clamped(spec, round(_number(value)))
    return Coerced(int(number), note)


def _read_float(spec: ParamSpec, value: Any) -> Coerced:
    number, note = _clamped(spec, _number(value))
    return Coerced(float(number), note)


def _read_bool(spec: ParamSpec, value: Any) -> Coerced:
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _TRUE or word in _FALSE:
        return Coerced(word in _TRUE)
    return Coerced(_number(value) != 0)


def _read_trigger(spec: ParamSpec, value: Any) -> Coerced:
    if value is None or (isinstance(value, list | tuple) and not value):
        return Coerced(True)
    return _read_bool(spec, value)


def _read_text(spec: ParamSpec, value: Any) -> Coerced:
    if not isinstance(value, str):
        raise _RefusedError
    assert spec.high is not None
    # A NUL would end an OSC string early and a lone surrogate cannot be sent at all: neither means anything in a prompt.
    text = value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    limit = int(spec.high)
    note = f"{spec.name} of {len(text)} characters was cut to {limit}" if len(text) > limit else ""
    return Coerced(text[:limit], note)


def _read_name(spec: ParamSpec, value: Any) -> Coerced:
    """A file's name, which leads to no other folder."""
    if not isinstance(value, str) or len(value) > int(spec.high or 0):
        raise _RefusedError
    if value.strip() and not _NAME.fullmatch(value.strip()):
        raise _RefusedError("letters, digits, spaces and _ - + . alone make a name, and a letter or digit begins it")
    return Coerced(value.strip())


def _read_preset(spec: ParamSpec, value: Any) -> Coerced:
    if isinstance(value, bool):
        raise _RefusedError("a truth value is no number of a preset")
    if isinstance(value, str) and value.strip():
        return Coerced(value.strip())
    number = _number(value)
    if number != int(number):
        raise _RefusedError
    return Coerced(str(int(number)))


def _read_choice(spec: ParamSpec, value: Any) -> Coerced:
    if isinstance(value, str) and value.strip().lower() in spec.choices:
        return Coerced(value.strip().lower())
    index = round(_number(value))
    limited = min(max(index, 0), len(spec.choices) - 1)
    note = "" if limited == index else f"{spec.name} {index} was clamped to {limited} ({spec.choices[limited]})"
    return Coerced(spec.choices[limited], note)


def _read_steps(spec: ParamSpec, value: Any) -> Coerced:
    parts: Sequence[Any] = (value,)
    if isinstance(value, str):
        parts = value.strip("[]() \t").replace(",", " ").split()
    elif isinstance(value, list | tuple):
        parts = value
    if not 1 <= len(parts) <= MAX_STEPS:
        raise _RefusedError(f"{len(parts)} timesteps")
    given = [round(_number(part)) for part in parts]
    steps = tuple(min(max(step, 1), MAX_TIMESTEP) for step in given)
    if any(later >= earlier for earlier, later in pairwise(steps)):
        raise _RefusedError("not strictly descending")
    note = "" if list(steps) == given else f"{spec.name} {given} was clamped to {list(steps)} (1..{MAX_TIMESTEP})"
    return Coerced(steps, note)


_READERS = {
    Kind.TEXT: _read_text,
    Kind.INT: _read_int,
    Kind.FLOAT: _read_float,
    Kind.BOOL: _read_bool,
    Kind.CHOICE: _read_choice,
    Kind.STEPS: _read_steps,
    Kind.PRESET: _read_preset,
    Kind.TRIGGER: _read_trigger,
    Kind.NAME: _read_name,
}
