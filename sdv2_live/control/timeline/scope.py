"""Timelines that Daydream Scope exported: its timeline JSON (versions 2.x) and its workflows (1.x).

A file holds prompt ranges with start and end times in seconds, each a weighted list of prompts, and settings that hold for the
whole timeline. Import turns ranges into events and settings into values at time 0. Keys without a counterpart here (pipeline,
resolution, keys that Scope may add) are kept, written back by export, and named where they have no effect.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from sdv2_live.control.coerce import coerce, exact
from sdv2_live.control.params import PARAMS, PROMPT_SLOTS, Value
from sdv2_live.control.timeline.model import MAX_SECONDS, SAME_TIME_S, Event, Timeline
from sdv2_live.control.timeline.scope_export import to_scope
from sdv2_live.control.timeline.scope_keys import (
    FULL_WEIGHT,
    SETTINGS,
    TIMELINE,
    WORKFLOW,
    WORKFLOW_SETTINGS,
    Form,
    mapping,
    picture_size,
    without_effect,
)
from sdv2_live.errors import MAX_PROBLEMS, ConfigError, ParamError, several
from sdv2_live.wording import shown
from sdv2_live.yamlfile import Document, KeyPath, dotted, load_json

__all__ = ["load_scope_timeline", "scope_timeline", "to_scope"]


def load_scope_timeline(path: Path) -> Timeline:
    """Read a file that Scope exported. Raises ConfigError with a line for every mistake."""
    document = load_json(path)
    data = document.data
    if isinstance(data, dict) and data.get("format") == "scope-workflow":
        return _Import(document, WORKFLOW).workflow()
    return _Import(document, TIMELINE).timeline()


def scope_timeline(timeline: Timeline) -> Timeline:
    """The timeline with the results of its `foreign` keys: the picture's size, and a note on each key without effect."""
    size = picture_size(timeline.foreign.get("settings", {}))
    return timeline.with_notes(size, (*timeline.notes, *without_effect(timeline.foreign)))


class _Range(NamedTuple):
    start: float
    end: float
    slots: list[tuple[Any, Any]]  # (text, weight), checked
    steps: int | None  # chunks that its first prompt fades in
    others: dict[str, Any]  # keys that mean nothing here


class _Import:
    """The import of one file into a `Timeline`; collects every mistake before it raises."""

    def __init__(self, document: Document, form: Form) -> None:
        self._document = document
        self._form = form
        self._problems: list[str] = []
        self._notes: list[str] = []

    def timeline(self) -> Timeline:
        data = self._document.data
        if not isinstance(data, dict) or not isinstance(data.get("prompts"), list) or not data["prompts"]:
            raise ConfigError(f"{self._document.where(('prompts',))}: prompts: a Scope timeline needs a list of prompt ranges")
        if not str(data.get("version")).startswith("2."):
            self._refuse(("version",), data.get("version"), '"2.0" or "2.1", the versions that are read here')
        settings = data.get("settings") or {}
        foreign = {key: value for key, value in data.items() if key != "prompts"} | {"settings": settings}
        return self._assembled(self._ranges(data["prompts"]), settings, foreign, {}, self._document.path.stem)

    def workflow(self) -> Timeline:
        """Import a workflow, like `timeline`; settings are those of its main pipeline."""
        data = self._document.data
        if not str(data.get("format_version")).startswith("1."):
            self._refuse(("format_version",), data.get("format_version"), '"1.0", the version that is read here')
        listed = data.get("pipelines")
        pipelines = [mapping(item) for item in listed] if isinstance(listed, list) else []
        main = next((item for item in pipelines if item.get("role", "main") == "main"), {})
        given = mapping(main.get("params"))
        settings = {WORKFLOW_SETTINGS.get(name, name): value for name, value in given.items() if name not in ("height", "width")}
        if "height" in given and "width" in given:
            settings["resolution"] = {side: given[side] for side in ("height", "width")}
        settings |= {"pipelineId": main["pipeline_id"]} if "pipeline_id" in main else {}
        settings |= {"loras": main["loras"]} if main.get("loras") else {}
        entries = mapping(data.get("timeline")).get("entries")
        if not isinstance(entries, list) or not entries:
            entries = [{"start_time": 0, "end_time": 0, "prompts": data.get("prompts")}]
            if not data.get("prompts"):
                self._refuse(("timeline",), data.get("timeline"), "entries of a timeline, or prompts beside it")
        ranges = self._ranges(entries)
        start: dict[str, Value] = {}
        if data.get("interpolation_method"):
            start["interpolation"] = self._value(("interpolation_method",), "interpolation", data["interpolation_method"])
        default = self._steps(("transition_steps",), data.get("transition_steps"))
        ranges = [item if item.steps is not None else item._replace(steps=default) for item in ranges]
        if method := data.get("temporal_interpolation_method"):
            ranges = [item._replace(others={TIMELINE.method: method, **item.others}) for item in ranges]
        metadata = mapping(data.get("metadata"))
        processors = [item for item in pipelines if item is not main]
        foreign = {"version": "2.1", "settings": settings, "workflow": {"metadata": metadata, "processors": processors}}
        foreign |= {"exportedAt": metadata["created_at"]} if metadata.get("created_at") else {}
        read = {"format", "format_version", "metadata", "pipelines", "timeline", "prompts", "transition_steps"}
        read |= {"interpolation_method", "temporal_interpolation_method"}
        foreign |= {name: value for name, value in data.items() if name not in read}
        name = metadata.get("name")
        return self._assembled(ranges, settings, foreign, start, name if isinstance(name, str) else self._document.path.stem)

    def _refuse(self, key: KeyPath, value: Any, give: str) -> None:
        self._problems.append(f"{self._document.where(key)}: {dotted(key)}: cannot be {shown(value)}; give {give}")

    def _ranges(self, items: list[Any]) -> list[_Range]:
        ranges = []
        for index, item in enumerate(items):
            ranges.append(self._range((*self._form.ranges, index), item))
            if len(self._problems) > MAX_PROBLEMS:
                break
        for index, (before, after) in enumerate(pairwise(ranges), start=1):
            if after.start < before.end - SAME_TIME_S:
                key = (*self._form.ranges, index, self._form.start)
                self._refuse(key, after.start, f"at least {before.end:g}, where the range before ends")
        return ranges

    def _time(self, key: KeyPath, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
            self._refuse(key, value, f"seconds 0..{MAX_SECONDS:g}")
            return 0.0
        return value

    def _range(self, key: KeyPath, item: Any) -> _Range:
        form = self._form
        if not isinstance(item, dict):
            self._refuse(key, item, f"{form.start}, {form.end} and prompts")
            return _Range(0.0, 0.0, [], None, {})
        start, end = (self._time((*key, name), item.get(name)) for name in (form.start, form.end))
        if end < start:
            self._refuse((*key, form.end), end, f"at least {start:g}, its {form.start}")
        text = item.get("text")
        prompts = item.get("prompts") or ([{"text": text}] if text else item.get("prompts"))
        if not isinstance(prompts, list) or not 1 <= len(prompts) <= PROMPT_SLOTS:
            self._refuse((*key, "prompts"), prompts, f"1 to {PROMPT_SLOTS} prompts with text and weight")
            prompts = []
        slots = [self._slot((*key, "prompts", number), prompt) for number, prompt in enumerate(prompts)]
        steps = self._steps((*key, form.steps), item.get(form.steps))
        read = {form.start, form.end, "prompts", form.method} | ({form.steps} if steps != 0 else set())
        read |= {"text"} if slots and slots[0][0] == text else set()  # the same once more
        others = {name: value for name, value in item.items() if name not in read}
        others |= {TIMELINE.method: item[form.method]} if form.method in item else {}
        return _Range(start, end, slots, steps, others)

    def _steps(self, key: KeyPath, value: Any) -> int | None:
        """Chunks of a transition. A value that is too large is clamped and noted."""
        if value is None:
            return None
        try:
            steps, note = coerce(PARAMS["transition_chunks"], value, f"{self._document.where(key)}: {dotted(key)}")
        except ParamError as error:
            self._problems.append(str(error))
            return None
        self._notes += [f"{dotted(key)}: {note}"] if note else []
        return int(steps)  # type: ignore[arg-type]  # an integer of the table

    def _slot(self, key: KeyPath, item: Any) -> tuple[Any, Any]:
        if not isinstance(item, dict):
            self._refuse(key, item, "text and weight")
            return "", 0.0
        weight = item.get("weight", FULL_WEIGHT)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= FULL_WEIGHT:
            self._refuse((*key, "weight"), weight, f"a number 0..{FULL_WEIGHT}")
            weight = 0.0
        return self._value((*key, "text"), "prompt", item.get("text")), weight / FULL_WEIGHT

    def _value(self, key: KeyPath, name: str, value: Any) -> Value:
        try:
            return exact(PARAMS[name], value, f"{self._document.where(key)}: {dotted(key)}")
        except ParamError as error:
            self._problems.append(str(error))
            return PARAMS[name].default

    def _settings(self, given: Any) -> dict[str, Value]:
        if not isinstance(given, dict):
            self._refuse(("settings",), given, "settings such as seed and noiseScale")
            return {}
        return {
            known: self._value(("settings", name), known, given[name])
            for name, known in SETTINGS.items()
            if given.get(name) is not None
        }

    def _assembled(
        self, ranges: list[_Range], given: Any, foreign: dict[str, Any], start: dict[str, Value], name: str
    ) -> Timeline:
        settings = self._settings(given) | start
        if self._problems:
            raise ConfigError("\n".join(several(self._problems)))
        lasting = [item for item in ranges if item.end > item.start] or ranges
        if len(lasting) < len(ranges):
            self._notes.append(f"{len(ranges) - len(lasting)} prompt ranges last no time and are left out")
        events = [Event(0.0, settings)] if settings else []
        kept = [{TIMELINE.start: item.start, **item.others} for item in lasting]
        for index, (before, after) in enumerate(pairwise(lasting)):
            if before.end != after.start:
                kept[index][TIMELINE.end] = before.end  # a gap: the prompt holds, but Scope shall get its range back
        timeline = Timeline((*events, *_events(lasting)), lasting[-1].end, name, foreign=foreign | {"ranges": kept})
        return scope_timeline(timeline.with_notes(None, tuple(self._notes)))


def _events(ranges: list[_Range]) -> list[Event]:
    """The events of the ranges: each sets all slots that any range uses, and the transition if any range has one."""
    used = max(len(item.slots) for item in ranges)
    fading = any(item.steps is not None for item in ranges)
    events = []
    for item in ranges:
        values: dict[str, Value] = {"transition_chunks": item.steps or 0} if fading else {}
        for slot in range(1, used + 1):
            text, weight = item.slots[slot - 1] if slot <= len(item.slots) else ("", 0.0)
            values["prompt" if slot == 1 else f"prompt/{slot}/text"] = text
            values[f"prompt/{slot}/weight"] = weight
        events.append(Event(item.start, values))
    return events
