"""Timelines: parameter changes at points in time, for a whole song or a rendered clip.

    name: Opening
    bpm: 120                    # only for events placed by beat; live they follow the show's tempo
    duration: 64                # seconds; without it, the last event's time
    loop: true
    events:
      - at: 0                   # seconds, or 1:30 for minutes and seconds, 1:00:00 for an hour
        marker: intro
        set: {prompt: ..., noise_scale: 0.6}
      - beat: 32                # from 0
        set: {reset: true}      # a trigger fires

`.yaml` files hold this form, `.json` files are Scope's exports (see `scope`). The key `scope` keeps Scope's own keys from such
a file and has no effect here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sdv2_live.control.coerce import read_params
from sdv2_live.control.names import TABLE, ParamNames
from sdv2_live.control.params import PARAMS, Kind, Value
from sdv2_live.control.presets.file import one_line
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.timeline.model import MAX_SECONDS, SAME_TIME_S, Event, Timeline, seconds_of, seconds_of_beat
from sdv2_live.control.timeline.scope import load_scope_timeline, scope_timeline
from sdv2_live.errors import MAX_PROBLEMS, ConfigError, ParamError, several
from sdv2_live.wording import shown
from sdv2_live.yamlfile import Document, KeyPath, dotted, load_yaml

__all__ = ["Event", "Timeline", "load_timeline"]

_KEYS = ("name", "description", "bpm", "duration", "loop", "events", "scope")
_EVENT_KEYS = ("at", "beat", "marker", "set")


def load_timeline(path: Path, names: ParamNames = TABLE, presets: PresetLibrary | None = None) -> Timeline:
    """Read a timeline: `.yaml` or `.yml` in the form above, `.json` as Scope exports it.

    Args:
        path: the file.
        names: the show's parameter names.
        presets: presets that the timeline may recall; without them, a recall is not checked.

    Raises:
        ConfigError: with a line for every mistake: file, line, key, allowed values.
    """
    match path.suffix.lower():
        case ".yaml" | ".yml":
            return _from_document(load_yaml(path), names, presets)
        case ".json":
            return load_scope_timeline(path)
    raise ConfigError(f"{path}: a timeline is a .yaml file, or a .json file that Scope exported")


def _from_document(document: Document, names: ParamNames, presets: PresetLibrary | None) -> Timeline:
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("events"), list) or not data["events"]:
        raise ConfigError(f"{document.where(('events',))}: events: a timeline needs a list of events, each with at and set")
    reader = _Reader(document, names, presets)
    reader.problems += document.unknown(_KEYS)
    name = reader.text(("name",), document.text("name", document.path.stem))
    description = document.text("description", "")
    if not isinstance(description, str):
        reader.refuse(("description",), description, "text")
    bpm = reader.number(("bpm",), data["bpm"], 1, 1000) if "bpm" in data else None
    events = sorted(reader.events(data["events"], bpm), key=lambda event: event.at)
    last = events[-1].at
    duration = reader.time(("duration",), data["duration"]) if "duration" in data else last
    loop = data.get("loop", False)
    if not isinstance(loop, bool):
        reader.refuse(("loop",), loop, "true or false")
    if duration < last - SAME_TIME_S:
        reader.refuse(("duration",), duration, f"at least {last:g} seconds, the time of the last event")
    reader.check_markers(events)
    reader.check_foreign()
    if reader.problems:
        raise ConfigError("\n".join(several(reader.problems)))
    if not any("beat" in item for item in data["events"]):
        bpm = None
    return scope_timeline(Timeline(tuple(events), max(duration, last), name, loop, reader.foreign, description, bpm=bpm))


class _Reader:
    """Reads values of a document and collects its mistakes."""

    def __init__(self, document: Document, names: ParamNames, presets: PresetLibrary | None) -> None:
        self.document = document
        self.names = names
        self.presets = presets
        self.problems = list(document.problems)
        self.foreign: dict[str, Any] = document.data.get("scope", {})

    def refuse(self, key: KeyPath, value: Any, give: str) -> None:
        self.problems.append(f"{self.document.where(key)}: {dotted(key)}: cannot be {shown(value)}; give {give}")

    def text(self, key: KeyPath, value: Any) -> str:
        if not isinstance(value, str) or not one_line(value):
            self.refuse(key, value, "one line of text")
            return ""
        return value

    def time(self, key: KeyPath, value: Any) -> float:
        seconds = seconds_of(value)
        if seconds is None:
            self.refuse(key, value, f"seconds 0..{MAX_SECONDS:g}, or 1:30 for minutes and seconds")
            return 0.0
        return seconds

    def number(self, key: KeyPath, value: Any, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.refuse(key, value, f"a number {low:g}..{high:g}")
            return low
        return float(value)

    def events(self, items: list[Any], bpm: float | None) -> Iterator[Event]:
        for index, item in enumerate(items):
            yield self.event(index, item, bpm)
            if len(self.problems) > MAX_PROBLEMS:
                break

    def event(self, index: int, data: Any, bpm: float | None) -> Event:
        key: KeyPath = ("events", index)
        if not isinstance(data, dict):
            self.refuse(key, data, "at and set")
            return Event(0.0, {})
        self.problems += self.document.unknown(_EVENT_KEYS, key)
        marker = self.text((*key, "marker"), self.document.text("marker", "", key))
        given = data.get("set", {} if "marker" in data else None)
        if not isinstance(given, dict) or not (given or "marker" in data):
            self.refuse((*key, "set"), given, "parameters and their values, such as noise_scale: 0.8")
            given = {}
        place = self.document.where
        written = self.document.texts((*key, "set"))
        values, refused = read_params(
            given, lambda name: place((*key, "set", name)), happenings=True, names=self.names, written=written
        )
        self.problems += refused
        self._recall((*key, "set", "preset"), values.get("preset"))
        fired = {name: value for name, value in values.items() if value or PARAMS[name].kind is not Kind.TRIGGER}
        return Event(self._time(key, data, bpm), fired, marker)

    def _recall(self, key: KeyPath, preset: Value | None) -> None:
        if self.presets is None or preset is None:
            return
        try:
            self.presets.get(preset)
        except ParamError as error:
            self.problems.append(f"{self.document.where(key)}: {dotted(key)}: {error}")

    def _time(self, key: KeyPath, data: dict[str, Any], bpm: float | None) -> float:
        if ("at" in data) == ("beat" in data):
            self.problems.append(f"{self.document.where(key)}: {dotted(key)}: give either at (seconds) or beat")
        elif "at" in data:
            return self.time((*key, "at"), data["at"])
        elif bpm is None:
            self.problems.append(
                f"{self.document.where((*key, 'beat'))}: {dotted(key)}.beat: needs the timeline's bpm; give bpm: 120"
            )
        else:
            return seconds_of_beat(self.number((*key, "beat"), data["beat"], 0, MAX_SECONDS * bpm / 60), bpm)
        return 0.0

    def check_foreign(self) -> None:
        ranges = self.foreign.get("ranges", []) if isinstance(self.foreign, dict) else None
        known = isinstance(ranges, list) and all(isinstance(item, dict) and "startTime" in item for item in ranges)
        if not known or not isinstance(self.foreign.get("settings", {}), dict):
            self.refuse(("scope",), self.foreign, "what `sdv2-live timeline convert` wrote there, or leave it out")

    def check_markers(self, events: list[Event]) -> None:
        names = [event.marker for event in events if event.marker]
        self.problems += [f"{self.document.path}: the marker '{name}' is given twice; keep one" for name in _repeated(names)]


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
