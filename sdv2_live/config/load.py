"""Reading the configuration: the shipped defaults, then a performer's file, then `--set KEY=VALUE`.

All layers are merged first and checked once, each value keeping the place it came from, so that one error lists every
mistake with its file and line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sdv2_live.config.choices import OnLost
from sdv2_live.config.fields import Section
from sdv2_live.config.model_checks import against_model
from sdv2_live.config.schema import Config
from sdv2_live.config.schema_files import config_dir
from sdv2_live.config.sentences import keys_of, sentences
from sdv2_live.control.coerce import read_params
from sdv2_live.control.names import LORA, TABLE
from sdv2_live.control.params import Params, Value, updated
from sdv2_live.errors import ConfigError, several
from sdv2_live.wording import shown
from sdv2_live.yamlfile import KeyPath, Written, dotted, load_yaml

log = logging.getLogger("sdv2_live.config")


def load_config(path: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """The configuration of a show: defaults, then the file at `path`, then each `KEY=VALUE` of `overrides`.

    Raises:
        ConfigError: one line for every mistake, with its file and line (or the option), key, value, and the allowed values.
    """
    merged = _Merged()
    for file in filter(None, (config_dir() / "default.yaml", path)):
        document = load_yaml(file)
        merged.problems += document.problems
        merged.add(document.data, document.where, document.texts(("params",)))
    for option in overrides:
        merged.add_option(option)
    _renew(merged)
    unread = len(merged.problems)
    config = _validated(merged)
    values, problems = _params(merged, config)
    merged.problems[unread:unread] = problems
    if merged.problems or config is None:
        raise ConfigError("\n".join(several(dict.fromkeys(merged.problems))))
    return config.with_params(updated(Params(), values), frozenset(values), merged.asked(values, config))


RENAMED = {("input", "on_lost"): {"input2": "backup"}}  # words that earlier versions used


def _renew(merged: _Merged) -> None:
    """Replace words that were renamed by their new names, with a warning."""
    for key, words in RENAMED.items():
        section, old = merged.section(key[0]), merged.value(key)
        if isinstance(old, str) and old in words:
            section[key[1]] = words[old]
            log.warning("%s: %s: '%s' is called '%s' now; change it", merged.where(key), dotted(key), old, words[old])


def _params(merged: _Merged, config: Config | None) -> tuple[dict[str, Value], list[str]]:
    """The start values, those of LoRAs from their list, and a sentence for each mistake."""
    given = merged.section("params")
    if config is None:  # what the LoRAs are called is not known, so a name of theirs is no mistake
        given = {name: value for name, value in given.items() if not name.startswith("lora/")}
    names = config.names if config else TABLE
    values, problems = read_params(given, lambda name: merged.where(("params", name)), names=names, written=merged.written)
    loras = config.model.loras if config else ()
    return {LORA.format(number): lora.scale for number, lora in enumerate(loras, start=1)} | values, problems


_OPTION = "--set "  # begins the place of what an option gives


class _Merged:
    """Layers merged key by key, with the origin of each value."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.problems: list[str] = []
        self.written: dict[str, Written] = {}  # of params
        self._places: dict[KeyPath, str] = {}

    def add(self, data: Any, where: Callable[[KeyPath], str], written: Mapping[str, Written]) -> None:
        if not isinstance(data, dict):
            self.problems.append(f"{where(())}: a configuration is a mapping of sections, not {shown(data)}")
            return
        sections = {name: section for name, section in data.items() if section is not None}  # all keys commented out
        for name in [name for name in Config.model_fields if not isinstance(sections.get(name, {}), dict)]:
            self.problems.append(f"{where((name,))}: {name}: cannot be {shown(sections.pop(name))}; give {_keys_of(name)}")
        self.written = {name: text for name, text in self.written.items() if name not in sections.get("params", {})}
        self.written.update(written)
        self._lay(self.data, sections, (), where)

    def add_option(self, option: str) -> None:
        """Merge one `KEY=VALUE`. The value is read as YAML; anything but a scalar or a list is taken as text."""
        place = f"{_OPTION}{option}"
        key, equals, text = option.partition("=")
        if not equals or not key.strip():
            self.problems.append(f"{place}: give KEY=VALUE, such as --set osc.port=9001")
            return
        parts = key.strip().split(".")
        if len(parts) != 2 and parts[0] != "params":
            self.problems.append(f"{place}: give SECTION.KEY=VALUE, such as --set osc.port=9001")
            return
        name = ".".join(parts[1:])
        written = {name: Written(text)} if parts[0] == "params" else {}
        self.add({parts[0]: {name: _option_value(text)}}, lambda _: place, written)

    def where(self, key: KeyPath) -> str:
        while key and key not in self._places:
            key = key[:-1]
        return self._places.get(key, "")

    def value(self, key: KeyPath) -> Any:
        value: Any = self.data
        for part in key:
            if not isinstance(value, dict | list):  # one text that stands for several values
                return value
            value = value[part]  # type: ignore[index]  # a list's parts are numbers
        return value

    def asked(self, values: Mapping[str, Value], config: Config) -> dict[str, Value]:
        """The start values that options gave."""
        by_option = {
            config.names.spec(name).name for name in self.section("params") if self.where(("params", name)).startswith(_OPTION)
        }
        return {name: value for name, value in values.items() if name in by_option}

    def section(self, name: str) -> dict[str, Any]:
        section = self.data.get(name)
        return section if isinstance(section, dict) else {}

    def _lay(self, under: dict[str, Any], over: dict[str, Any], key: KeyPath, where: Callable[[KeyPath], str]) -> None:
        for name, value in over.items():
            child = (*key, name)
            self._places[child] = where(child)
            if isinstance(value, dict) and isinstance(under.get(name), dict):
                self._lay(under[name], value, child, where)
            elif isinstance(value, dict):
                self._lay(under.setdefault(name, {}), value, child, where)
            else:
                under[name] = value
                self._mark_items(value, child, where)

    def _mark_items(self, items: Any, key: KeyPath, where: Callable[[KeyPath], str]) -> None:
        for part, item in enumerate(items) if isinstance(items, list) else items.items() if isinstance(items, dict) else ():
            self._places[(*key, part)] = where((*key, part))
            self._mark_items(item, (*key, part), where)


def _option_value(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text
    return value if isinstance(value, bool | int | float | list) else text


def _validated(merged: _Merged) -> Config | None:
    data = {name: value for name, value in merged.data.items() if name != "params"}
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        merged.problems += sentences(error, Config, merged.where, merged.value, "section")
        return None
    merged.problems += [f"{merged.where(key)}: {dotted(key)}: {text}" for key, text in _contradictions(config)]
    return config


def _keys_of(name: str) -> str:
    section = Config.model_fields[name].annotation
    if isinstance(section, type) and issubclass(section, Section):
        return keys_of(section)
    return "parameters and their start values"


def _contradictions(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Values that are allowed one by one but not together."""
    names = config.names.loras
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("model", "loras", index), f"the name '{name}' is taken by another LoRA; give each its own"
    if config.model.device == "cpu" and isinstance(config.model.gpus, tuple):
        yield ("model", "gpus"), "these are numbers of GPUs, and model.device is cpu; give how many processes, such as 2"
    if config.input.on_lost is OnLost.BACKUP and not config.input.backup:
        yield ("input", "on_lost"), "backup needs a second input; give input.backup, such as ndi:CAM 2"
    if config.companion.enabled and not config.osc.enabled:
        yield ("companion", "enabled"), "Companion is told what OSC tells; give osc.enabled true"
    yield from against_model(config)
