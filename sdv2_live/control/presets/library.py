"""The presets of a folder, found by name or number.

Requests from the network choose only among the presets found at loading: a requested name is compared, never made into a path.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.params import PARAMS, Params, Value, value_of
from sdv2_live.control.presets.file import Preset, file_name, load_preset, look, new_name, number_of, same_name, write_preset
from sdv2_live.control.presets.folder import MAX_PRESETS, PresetFolder
from sdv2_live.errors import MAX_PROBLEMS, ConfigError, ParamError, several
from sdv2_live.wording import nearest, shown

__all__ = ["Entry", "Preset", "PresetLibrary", "load_preset", "look"]


class Entry(NamedTuple):
    """One file of the folder. name: of its preset, empty where the file could never be read."""

    number: int
    path: Path
    name: str


class PresetLibrary:
    """The presets of one folder, in the order of their numbers. Thread-safe.

    A broken file is reported in `problems` and leaves the others usable. When an edit breaks a file, its last valid preset stays.

    A preset's number is the one that its file's name begins with. Files without one take the lowest that are free, in the order
    of their names, and keep them: neither a saved preset nor a broken file moves another.

    Attributes:
        painter: the profile of the model that paints, whose values its presets have; `auto` and an empty text are none.
    """

    def __init__(self, folder: Path, writable: bool = True, names: ParamNames = TABLE, painter: str = "") -> None:
        """Read `folder`. Raises ConfigError when it is not a folder; broken files do not raise."""
        self.folder = folder
        self.writable = writable
        self.painter = painter
        self._names = names
        self._presets: tuple[Preset, ...] = ()  # as they are in their files
        self.problems: tuple[str, ...] = ()
        self.entries: tuple[Entry, ...] = ()  # every file in the order of numbers, also of broken and left out presets
        self._folder = PresetFolder(folder, names)
        self._numbers: dict[Path, int] = {}
        self._loading = threading.RLock()
        self.load()

    def load(self) -> None:
        """Read changed files of the folder. Raises ConfigError when the folder is gone; nothing is changed then."""
        with self._loading:
            self._folder.read()
            problems = self._number(self._folder.files)
            presets: dict[str, Preset] = {}
            for path, file in self._folder.files.items():
                problems += file.problems
                if file.preset is None:
                    continue
                taken = presets.setdefault(same_name(file.preset.name), replace(file.preset, number=self._numbers[path]))
                if taken.path != path:
                    problems.append(f"{path}: the name '{file.preset.name}' is taken by {taken.path.name}; choose another")
            if self._folder.crowded:
                problems.append(f"{self.folder}: holds more than {MAX_PRESETS} presets; the first are read, move the others away")
            self._presets = tuple(sorted(presets.values(), key=lambda preset: preset.number))
            self.problems = tuple(several(problems))
            names = {preset.path: preset.name for preset in self._presets}
            self.entries = tuple(sorted(Entry(number, path, names.get(path, "")) for path, number in self._numbers.items()))

    @property
    def presets(self) -> tuple[Preset, ...]:
        """The presets, with their values for the model that paints."""
        return tuple(preset.painted_by(self.painter) for preset in self._presets)

    def paint_by(self, painter: str, params: Params, chosen: Collection[str]) -> dict[str, Value]:
        """Go over to another painter.

        Args:
            painter: the profile of the model that paints from now on.
            params: the values that are played.
            chosen: the parameters whose value somebody chose.

        Returns:
            What the live preset sets otherwise for this painter, less what was edited since its recall.
        """
        before = self._live(params)
        self.painter = painter
        return {
            name: value
            for name, value in self._live(params).items()
            if value != before.get(name) and (name not in chosen or value_of(params, PARAMS[name]) == before.get(name))
        }

    def _live(self, params: Params) -> Mapping[str, Value]:
        return next((preset.values for preset in self.presets if preset.name == params.preset), {})

    def poll(self) -> bool:
        """Read the folder again if a file was added, removed or edited since the last reading. Returns True if one was."""
        with self._loading:
            if not self._folder.changed():
                return False
            self.load()
        return True

    def _number(self, paths: Iterable[Path]) -> list[str]:
        """Give every file its number. Returns a sentence on each whose own number is taken; it gets another."""
        files: dict[int, Path] = {}
        problems: list[str] = []
        rest: list[Path] = []
        for path in paths:
            number = number_of(path)
            if number is None or number in files:
                rest.append(path)
            else:
                files[number] = path
            if number is not None and files[number] != path:
                problems.append(f"{path}: the number {number} is taken by {files[number].name}; give the file's name another")
        rest.sort(key=lambda path: path not in self._numbers)  # those that have one keep it, before new ones choose
        for path in rest:
            before = self._numbers.get(path, 0)
            files[before if before and before not in files else next(free for free in count(1) if free not in files)] = path
        self._numbers = {path: number for number, path in files.items()}
        return problems

    def save(self, name: str, params: Params, description: str = "", *, force: bool = False) -> Preset:
        """Write the look of `params` as a new preset, numbered above all others, and read it back.

        One that is replaced keeps its values for other models than the one that paints.

        Args:
            name: of the preset.
            params: the values to save; see `look`.
            description: one line; empty for that of the preset that is replaced.
            force: replace the preset of that name.

        Raises:
            ParamError: the name is taken or cannot be shown, the folder is not writable, or there are MAX_PRESETS already.
            ConfigError: the file cannot be written.
        """
        name = new_name(name)
        if not self.writable:
            raise ParamError("the shipped presets are not written to; set presets.dir to a folder of your own")
        with self._loading:
            old = next((preset for preset in self._presets if same_name(preset.name) == same_name(name)), None)
            if old and not force:
                raise ParamError(f"there is a preset '{old.name}' already; choose another name")
            if not old and len(self._numbers) >= MAX_PRESETS:
                raise ParamError(f"{self.folder} holds {MAX_PRESETS} presets, the most there can be; move some elsewhere")
            values = look(params, self._names)
            if old is None:
                number = max(self._numbers.values(), default=0) + 1
                new = Preset(name, number, self.folder / file_name(number, name), description, values)
            elif self.painter in old.blocks:
                new = replace(old, blocks={**old.blocks, self.painter: values})
            else:
                new = replace(old, values=values)
            new = replace(new, name=name, description=description or new.description)
            write_preset(new, self._names, replacing=old is not None)
            self.load()
            saved = next((preset for preset in self.presets if preset.path == new.path), None)
        if saved is None:
            raise ConfigError(f"{new.path}: was written, and cannot be read back; check the folder")
        return saved

    def get(self, key: Any) -> Preset:
        """The preset with this number, name, or file name (without .yaml). Case does not matter.

        Raises:
            ParamError: there is none; names the nearest preset.
        """
        number, wanted, presets = _whole(key), same_name(str(key)), self.presets
        for meant in (
            lambda preset: preset.number == number,
            lambda preset: same_name(preset.name) == wanted,
            lambda preset: same_name(preset.path.stem) == wanted,
        ):
            for preset in presets:
                if meant(preset):
                    return preset
        names = {preset.name.lower(): preset.name for preset in presets}
        known = [f"{preset.number} {preset.name}" for preset in presets[:MAX_PROBLEMS]]
        more = ", ..." if len(presets) > len(known) else ""
        hint = nearest(wanted, names) or f"; the presets are {', '.join(known)}{more}"
        raise ParamError(f"there is no preset {shown(key)}{hint}")


def _whole(key: Any) -> int | None:
    """The whole number that `key` stands for, in any type; None for a truth value."""
    try:
        number = float(key)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() and not isinstance(key, bool) else None
