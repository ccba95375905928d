"""Presets: named sets of parameter values, one YAML file each.

    name: Neon edges            # optional; the file's name without it
    description: one line
    params: {prompt: ..., noise_scale: 0.8}

A preset changes the parameters that it names and leaves the others; one that gives a prompt but no weights also ends a blend of
several prompts. Requests from the network choose among the presets that
were found in the folder at load: a requested name is compared, never made into a path.
"""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from sdv2_live.control.coerce import read_params
from sdv2_live.control.names import TABLE, Names
from sdv2_live.control.params import PARAMS, Applies, Params, Value, nearest, shown, value_of
from sdv2_live.control.yamlfile import Document, load_yaml
from sdv2_live.errors import ConfigError, ParamError

MAX_NAME = 80
_SAFE_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9 _-]{{0,{MAX_NAME - 1}}}")  # becomes a file name
_NOT_A_LOOK = frozenset({"cue_prompt", "mix", "morph_seconds", "record", "seed_mode"})
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


def load_preset(path: Path, number: int = 1, names: Names = TABLE) -> Preset:
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
    values, refused = read_params(given, lambda key: document.where(("params", key)), names=names)
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
    """The presets of one folder. A broken file is reported in `problems` and leaves the others usable; when a file that was
    read before is broken by an edit, what was read stays. Thread-safe."""

    def __init__(self, folder: Path, writable: bool = True, names: Names = TABLE) -> None:
        """Read `folder`. Raises ConfigError when it is not a folder; broken files do not raise."""
        self.folder = folder
        self.writable = writable
        self._names = names
        self.presets: tuple[Preset, ...] = ()
        self.problems: tuple[str, ...] = ()
        self._seen: dict[Path, tuple[int, int]] = {}
        self._loading = threading.Lock()
        self.load()

    def load(self) -> None:
        """Read the folder anew. Raises ConfigError when it is gone; then all stays as it was."""
        with self._loading:
            self._load()

    def _load(self) -> None:
        seen = self._stat()
        before = {preset.path: preset for preset in self.presets}
        presets: list[Preset] = []
        problems: list[str] = []
        for number, path in enumerate(seen, start=1):
            try:
                preset = load_preset(path, number, self._names)
            except ConfigError as error:
                problems += str(error).splitlines()
                if path not in before:
                    continue
                preset = replace(before[path], number=number)
            taken = next((other for other in presets if other.name.lower() == preset.name.lower()), None)
            if taken:
                problems.append(f"{path}: the name '{preset.name}' is taken by {taken.path.name}; choose another")
            else:
                presets.append(preset)
        self.presets, self.problems, self._seen = tuple(presets), tuple(problems), seen

    def poll(self) -> bool:
        """Read the folder anew if a file was added, removed or edited since; whether that was so."""
        if self._stat() == self._seen:
            return False
        self.load()
        return True

    def _stat(self) -> dict[Path, tuple[int, int]]:
        """Each preset file, in order, with its time and size."""
        try:
            paths = sorted(path for path in self.folder.iterdir() if path.suffix == ".yaml" and path.is_file())
            return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}
        except OSError as error:
            why = f"not a folder of presets ({error.strerror})"
            raise ConfigError(f"{self.folder}: {why}; create it, or set presets.dir to another (or to auto)") from error

    def save(self, name: str, params: Params, description: str = "", *, force: bool = False) -> Preset:
        """Write the look of `params` as a new preset and read it back. `force` replaces the preset of that name.

        Raises ParamError for a name that is taken or no plain name, ConfigError when the file cannot be written.
        """
        if not isinstance(name, str) or not _SAFE_NAME.fullmatch(name):
            raise ParamError(f"a preset cannot be named {shown(name)}; give 1 to {MAX_NAME} letters, digits, spaces, - or _")
        if not self.writable:
            raise ParamError("the shipped presets are not written to; set presets.dir to a folder of your own")
        old = next((preset for preset in self.presets if preset.name.lower() == name.lower()), None)
        if old and not force:
            raise ParamError(f"there is a preset '{old.name}' already; choose another name")
        path = old.path if old else self.folder / f"{len(self._seen) + 1:02d}-{name.lower().replace(' ', '-')}.yaml"
        _write(path, name, description, look(params, self._names), replacing=old is not None)
        self.load()
        return self.get(name)

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


def look(params: Params, names: Names = TABLE) -> dict[str, Value]:
    """What a saved preset holds of `params`: all that shapes the picture, and nothing of the running show (freeze, mix, the cue).

    Prompt slots and weights are among it only while further slots hold text; scales of LoRAs, by their names, only of those that
    are loaded and live.
    """
    blending = any(params.prompts)
    values = {name: value_of(params, spec) for name, spec in PARAMS.items() if spec.kept and name not in _NOT_A_LOOK}
    live = {known: names.kept(known) for known in names.named}
    return {
        live.get(name, name): value
        for name, value in values.items()
        if PARAMS[name].applies is not Applies.AT_ONCE
        and (PARAMS[name].index is None or name in live or (PARAMS[name].field != "lora_scales" and blending and value != ""))
    }


def _write(path: Path, name: str, description: str, look: Mapping[str, Value], *, replacing: bool) -> None:
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in look.items()}
    data = {"name": name, **({"description": description} if description else {}), "params": values}
    text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=110)
    part = path.with_suffix(".part")
    try:
        if path.exists() and not replacing:
            raise FileExistsError(errno.EEXIST, "there is such a file already")
        part.write_text(text, encoding="utf-8")
        part.replace(path)  # whole or not at all
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; check presets.dir") from error


def _whole(key: Any) -> int | None:
    try:
        number = float(key)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() else None
