"""A timeline as a list of what happens in it, as surfaces draw it: plain data for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sdv2_live.control.params import PARAMS, Kind, Value
from sdv2_live.control.timeline.model import Timeline

MAX_SHOWN = 2000  # events, markers, and points of each curve
_TEXT = 300  # characters of a value that are shown


def listing(timeline: Timeline) -> dict[str, Any]:
    """Markers, events and curves: `markers` (at, name), `events` (at, until, what, name, text), `curves` (name, points)."""
    changes: dict[str, list[tuple[float, Value]]] = {}
    for event in timeline.events:
        for name, value in event.values.items():
            changes.setdefault(name, []).append((event.at, value))
    curves = {name: points for name, points in changes.items() if PARAMS[name].continuous and len({v for _, v in points}) > 1}
    events = [row for name, points in changes.items() if name not in curves for row in _rows(name, points, timeline.duration)]
    events.sort(key=lambda row: row["at"])
    return {
        "seconds": timeline.duration,
        "markers": [{"at": at, "name": name} for name, at in timeline.markers.items()][:MAX_SHOWN],
        "events": events[:MAX_SHOWN],
        "curves": [{"name": name, "points": [list(point) for point in _thinned(points)]} for name, points in curves.items()],
    }


def _rows(name: str, points: list[tuple[float, Value]], duration: float) -> Iterator[dict[str, Any]]:
    """The changes of one parameter; each holds until the next of another value."""
    kind = PARAMS[name].kind
    if kind is Kind.TRIGGER:
        yield from ({"at": at, "until": None, "what": "trigger", "name": name, "text": name} for at, _ in points)
        return
    what = "preset" if kind is Kind.PRESET else "prompt" if name.split("/")[0] == "prompt" and kind is Kind.TEXT else "value"
    kept = [point for before, point in zip([None, *points], points, strict=False) if before is None or before[1] != point[1]]
    ends = [*(at for at, _ in kept[1:]), duration]
    for (at, value), until in zip(kept, ends, strict=True):
        if value != "":
            yield {"at": at, "until": until, "what": what, "name": name, "text": _words(value)[:_TEXT]}


def _words(value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)


def _thinned(points: list[tuple[float, Value]]) -> list[tuple[float, Value]]:
    """Evenly chosen points where there are more than a strip can show, the last one among them."""
    step = -(-len(points) // MAX_SHOWN)
    return points[::-step][::-1]
