"""One preset: a YAML file with a named set of parameter values.

    name: Neon edges            # optional; the file's name without it
    description: one line
    params: {prompt: ..., noise_scale: 0.8}
    for: {tiny: {prompt: ..., noise_scale: 0.4}}  # optional; instead of these values where that model paints

A preset changes the parameters that it names and leaves the others; one that gives a prompt but no weights also ends a blend of
several prompts.
"""

from __future__ import annotations

import errno
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from sdv2_live.control.coerce import read_params
from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.params import PARAMS, Applies, Params, ParamSpec, Value, value_of
from sdv2_live.control.rows import Group
from sdv2_live.errors import ConfigError, ParamError, several
from sdv2_live.system.atomic import written_whole
from sdv2_live.wording import shown
from sdv2_live.yamlfile import Document, KeyPath, dotted, load_yaml

MAX_NAME = 80
MAX_BYTES = 200_000  # every prompt at its full length, four bytes a character, is less
_NOT_A_LOOK = frozenset({"cue_prompt", "mix", "morph_seconds", "record", "seed_mode"})
_KEYS = ("name", "description", "params", "for")
_NUMBERED = re.compile(r"([0-9]{1,6})(?![0-9A-Za-z])")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # categories of characters
_JOINING = re.compile("[\u200c\u200d\U000e0020-\U000e007f]")
_FILE_STEM = 40  # characters of a name that its file's name repeats


@dataclass(frozen=True, slots=True)
class Preset:
    """One preset.

    Attributes:
        number: the one that its file's name begins with, or one from the library.
        blocks: values that replace others where a profile paints, by profile.
        notes: a sentence on each block whose profile is unknown.
    """

    name: str
    number: int
    path: Path
    description: str
    values: Mapping[str, Value] = field(hash=False)
    blocks: Mapping[str, Mapping[str, Value]] = field(default_factory=dict, hash=False)
    notes: tuple[str, ...] = ()

    def painted_by(self, profile: str) -> Preset:
        """The preset with its values for a profile."""
        block = self.blocks.get(profile)
        return replace(self, values={**self.values, **block}) if block else self


def load_preset(path: Path, number: int = 1, names: ParamNames = TABLE) -> Preset:
    """Read and check one preset file. Raises ConfigError with a line for every mistake: file, line, key, allowed values."""
    document = load_yaml(path, MAX_BYTES)
    data = document.data
    if not isinstance(data, dict):
        raise ConfigError(f"{document.where()}: a preset is a mapping with params, not {shown(data)}")
    problems = [*document.problems, *document.unknown(_KEYS)]
    name = _text(document, "name", path.stem, problems)
    description = _text(document, "description", "", problems)
    if not _nameable(name):
        problems.append(f"{document.where(('name',))}: name: cannot be {shown(name)}; give 1 to {MAX_NAME} printable characters")
    values = _values(document, ("params",), data.get("params"), names, problems)
    given = data.get("for", {})
    if not isinstance(given, dict):
        example = "a model and its values, such as tiny: {noise_scale: 0.4}"
        problems.append(f"{document.where(('for',))}: for: cannot be {shown(given)}; give {example}")
        given = {}
    blocks = {profile: _values(document, ("for", profile), block, names, problems) for profile, block in given.items()}
    if problems:
        raise ConfigError("\n".join(several(problems)))
    notes = document.unknown(names.models, ("for",)) if blocks and names.models else ()
    return Preset(name, number, path, description, values, blocks, tuple(notes))


def _values(document: Document, key: KeyPath, given: Any, names: ParamNames, problems: list[str]) -> dict[str, Value]:
    """The values of the block `given`, which is at `key`; a sentence on each mistake is added to `problems`."""
    if not isinstance(given, dict) or not given:
        example = "parameters and their values, such as noise_scale: 0.8"
        problems.append(f"{document.where(key)}: {dotted(key)}: cannot be {shown(given)}; give {example}")
        return {}
    block = "" if key == ("params",) else f": {dotted(key)}"
    values, refused = read_params(
        given,
        lambda name: document.where((*key, name)) + block,
        session=False,
        names=names,
        written=document.texts(key),
    )
    problems += refused
    return values


def _text(document: Document, key: str, default: str, problems: list[str]) -> str:
    value = document.text(key)
    if value is None:
        return default
    if not isinstance(value, str):
        problems.append(f"{document.where((key,))}: {key}: cannot be {shown(value)}; give text")
        return default
    return value.strip()


def one_line(text: str) -> bool:
    """True when `text` can be a name: every character is visible, or joins letters or emoji."""
    return not any(unicodedata.category(char) in _UNSEEN and not _JOINING.match(char) for char in text)


def _nameable(name: str) -> bool:
    return 1 <= len(name) <= MAX_NAME and one_line(name)


def number_of(path: Path) -> int | None:
    """The number that the file's name begins with: 10 of `10-ten.yaml`, none of `3d.yaml`."""
    found = _NUMBERED.match(path.stem)
    return int(found[1]) if found else None


def same_name(name: str) -> str:
    """A key that is equal for names that differ only in case or in the encoding of their accents."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def new_name(name: object) -> str:
    """Check `name` for a preset to save, and strip it. Raises ParamError for one that cannot be shown."""
    if not isinstance(name, str) or not _nameable(name.strip()):
        raise ParamError(f"a preset cannot be named {shown(name)}; give 1 to {MAX_NAME} printable characters")
    return name.strip()


def file_name(number: int, name: str) -> str:
    """A file's name that is safe on every system, whatever `name` holds: the number, then plain letters and digits."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:_FILE_STEM].strip("-")
    return f"{number:02d}-{words or 'preset'}.yaml"


def look(params: Params, names: ParamNames = TABLE) -> dict[str, Value]:
    """The values of `params` that a saved preset holds.

    It holds those that shape the picture, and none of the running show (freeze, mix, the cue). Of families it holds what is in
    use: prompt slots and weights while further slots hold text, scales of loaded, unmerged LoRAs by their names, and the slots of
    modulation that are on; of the others that they are off.
    """
    values = {name: value_of(params, spec) for name, spec in PARAMS.items() if spec.of_look and name not in _NOT_A_LOOK}
    live = {known: names.kept(known) for known in names.named}
    return {
        live.get(name, name): names.kept_value(PARAMS[name], value)
        for name, value in values.items()
        if PARAMS[name].applies is not Applies.AT_ONCE
        and (PARAMS[name].index is None or name in live or _in_use(PARAMS[name], value, params))
    }


def _in_use(spec: ParamSpec, value: Value, params: Params) -> bool:
    """True when one value of a family counts in a look: of prompts and weights in a blend, of modulation in a slot that is on."""
    if spec.group is Group.MOD:
        return spec.field == "mod_on" or (spec.index is not None and params.mod_on[spec.index])
    return spec.field in ("prompts", "weights") and any(params.prompts) and value != ""


def write_preset(preset: Preset, names: ParamNames = TABLE, *, replacing: bool) -> None:
    """Write a preset to its file, whole or not at all.

    Raises:
        ConfigError: the file cannot be written, or it exists and `replacing` is False.
    """
    path = preset.path
    data: dict[str, Any] = {"name": preset.name, "description": preset.description, "params": _kept(preset.values, names)}
    data["for"] = {profile: _kept(block, names) for profile, block in preset.blocks.items()}
    data = {key: value for key, value in data.items() if value}
    text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=110)
    try:
        if path.exists() and not replacing:
            raise FileExistsError(errno.EEXIST, "there is such a file already")
        with written_whole(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; check presets.dir") from error


def _kept(values: Mapping[str, Value], names: ParamNames) -> dict[str, Any]:
    """Values as a file keeps them."""
    kept = {names.kept(name): names.kept_value(names.spec(name), value) for name, value in values.items()}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}
