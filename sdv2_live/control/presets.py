"""Presets: named sets of parameter values, one YAML file each.

    name: Neon edges            # optional; the file's name without it
    description: one line
    params: {prompt: ..., noise_scale: 0.8}

A preset changes the parameters that it names and leaves the others. Requests from the network choose among the presets that
were found in the folder at load: a requested name is compared, never made into a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sdv2_live.control.coerce import read_params, shown
from sdv2_live.control.params import Value, nearest
from sdv2_live.control.yamlfile import Document, load_yaml
from sdv2_live.errors import ConfigError, ParamError

MAX_NAME = 80
_KEYS = ("name", "description", "params")


@dataclass(frozen=True, slots=True)
class Preset:
    """One preset. `number` counts the folder's files from 1 in the order of their names, broken ones included, so that a
    broken file does not move the buttons of a controller."""

    name: str
    number: int
    path: Path
    description: str
    values: Mapping[str, Value] = field(hash=False)


def load_preset(path: Path, number: int = 1) -> Preset:
    """Read and check one preset file. Raises ConfigError with a line for every mistake: file, line, key, what is allowed."""
    document = load_yaml(path)
    data = document.data
    if not isinstance(data, dict):
        raise ConfigError(f"{document.where()}: a preset is a mapping with params, not {shown(data)}")
    problems = [*document.problems, *document.unknown(_KEYS)]
    name = _text(document, "name", path.stem, problems)
    description = _text(document, "description", "", problems)
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        problems.append(f"{document.where(('name',))}: name: cannot be {shown(name)}; give 1 to {MAX_NAME} printable characters")
    given = data.get("params")
    if not isinstance(given, dict) or not given:
        where = document.where(("params",))
        problems.append(f"{where}: params: cannot be {shown(given)}; give parameters and their values, such as noise_scale: 0.8")
        given = {}
    values, refused = read_params(given, lambda key: document.where(("params", key)))
    problems += refused
    if problems:
        raise ConfigError("\n".join(problems))
    return Preset(name, number, path, description, values)


def _text(document: Document, key: str, default: str, problems: list[str]) -> str:
    value = document.data.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        problems.append(f"{document.where((key,))}: {key}: cannot be {shown(value)}; give text")
        return default
    return value.strip()


class PresetLibrary:
    """The presets of one folder. A broken file is reported in `problems` and leaves the others usable."""

    def __init__(self, folder: Path) -> None:
        """Read `folder`. Raises ConfigError when it is not a folder; broken files do not raise."""
        self.folder = folder
        self.presets: tuple[Preset, ...] = ()
        self.problems: tuple[str, ...] = ()
        self.load()

    def load(self) -> None:
        """Read the folder anew."""
        if not self.folder.is_dir():
            raise ConfigError(f"{self.folder}: not a folder of presets; create it, or set presets.dir to another (or to auto)")
        presets: list[Preset] = []
        problems: list[str] = []
        paths = sorted(path for path in self.folder.glob("*.yaml") if path.is_file())
        for number, path in enumerate(paths, start=1):
            try:
                preset = load_preset(path, number)
            except ConfigError as error:
                problems += str(error).splitlines()
                continue
            taken = next((other for other in presets if other.name.lower() == preset.name.lower()), None)
            if taken:
                problems.append(f"{path}: the name '{preset.name}' is taken by {taken.path.name}; choose another")
            else:
                presets.append(preset)
        self.presets, self.problems = tuple(presets), tuple(problems)

    def get(self, key: Any) -> Preset:
        """The preset with this name, file name (without .yaml) or number. Case does not matter.

        Raises ParamError, naming the nearest preset, when there is none.
        """
        number = _whole(key)
        wanted = str(key).strip().lower()
        for preset in self.presets:
            if preset.number == number or wanted in (preset.name.lower(), preset.path.stem.lower()):
                return preset
        names = {preset.name.lower(): preset.name for preset in self.presets}
        known = ", ".join(f"{preset.number} {preset.name}" for preset in self.presets)
        raise ParamError(f"there is no preset {shown(key)}{nearest(wanted, names) or f'; the presets are {known}'}")


def _whole(key: Any) -> int | None:
    try:
        number = float(key)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() else None
