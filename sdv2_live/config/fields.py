"""What the sections of the settings are made of: a frozen model, and the kinds of values that files and options give."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


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
        if not all(isinstance(n, int) and 16 <= n <= 8192 and n % 16 == 0 for n in value):
            raise ValueError("not multiples of 16")
        return tuple(value)
    return value


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        value = value.split(",")
    return tuple(part.strip() for part in value if part.strip()) if _all_text(value) else value


def _all_text(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(part, str) for part in value)


def _path(value: Any) -> Any:
    return Path(value).expanduser() if isinstance(value, str) and value else value


def key(default: Any, give: str, **limits: Any) -> Any:
    """A configuration key; `give` says what it takes, for error messages."""
    return Field(default, description=give, strict=True, **limits)


Folder = Annotated[Path, BeforeValidator(_path)]
SplitTexts = BeforeValidator(_texts)  # a list, or one text split at its commas
Texts = Annotated[tuple[str, ...], SplitTexts]
OrOff = BeforeValidator(_off)
OnOff = BeforeValidator(_on_off)
OrAuto = BeforeValidator(_auto_is_none)
AutoPath = Annotated[Path | None, BeforeValidator(_path), BeforeValidator(_auto_is_none)]
AutoSize = Annotated[tuple[int, int] | None, BeforeValidator(_size), BeforeValidator(_auto_is_none)]
AutoInt = Annotated[int | None, BeforeValidator(_auto_is_none)]
AutoBool = Annotated[bool | None, BeforeValidator(_auto_is_none)]


class Section(BaseModel):
    """A frozen group of keys. An integer counts as a number; no other type is converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
