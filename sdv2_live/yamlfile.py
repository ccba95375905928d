"""YAML and JSON files with the line of every key, so that an error can name its line.

Only plain data is read: no tags beyond YAML's own scalars, no anchors or aliases (a small file can expand to gigabytes
through them), no key twice. Numbers are decimal or 0x, and nothing is read as a date or in sixties: 010 is ten, 1:30 a text.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sdv2_live.errors import MAX_PROBLEMS, ConfigError
from sdv2_live.wording import escaped, nearest
from sdv2_live.yamlwords import joined, opened, remedy

KeyPath = tuple[str | int, ...]

MAX_BYTES = 1_000_000
MAX_JSON_WITH_LINES = 100_000  # finding lines costs a second a megabyte or more
MAX_DEPTH = 40
MAX_DIGITS = 99  # of an integer: what has more is a text in YAML, and refused in JSON

_PLAIN = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
_SCALARS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str")}
_COMMENT = re.compile(r"[ \t]+#")
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"


CUT = "{} ends before the #, which begins a comment; put the text in quotes to keep it"

log = logging.getLogger("sdv2_live.control")


class Written(NamedTuple):
    """An unquoted scalar as it stands in the file, where that differs from its value as text. cut: a comment ends it."""

    text: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A file's data, the line of every key and list item in it, and its problems other than syntax."""

    path: Path
    data: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    written: dict[KeyPath, dict[str, Written]] = field(default_factory=dict)

    def texts(self, key: KeyPath) -> Mapping[str, Written]:
        """Scalars of the mapping at `key` as they are written, for keys that are wanted as text: 1984, no."""
        return self.written.get(key, {})

    def text(self, name: str, default: Any = None, key: KeyPath = ()) -> Any:
        """The value of `name` in the mapping at `key`; as it is written when it is not a text."""
        written = self.texts(key).get(name)
        if written and written.text:
            if written.cut:
                log.warning("%s: %s", self.where((*key, name)), CUT.format(name))
            return written.text
        mapping: Any = self.data
        for part in key:
            mapping = mapping[part]
        return mapping.get(name, default)

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
    return "".join(f"[{part}]" if isinstance(part, int) else f".{escaped(part)}" for part in key).removeprefix(".")


class _Loader(yaml.SafeLoader):
    anchored: yaml.Mark | None = None  # where the last anchor stands
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _refused(f"nested deeper than {MAX_DEPTH} levels", self.peek_event().start_mark)
        if self.check_event(yaml.events.AliasEvent):
            why = "aliases (*name) are not used here; write the value out, or put a text that begins with * in quotes"
            raise _refused(why, self.peek_event().start_mark)
        if self.peek_event().anchor is not None:
            self.anchored = self.peek_event().start_mark
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        text = self.construct_scalar(node).replace("_", "")
        return int(text, 16 if "x" in text else 10)


class _RefusedError(yaml.MarkedYAMLError):
    """Valid YAML of a kind that is not used here."""


def _refused(why: str, mark: yaml.Mark) -> _RefusedError:
    return _RefusedError(None, None, why, mark)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag in _SCALARS - {_INT, _FLOAT}]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _INT, re.compile(rf"[-+]?(?:[0-9][0-9_]{{0,{MAX_DIGITS - 1}}}|0x[0-9a-fA-F_]{{1,{MAX_DIGITS}}})\Z"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN|NAN)\Z"),
    list("-+0123456789."),
)
_Loader.add_constructor(_INT, _Loader.construct_yaml_int)


def load_yaml(path: Path, max_bytes: int = MAX_BYTES) -> Document:
    """Read one YAML document. An empty file is an empty mapping.

    Duplicate keys are listed in `problems`, so that a caller can report them together with its own findings. Raises
    ConfigError, with file and line, when the file cannot be read or is not YAML.
    """
    return parse_yaml(_read(path, max_bytes), path)


def load_json(path: Path) -> Document:
    """Read one JSON document. Raises ConfigError, with file and line, when the file cannot be read or is not JSON."""
    text = _read(path)
    try:
        data = json.loads(text, parse_constant=_refuse_constant, parse_int=_json_integer)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: not valid JSON: nested too deeply") from error
    try:  # nearly all JSON is YAML too, which tells the lines
        lines = parse_yaml(text, path).lines if len(text) <= MAX_JSON_WITH_LINES else {}
    except ConfigError:
        lines = {}
    return Document(path, data, lines)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _json_integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits; at most {MAX_DIGITS} are read")
    return int(digits)


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
        if loader.anchored:
            why = "anchors (&name) are not used here; leave it out, or put a text that begins with & in quotes"
            raise _refused(why, loader.anchored)
        walk = _Walk(path, loader)
        data = {} if node is None else walk.build(node, ())
    except _RefusedError as error:
        raise ConfigError(f"{path}{_line(error.problem_mark)}: not valid YAML: {error.problem}") from error
    except yaml.MarkedYAMLError as error:
        problem = error.problem or error.context or ""
        line = _line(error.context_mark if opened(problem) and error.context_mark else error.problem_mark)
        raise ConfigError(f"{path}{line}: not valid YAML: {remedy(problem)}") from error
    except yaml.reader.ReaderError as error:
        row = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{path}:{row}: not valid YAML: the character U+{error.character:04X}; remove it") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from error
    finally:
        if loader is not None:
            loader.dispose()
    return Document(path, data, walk.lines, tuple(walk.problems), walk.written)


def _line(mark: yaml.Mark | None) -> str:
    return f":{mark.line + 1}" if mark else ""


class _Walk:
    """Builds plain data from YAML nodes and records the line of each key."""

    def __init__(self, path: Path, loader: _Loader) -> None:
        self.path = path
        self.loader = loader
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[str] = []
        self.written: dict[KeyPath, dict[str, Written]] = {}

    def build(self, node: yaml.Node, key: KeyPath) -> Any:
        self.lines.setdefault(key, node.start_mark.line + 1)
        if isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN:
            raise _refused(f"the tag {node.tag} is not used here; leave it out", node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*key, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, key)

    def _scalar(self, node: yaml.ScalarNode, key: KeyPath) -> Any:
        if node.tag not in _SCALARS:
            why = f"the tag {node.tag} is not used here; leave it out, or put a text that begins with ! in quotes"
            raise _refused(why, node.start_mark)
        try:
            value = self.loader.construct_object(node)
        except ValueError as error:  # 0x_
            raise _refused(f"the value cannot be read: {error}", node.start_mark) from error
        if isinstance(value, str):
            value = joined(value)
        if key and node.style is None and node.value != "~":
            cut = bool(_COMMENT.match(self.loader.buffer, node.end_mark.index))
            if cut or (node.value and not isinstance(value, str)):
                self.written.setdefault(key[:-1], {})[str(key[-1])] = Written(joined(node.value), cut)
        return value

    def _mapping(self, node: yaml.MappingNode, key: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refused("a key must be a plain word", key_node.start_mark)
            name = key_node.value  # as written: `on:` stays the word "on"
            child = (*key, name)
            if name in data:
                first = self.lines[child]
                if len(self.problems) <= MAX_PROBLEMS:
                    self.problems.append(f"{self.path}:{line}: {dotted(child)}: given twice, first in line {first}; keep one")
                continue
            self.lines[child] = line
            data[name] = self.build(value_node, child)
        return data
