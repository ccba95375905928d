"""YAML and JSON files that know where every key stands, so that an error can name its line.

Only plain data is read: no tags beyond YAML's own scalars, no anchors or aliases (a small file can expand to gigabytes
through them), no key twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from sdv2_live.control.params import nearest, printable
from sdv2_live.errors import MAX_PROBLEMS, ConfigError

KeyPath = tuple[str | int, ...]

MAX_BYTES = 1_000_000
MAX_JSON_WITH_LINES = 100_000  # finding lines costs a second a megabyte or more
MAX_DEPTH = 40

_PLAIN = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}


@dataclass(frozen=True, slots=True)
class Document:
    """A file's data, the line of every key and list item in it, and what was wrong with it short of its syntax."""

    path: Path
    data: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def where(self, key: KeyPath = ()) -> str:
        """'file:line' of `key`, or of the nearest enclosing key that is in the file."""
        while key and key not in self.lines:
            key = key[:-1]
        line = self.lines.get(key)
        return f"{self.path}:{line}" if line else str(self.path)

    def unknown(self, allowed: Iterable[str], key: KeyPath = ()) -> list[str]:
        """A sentence on each key of the mapping at `key` that is not one of `allowed`."""
        names = list(allowed)
        mapping: Any = self.data
        for part in key:
            mapping = mapping[part]
        return [
            f"{self.where((*key, name))}: {dotted((*key, name))}: there is no such key"
            + (nearest(name, names) or f"; the keys are {', '.join(names)}")
            for name in islice((name for name in mapping if name not in names), MAX_PROBLEMS + 1)
        ]


def dotted(key: KeyPath) -> str:
    """('events', 2, 'at') as 'events[2].at'."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{printable(part)}" for part in key).removeprefix(".")


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(None, None, "aliases (*name) are not used here; write the value out", mark)
        return super().compose_node(parent, index)


def load_yaml(path: Path, max_bytes: int = MAX_BYTES) -> Document:
    """Read one YAML document. An empty file is an empty mapping.

    Raises ConfigError, with file and line, when the file cannot be read or is not YAML. Duplicate keys are listed in
    `problems`, so that a caller can report them together with its own findings.
    """
    return parse_yaml(_read(path, max_bytes), path)


def load_json(path: Path) -> Document:
    """Read one JSON document. Raises ConfigError, with file and line, when the file cannot be read or is not JSON."""
    text = _read(path)
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from error
    try:  # nearly all JSON is YAML too, which tells the lines
        lines = parse_yaml(text, path).lines if len(text) <= MAX_JSON_WITH_LINES else {}
    except ConfigError:
        lines = {}
    return Document(path, data, lines)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _read(path: Path, max_bytes: int = MAX_BYTES) -> str:
    try:
        if path.stat().st_size > max_bytes:
            raise ConfigError(f"{path}: larger than {max_bytes} bytes; is this the right file?")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text at byte {error.start}; save the file as UTF-8") from error


def parse_yaml(text: str, path: Path) -> Document:
    """`load_yaml` for text that is already in memory; `path` names it in messages."""
    loader = None
    try:
        loader = _Loader(text)  # refuses control characters at once
        node = loader.get_single_node()
        walk = _Walk(path, loader)
        data = {} if node is None else walk.build(node, ())
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{line}: not valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from error
    finally:
        if loader is not None:
            loader.dispose()
    return Document(path, data, walk.lines, tuple(walk.problems))


class _Walk:
    """Builds plain data from YAML nodes and remembers where each key stood."""

    def __init__(self, path: Path, loader: _Loader) -> None:
        self.path = path
        self.loader = loader
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[str] = []

    def build(self, node: yaml.Node, key: KeyPath) -> Any:
        if len(key) > MAX_DEPTH:
            raise yaml.MarkedYAMLError(None, None, f"nested deeper than {MAX_DEPTH} levels", node.start_mark)
        self.lines.setdefault(key, node.start_mark.line + 1)
        if isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN:
            raise yaml.MarkedYAMLError(None, None, f"the tag {node.tag} is not used here; leave it out", node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*key, index)) for index, item in enumerate(node.value)]
        try:
            return self.loader.construct_object(node)
        except (ValueError, OverflowError) as error:  # 2024-13-45, or an integer of thousands of digits
            raise yaml.MarkedYAMLError(None, None, f"the value cannot be read: {error}", node.start_mark) from error

    def _mapping(self, node: yaml.MappingNode, key: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(None, None, "a key must be a plain word", key_node.start_mark)
            name = key_node.value  # as written: `on:` stays the word "on"
            child = (*key, name)
            if name in data:
                first = self.lines[child]
                self.problems.append(f"{self.path}:{line}: {dotted(child)}: given twice, first in line {first}; keep one")
                continue
            self.lines[child] = line
            data[name] = self.build(value_node, child)
        return data
