"""Timelines as files: this program's own YAML form, and Scope's JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.params import Value
from sdv2_live.control.timeline.model import Timeline, seconds_of_beat
from sdv2_live.control.timeline.scope_export import to_scope
from sdv2_live.errors import ConfigError
from sdv2_live.system.atomic import written_whole
from sdv2_live.system.files import check

SUFFIXES = (".yaml", ".yml", ".json")


def write_timeline(path: Path, timeline: Timeline, names: ParamNames = TABLE, *, replacing: bool = False) -> list[str]:
    """Write a timeline, whole or not at all, in the form that the path's suffix names.

    Args:
        path: the file.
        timeline: what it shall hold.
        names: the show's parameter names; a LoRA is written by its own.
        replacing: take the place of a file that exists.

    Returns:
        A sentence on each thing that the form cannot hold.

    Raises:
        ConfigError: the suffix names no form, the file exists and may not be replaced, or it cannot be written.
    """
    lost: list[str] = []
    match path.suffix.lower():
        case ".json":
            data, lost = to_scope(timeline)
            text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
        case ".yaml" | ".yml":
            text = yaml.dump(plain(timeline, names), Dumper=_Plain, allow_unicode=True, sort_keys=False, width=110)
        case _:
            raise ConfigError(f"{path}: a timeline is written as .yaml, or as .json for Scope; choose one of these")
    try:
        check(path)
        if not replacing and path.exists():
            raise ConfigError(f"{path}: exists already; choose another name")
        with written_whole(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    return lost


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True  # which are not read here


def plain(timeline: Timeline, names: ParamNames = TABLE) -> dict[str, Any]:
    """The timeline as the data of its own YAML form."""
    events = [
        {
            **_time(event.at, timeline.bpm),
            **({"marker": event.marker} if event.marker else {}),
            "set": {names.kept(name): _plain(value) for name, value in event.values.items()},
        }
        for event in timeline.events
    ]
    return {
        "name": timeline.name,
        **({"description": timeline.description} if timeline.description else {}),
        **({"bpm": timeline.bpm} if timeline.bpm else {}),
        "duration": timeline.duration,
        "loop": timeline.loop,
        "events": events,
        **({"scope": dict(timeline.foreign)} if timeline.foreign else {}),
    }


def _time(at: float, bpm: float | None) -> dict[str, float]:
    """An event's time as it is read again, by beat where the timeline is in beats."""
    if bpm is None:
        return {"at": at}
    beat = round(at * bpm / 60, 9)
    return {"beat": beat if seconds_of_beat(beat, bpm) == at else at * bpm / 60}


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value
