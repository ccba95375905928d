"""Model profiles as files: one YAML file each, the shipped ones in `config/profiles`, a performer's own in `model.profiles_dir`.

A profile's name is that of its file; one of the performer's takes the place of a shipped one of that name. Its keys are checked
as those of the configuration are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sdv2_live.config.schema_files import config_dir
from sdv2_live.config.schema_profile import ProfileFile
from sdv2_live.config.sentences import sentences
from sdv2_live.errors import ConfigError, several
from sdv2_live.model.checkpoints.files import BaseLora, Files, file_names
from sdv2_live.model.profiles import Licence, Profile, StreamKind
from sdv2_live.model.sizes import SIZES
from sdv2_live.wording import nearest, shown
from sdv2_live.yamlfile import Document, KeyPath, dotted, load_yaml

MAX_BYTES = 50_000
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_ORDER = ("tiny", "1.3b", "14b")  # come first, whoever else there is


def read_profile(path: Path) -> Profile:
    """The profile in a file. Raises ConfigError with a line for every mistake: file, line, key, allowed values."""
    document = load_yaml(path, MAX_BYTES)
    if not _NAME.fullmatch(path.stem) or path.stem == "auto":
        raise ConfigError(f"{path}: a profile has its file's name: small letters, digits, '.', - and _, and not auto; rename it")
    if not isinstance(document.data, dict):
        raise ConfigError(f"{document.where()}: a profile is a mapping of keys, not {shown(document.data)}")
    problems = list(document.problems)
    try:
        data = ProfileFile.model_validate(document.data)
    except ValidationError as error:
        problems += sentences(error, ProfileFile, document.where, lambda key: _value(document, key))
        raise ConfigError("\n".join(several(problems))) from error
    problems += [f"{document.where(key)}: {dotted(key)}: {text}" for key, text in _contradictions(data)]
    if problems:
        raise ConfigError("\n".join(several(problems)))
    return _profile(path.stem, data)


def _value(document: Document, key: KeyPath) -> Any:
    value: Any = document.data
    for part in key:
        if not isinstance(value, dict | list):  # one text that stands for several values
            return value
        value = value.get(part) if isinstance(value, dict) else value[int(part)]
    return value


def _contradictions(data: ProfileFile) -> Iterator[tuple[KeyPath, str]]:
    """Values that are allowed one by one but not together."""
    stream, embedded = data.stream, data.size == "tiny"
    if embedded is not (data.weights is None):
        own = "the network tiny comes with its weights; leave them out"
        yield ("weights",), own if embedded else "is missing; give the keys file, origins, member"
    if stream.sinks >= stream.window:
        yield ("stream", "sinks"), f"{stream.sinks} do not fit a window of {stream.window}; give at most {stream.window - 1}"
    most = max(stream.block, ((stream.first_frames or 1) + 3) // 4)
    if most > stream.window:
        yield ("stream", "window"), f"{stream.window} is less than a chunk's {most} latents; give more"
    if stream.rope_refresh_frame <= stream.window:
        yield ("stream", "rope_refresh_frame"), f"{stream.rope_refresh_frame} is not above the window {stream.window}; give more"
    if stream.first_frames is not None and stream.first_frames % 4 != 1:
        yield ("stream", "first_frames"), f"{stream.first_frames} is not 1 more than a multiple of 4; give such as 5, 9 or 13"
    if stream.recompute is not None and stream.context_t is not None:
        yield ("stream", "recompute"), "the cache is either filled anew or written after each chunk; give context_t off"
    if stream.recompute is not None and stream.window != stream.recompute + stream.block:
        least = stream.recompute + stream.block
        yield ("stream", "window"), f"holds what is recomputed and the block, {least} latents; give {least}"
    given = {
        ("stream", "steps"): stream.steps,
        ("stream", "first_steps"): stream.first_steps,
        ("params", "steps"): data.params.steps,
    }
    for key, steps in given.items():
        if not all(a > b for a, b in pairwise(steps or ())):
            yield key, f"{list(steps or ())} do not descend; give the largest first"


def _profile(name: str, data: ProfileFile) -> Profile:
    size, stream, files = SIZES[data.size], data.stream.model_dump(), None
    if stream["first_frames"] is None:
        stream["first_frames"] = 1 + 4 * (stream["block"] - 1)
    if data.weights is not None:
        lora = BaseLora(data.lora.file, data.lora.origins, data.lora.alpha) if data.lora else None
        member = None if data.weights.member == "auto" else data.weights.member
        files = Files(file_names(data.weights.file), data.weights.origins, member, lora)
    return Profile(
        name=name,
        dit=size.dit,
        text=size.text,
        taehv=size.taehv,
        wan=size.wan,
        max_pixels=data.max_pixels,
        vae="taehv" if files is None else files.own_vae,
        files=files,
        stream=StreamKind(**stream),
        title=data.title,
        trained_for=data.trained_for,
        licence=Licence(**data.licence.model_dump()),
        **data.params.model_dump(),
    )


def _shipped() -> dict[str, Profile]:
    found = {path.stem: read_profile(path) for path in sorted((config_dir() / "profiles").glob("*.yaml"))}
    return {name: found[name] for name in (*_ORDER, *(name for name in found if name not in _ORDER))}


PROFILES = _shipped()
TINY = PROFILES["tiny"]


@cache
def _own(folder: Path) -> Mapping[str, Profile | ConfigError]:
    """A performer's profiles, as they were when they were first asked for; a wrong one is its error."""
    found: dict[str, Profile | ConfigError] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            found[path.stem] = read_profile(path)
        except ConfigError as error:
            found[path.stem] = error
    return found


def find_profile(name: str, folder: Path | None = None) -> Profile:
    """The profile of that name: a performer's own, from `folder`, before a shipped one.

    Raises ConfigError: there is none, which names those that there are; or its file is wrong.
    """
    own = _own(folder) if folder else {}
    found = own.get(name) or PROFILES.get(name)
    if found is None:
        names = ("auto", *dict.fromkeys((*PROFILES, *own)))
        one_of = nearest(name, names, alike=0.75) or f"; give one of {', '.join(names)}"
        raise ConfigError(f"cannot be {shown(name)}{one_of}")
    if isinstance(found, ConfigError):
        raise found
    return found


def known_profiles(folder: Path) -> tuple[dict[str, Profile], list[str]]:
    """All profiles by name, and a sentence on each mistake in a performer's files."""
    own = _own(folder)
    found = PROFILES | {name: profile for name, profile in own.items() if isinstance(profile, Profile)}
    return found, [str(error) for error in own.values() if isinstance(error, ConfigError)]
