"""Export of timelines as the JSON that Daydream Scope reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sdv2_live.control.params import PARAMS, PROMPT_SLOTS, Params, Value, updated, value_of
from sdv2_live.control.timeline.model import Timeline
from sdv2_live.control.timeline.scope_keys import FULL_WEIGHT, PIPELINE, SETTINGS, VERSION

_PROMPT_NAMES = frozenset(name for name in PARAMS if name.split("/")[0] == "prompt")


def to_scope(timeline: Timeline, exported_at: datetime | None = None) -> tuple[dict[str, Any], list[str]]:
    """The timeline as Scope's JSON data, and a sentence on each thing that the format cannot hold.

    The settings are those at time 0; prompt ranges end where the next begins, the last at the timeline's duration.
    """
    set_at_start = timeline.params_at(0.0)
    start = updated(Params(), set_at_start)
    foreign = timeline.foreign
    settings = {
        "pipelineId": PIPELINE,
        "resolution": {"height": 480, "width": 832},
        "manageCache": False,
        **foreign.get("settings", {}),
        **{
            name: _plain(value_of(start, PARAMS[known]))
            for name, known in SETTINGS.items()
            if known in set_at_start or "settings" not in foreign
        },
    }
    when = foreign.get("exportedAt") or _iso(exported_at or datetime.now(UTC))
    others = {key: value for key, value in foreign.items() if key not in ("settings", "ranges")}
    data = {**others, "prompts": _ranges(timeline), "settings": settings, "version": foreign.get("version", VERSION)}
    return data | {"exportedAt": when}, _lost(timeline)


def _ranges(timeline: Timeline) -> list[dict[str, Any]]:
    """One range from every event that changes a prompt to the next such event."""
    kept = {item["startTime"]: item for item in timeline.foreign.get("ranges", [])}
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
            "prompts": [{"text": text, "weight": _number(weight * FULL_WEIGHT)} for text, weight in _slots(params)],
            **({"transitionSteps": params.transition_chunks} if params.transition_chunks else {}),
            **kept.get(at, {}),
        }
        for (at, params), end in zip(starts.items(), ends, strict=True)
    ]


def _slots(params: Params) -> list[tuple[str, float]]:
    """(text, weight) of every slot with a text, also of those that do not show."""
    slots = zip((params.prompt, *params.prompts), params.weights, strict=True)
    return [(text, weight) for text, weight in slots if text][:PROMPT_SLOTS] or list(params.blend)


def _lost(timeline: Timeline) -> list[str]:
    held = _PROMPT_NAMES | {"transition_chunks"}
    told: Mapping[str, Any] = {"loop": timeline.loop, "description": timeline.description}
    lost = [f"{key}: Scope's format has none" for key, value in told.items() if value]
    if timeline.name and not timeline.foreign:
        lost.append(f"name '{timeline.name}': Scope's format has none")
    for event in timeline.events:
        lost += [
            f"{name} at {event.at:g} s: Scope's format cannot hold this change"
            for name in event.values
            if name not in held and (event.at > 0 or name not in SETTINGS.values())
        ]
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
