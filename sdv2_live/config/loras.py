"""The setting `model.loras`: LoRA files, the performer's names for them, and their scales."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from sdv2_live.config.fields import Folder, Section, key, number, switch
from sdv2_live.control.params import LORA_SLOTS, MAX_LORA_SCALE

NAME = r"[0-9]*[A-Za-z_-][A-Za-z0-9_-]*"  # part of an OSC address, and no number: numbers are places in the list
MAX_NAME = 40
GIVE = (
    f'a list of at most {LORA_SLOTS} files, such as ["~/loras/ink.safetensors", "gold=~/loras/x.safetensors@0.8"] '
    "or [{file: ~/loras/ink.safetensors, name: ink, scale: 0.8, live: true}]"
)
_TEXT = re.compile(r"^(?:(?P<name>[A-Za-z0-9_-]+)=)?(?P<file>.+?)(?:@(?P<scale>[+-]?[0-9.]+))?$")
_FILES = re.compile(r"(.+?\.safetensors(?:@[+-]?[0-9.]+)?(?=\s*,|\s*$)|[^,]+)", re.IGNORECASE)


class LoraConfig(Section):
    """One LoRA.

    Attributes:
        name: empty for the file's own.
        scale: the start value of its parameter.
        live: its scale may change during the show.
    """

    OR: ClassVar[str] = "a file, or "
    file: Folder = key(..., "a .safetensors or .pt file")
    name: str = key("", f"1 to {MAX_NAME} letters, digits, - or _, not digits alone", pattern=f"^({NAME})?$", max_length=MAX_NAME)
    scale: float = number(1.0, -MAX_LORA_SCALE, MAX_LORA_SCALE)
    live: bool = switch(True)


def _item(value: Any) -> Any:
    """The mapping that FILE, NAME=FILE, FILE@SCALE or NAME=FILE@SCALE stands for."""
    match = _TEXT.match(value) if isinstance(value, str) else None
    if match is None:
        return value
    given = {key: text for key, text in match.groupdict().items() if text is not None}
    try:
        return given | ({"scale": float(given["scale"])} if "scale" in given else {})
    except ValueError:  # 1.2.3 is no number: what looked like a scale belongs to the file's name
        return {"file": value}


def _items(value: Any) -> Any:
    """A list unchanged, or a text split at the commas after complete file names; other commas belong to a name."""
    if isinstance(value, str):
        value = [text for match in _FILES.finditer(value) if (text := match[1].strip(" ,"))]
    return tuple(value) if isinstance(value, list) else value


Loras = Annotated[tuple[Annotated[LoraConfig, BeforeValidator(_item)], ...], BeforeValidator(_items)]


def names_of(loras: Sequence[LoraConfig]) -> tuple[str, ...]:
    """The LoRAs' names: the given one, else the file's in small letters, digits and hyphens; numbered where taken."""
    taken = {lora.name for lora in loras if lora.name}
    names = []
    for lora in loras:
        name = lora.name or _free(slug(lora.file), taken)
        taken.add(name)
        names.append(name)
    return tuple(names)


def slug(file: Path) -> str:
    """A file's name as a part of an OSC address."""
    text = re.sub(r"[^a-z0-9_]+", "-", file.stem.lower())[: MAX_NAME - 5].strip("-")
    return text if re.fullmatch(NAME, text) else f"lora-{text}".rstrip("-")


def _free(name: str, taken: set[str]) -> str:
    return next(free for number in range(1, LORA_SLOTS + 2) if (free := name if number == 1 else f"{name}-{number}") not in taken)
