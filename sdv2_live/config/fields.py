"""The building blocks of the settings' sections: a frozen model, and the kinds of values that files and options give."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt

from sdv2_live.gpu.geometry import MULTIPLE

MAX_SIDE = 8192  # pixels
MAX_GPUS = 16
GPUS = f"auto, how many from 1 to {MAX_GPUS}, or the numbers of different ones, such as [0, 1]"
SIZE = f"auto or HEIGHTxWIDTH, height first, multiples of {MULTIPLE} up to {MAX_SIDE}, such as 480x832"


def _auto_is_none(value: Any) -> Any:
    return None if value == "auto" else value


def _off(value: Any) -> Any:
    return "off" if value is False else value  # as YAML reads the word off


def _on_off(value: Any) -> Any:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value  # as YAML reads these words


def _size(value: Any) -> Any:
    if isinstance(value, str):
        height, separator, width = value.lower().partition("x")
        if not separator or not height.strip().isdecimal() or not width.strip().isdecimal():
            raise ValueError("not HEIGHTxWIDTH")
        value = int(height), int(width)
    if isinstance(value, list | tuple):
        if not all(isinstance(n, int) and MULTIPLE <= n <= MAX_SIDE and n % MULTIPLE == 0 for n in value):
            raise ValueError(f"not multiples of {MULTIPLE}")
        return tuple(value)
    return value


def _gpus(value: Any) -> Any:
    if isinstance(value, str) and "," in value:
        value = [int(part) if part.strip().isdecimal() else part for part in value.split(",")]
    if isinstance(value, int) and not 1 <= value <= MAX_GPUS:
        raise ValueError(f"not 1 to {MAX_GPUS}")
    if not isinstance(value, list | tuple):
        return value
    if not all(type(number) is int and number >= 0 for number in value) or not 1 <= len(set(value)) == len(value) <= MAX_GPUS:
        raise ValueError("not different numbers")
    return tuple(value)


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        value = value.split(",")
    return tuple(part.strip() for part in value if part.strip()) if _all_text(value) else value


def _all_text(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(part, str) for part in value)


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _path(value: Any) -> Any:
    return Path(value).expanduser() if isinstance(value, str) and value else value


def key(default: Any, give: str, **limits: Any) -> Any:
    """A configuration key; `give` describes its values in error messages."""
    return Field(default, description=give, strict=True, **limits)


def switch(default: bool) -> Any:
    """A key that is on or off."""
    return key(default, "true or false")


def number(default: float, low: float, high: float, unit: str = "", note: str = "", *, auto: bool = False) -> Any:
    """A key that takes a number of `unit` within low..high; its error says so, followed by `note`.

    Args:
        auto: it also takes the word auto.
    """
    return _bounded("a number", default, low, high, unit, note, auto, allow_inf_nan=False)


def integer(default: int | None, low: int, high: int | None = None, unit: str = "", note: str = "", *, auto: bool = False) -> Any:
    """A key that takes an integer; see `number`. `high` is None for no upper bound."""
    return _bounded("an integer", default, low, high, unit, note, auto)


def _bounded(
    kind: str, default: float | None, low: float, high: float | None, unit: str, note: str, auto: bool, **limits: Any
) -> Any:
    words = ("auto or " if auto else "") + kind + (f" of {unit}" if unit else "")
    span = f"from {low:.12g}" if high is None else f"{low:.12g}..{high:.12g}"
    return key(default, f"{words} {span}{note}", ge=low, le=high, **limits)


Folder = Annotated[Path, BeforeValidator(_path)]
SplitTexts = BeforeValidator(_texts)  # a list, or one text split at its commas
Texts = Annotated[tuple[str, ...], SplitTexts]
Listed = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed)]  # a text, or a list of texts
OrOff = BeforeValidator(_off)
OnOff = BeforeValidator(_on_off)
OrAuto = BeforeValidator(_auto_is_none)
AutoPath = Annotated[Path | None, BeforeValidator(_path), BeforeValidator(_auto_is_none)]
AutoSize = Annotated[tuple[int, int] | None, BeforeValidator(_size), BeforeValidator(_auto_is_none)]
AutoGpus = Annotated[StrictInt | tuple[StrictInt, ...] | None, BeforeValidator(_gpus), BeforeValidator(_auto_is_none)]
AutoInt = Annotated[int | None, BeforeValidator(_auto_is_none)]
AutoBool = Annotated[bool | None, BeforeValidator(_auto_is_none)]


class Section(BaseModel):
    """A frozen group of keys. An integer counts as a number; no other type is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    OR: ClassVar[str] = ""  # what may be given in place of the keys, in an error's words
