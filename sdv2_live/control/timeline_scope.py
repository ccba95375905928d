"""Scope's timeline JSON, version "2.0": import and export.

A file holds prompt ranges with start and end times in seconds, each a weighted list of prompts, and settings that hold for the
whole timeline. Import turns ranges into events and settings into values at time 0; what has no counterpart here (pipeline,
resolution, keys that Scope may add) is kept and written back by export.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from sdv2_live.control.coerce import exact
from sdv2_live.control.params import PARAMS, PROMPT_SLOTS, Params, Value, shown, updated, value_of
from sdv2_live.control.timeline_model import MAX_SECONDS, Event, Timeline
from sdv2_live.control.yamlfile import Document, KeyPath, dotted, load_json
from sdv2_live.errors import ConfigError, ParamError

VERSION = "2.0"
FULL_WEIGHT = 100  # of one prompt in Scope; here 1.0

SETTINGS: Mapping[str, str] = MappingProxyType(
    {"seed": "seed", "denoisingSteps": "steps", "noiseScale": "noise_scale", "noiseController": "noise_controller"}
)
_PROMPT_NAMES = frozenset(name for name in PARAMS if name.split("/")[0] == "prompt")
_RANGE_KEYS = frozenset({"startTime", "endTime", "prompts"})


def load_scope_timeline(path: Path) -> Timeline:
    """Read a file that Scope exported. Raises ConfigError with a line for every mistake."""
    return _Import(load_json(path)).timeline()


def to_scope(timeline: Timeline, exported_at: datetime | None = None) -> tuple[dict[str, Any], list[str]]:
    """The timeline as Scope's JSON data, and a sentence on each thing that the format cannot hold.

    The settings are those at time 0; prompt ranges end where the next begins, the last at the timeline's duration.
    """
    start = updated(Params(), timeline.params_at(0.0))
    foreign = timeline.foreign
    settings = {
        "pipelineId": "streamdiffusionv2",
        "resolution": {"height": 480, "width": 832},
        "manageCache": False,
        **foreign.get("settings", {}),
        **{name: _plain(value_of(start, PARAMS[known])) for name, known in SETTINGS.items()},
    }
    when = foreign.get("exportedAt") or _iso(exported_at or datetime.now(UTC))
    others = {key: value for key, value in foreign.items() if key not in ("settings", "ranges")}
    data = {**others, "prompts": _ranges(timeline), "settings": settings, "version": VERSION, "exportedAt": when}
    return data, _lost(timeline)


def _ranges(timeline: Timeline) -> list[dict[str, Any]]:
    """One range from every event that changes a prompt to the next such event."""
    kept = timeline.foreign.get("ranges", {})
    params = Params()
    starts: dict[float, Params] = {}
    for event in timeline.events:
        params = updated(params, event.values)
        if event.values.keys() & _PROMPT_NAMES:
            starts[event.at] = params
    starts = starts or {0.0: params}  # a range must be, and the first prompt holds throughout
    ends = [*list(starts)[1:], timeline.duration]
    return [
        {
            "startTime": at,
            "endTime": end,
            "prompts": [{"text": text, "weight": _number(weight * FULL_WEIGHT)} for text, weight in params.blend],
            **kept.get(at, {}),
        }
        for (at, params), end in zip(starts.items(), ends, strict=True)
    ]


def _lost(timeline: Timeline) -> list[str]:
    lost = []
    for event in timeline.events:
        for name in event.values:
            if name not in _PROMPT_NAMES and (event.at > 0 or name not in SETTINGS.values()):
                lost.append(f"{name} at {event.at:g} s: Scope's format cannot hold this change")
        if event.marker:
            lost.append(f"marker '{event.marker}' at {event.at:g} s: Scope's format has no markers")
    return lost


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _number(value: float) -> int | float:
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) else rounded


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Range(NamedTuple):
    start: float
    end: float
    slots: list[tuple[Any, Any]]  # (text, weight), checked
    others: dict[str, Any]  # keys that mean nothing here


class _Import:
    """One file on its way into a `Timeline`; collects every mistake before it raises."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._problems: list[str] = []

    def timeline(self) -> Timeline:
        data = self._document.data
        if not isinstance(data, dict) or not isinstance(data.get("prompts"), list) or not data["prompts"]:
            raise ConfigError(f"{self._document.where(('prompts',))}: prompts: a Scope timeline needs a list of prompt ranges")
        if data.get("version") != VERSION:
            self._refuse(("version",), data.get("version"), f'"{VERSION}", the version that is read here')
        ranges = [self._range(index, item) for index, item in enumerate(data["prompts"])]
        for index, (before, after) in enumerate(pairwise(ranges), start=1):
            if after.start < before.end:
                self._refuse(
                    ("prompts", index, "startTime"), after.start, f"at least {before.end:g}, where the range before ends"
                )
        settings = self._settings(data.get("settings", {}))
        if self._problems:
            raise ConfigError("\n".join(self._problems))
        return _assemble(data, ranges, settings, self._document.path.stem)

    def _refuse(self, key: KeyPath, value: Any, give: str) -> None:
        self._problems.append(f"{self._document.where(key)}: {dotted(key)}: cannot be {shown(value)}; give {give}")

    def _time(self, key: KeyPath, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
            self._refuse(key, value, f"seconds 0..{MAX_SECONDS:g}")
            return 0.0
        return value

    def _range(self, index: int, item: Any) -> _Range:
        key: KeyPath = ("prompts", index)
        if not isinstance(item, dict):
            self._refuse(key, item, "startTime, endTime and prompts")
            return _Range(0.0, 0.0, [], {})
        start, end = (self._time((*key, name), item.get(name)) for name in ("startTime", "endTime"))
        if end < start:
            self._refuse((*key, "endTime"), end, f"at least {start:g}, its startTime")
        prompts = item.get("prompts")
        if not isinstance(prompts, list) or not 1 <= len(prompts) <= PROMPT_SLOTS:
            self._refuse((*key, "prompts"), prompts, f"1 to {PROMPT_SLOTS} prompts with text and weight")
            prompts = []
        slots = [self._slot((*key, "prompts", number), prompt) for number, prompt in enumerate(prompts)]
        return _Range(start, end, slots, {name: value for name, value in item.items() if name not in _RANGE_KEYS})

    def _slot(self, key: KeyPath, item: Any) -> tuple[Any, Any]:
        if not isinstance(item, dict):
            self._refuse(key, item, "text and weight")
            return "", 0.0
        weight = item.get("weight", FULL_WEIGHT)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= FULL_WEIGHT:
            self._refuse((*key, "weight"), weight, f"a number 0..{FULL_WEIGHT}")
            weight = 0.0
        return self._value((*key, "text"), "prompt", item.get("text")), weight / FULL_WEIGHT

    def _settings(self, given: Any) -> dict[str, Value]:
        if not isinstance(given, dict):
            self._refuse(("settings",), given, "settings such as seed and noiseScale")
            return {}
        return {known: self._value(("settings", name), known, given[name]) for name, known in SETTINGS.items() if name in given}

    def _value(self, key: KeyPath, name: str, value: Any) -> Value:
        try:
            return exact(PARAMS[name], value, f"{self._document.where(key)}: {dotted(key)}")
        except ParamError as error:
            self._problems.append(str(error))
            return PARAMS[name].default


def _assemble(data: dict[str, Any], ranges: list[_Range], settings: dict[str, Value], name: str) -> Timeline:
    used = max(len(item.slots) for item in ranges)
    events = [Event(0.0, settings)] if settings else []
    for item in ranges:
        values: dict[str, Value] = {}
        for slot in range(1, used + 1):
            text, weight = item.slots[slot - 1] if slot <= len(item.slots) else ("", 0.0)
            values["prompt" if slot == 1 else f"prompt/{slot}/text"] = text
            values[f"prompt/{slot}/weight"] = weight
        events.append(Event(item.start, values))
    kept = {item.start: dict(item.others) for item in ranges}
    for before, after in pairwise(ranges):
        if before.end != after.start:
            kept[before.start]["endTime"] = before.end  # a gap: the prompt holds, but Scope shall get its range back
    foreign = {key: value for key, value in data.items() if key not in ("prompts", "version")}
    return Timeline(tuple(events), ranges[-1].end, name, foreign=foreign | {"ranges": kept})
