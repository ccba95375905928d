"""The model of a timeline: events in time, each setting parameters."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sdv2_live.control.params import PARAMS, Kind, Value

MAX_SECONDS = 86_400.0
SAME_TIME_S = 1e-3  # times that lie closer are meant to be the same: sums of decimals are never exact
_CLOCK = re.compile(r"(?:(\d{1,2}):)?(\d{1,3}):([0-5]?\d(?:\.\d*)?)", re.ASCII)


def clock_seconds(text: str) -> float | None:
    """The seconds of 90, 1:30 or 0:01:30; None for a text that is no time."""
    if clock := _CLOCK.fullmatch(text.strip()):
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
    try:
        return float(text)
    except ValueError:
        return None


def seconds_of(value: Any) -> float | None:
    """Seconds from the start, from a number or text of a file; None when it is no time in 0..MAX_SECONDS."""
    if isinstance(value, str):
        value = clock_seconds(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
        return None
    return float(value)


def seconds_of_beat(beat: float, bpm: float) -> float:
    """Seconds from the start of a beat, from 0."""
    return round(beat * 60 / bpm, 9)


@dataclass(frozen=True, slots=True)
class Event:
    """Values that are set at one time, in seconds from the start. Triggers in `values` carry True."""

    at: float
    values: Mapping[str, Value] = field(hash=False)
    marker: str = ""


def merged(events: Iterable[Event]) -> Iterator[Event]:
    """Fewer events with the same result: those between presets and takes become one.

    Presets and takes stay, as they depend on earlier values.
    """
    values: dict[str, Value] = {}
    for event in events:
        if event.values.keys() & {"preset", "take"}:
            yield from [Event(event.at, values)] if values else []
            yield event
            values = {}
        else:
            values.update(event.values)
    yield from [Event(0.0, values)] if values else []


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events in ascending time.

    Attributes:
        bpm: the tempo for which its times hold, where it was written in beats: played live it follows the show's tempo.
        foreign: content of a Scope file beyond this model, for export.
        size: (height, width) of the picture, when the file asks for one.
        notes: a sentence on each part of the file that has no effect.
    """

    events: tuple[Event, ...]
    duration: float
    name: str = ""
    loop: bool = False
    foreign: Mapping[str, Any] = field(default_factory=dict, hash=False)
    description: str = ""
    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    bpm: float | None = None

    def with_notes(self, size: tuple[int, int] | None, notes: tuple[str, ...]) -> Timeline:
        """The same timeline, for a picture of `size`, with a sentence on each part of its file that has no effect here."""
        return replace(self, size=size, notes=notes)

    def params_at(self, time: float) -> dict[str, Value]:
        """Every parameter that has been set by `time` seconds, with its value at that time. No triggers."""
        changes: dict[str, Value] = {}
        for event in self.events:
            if event.at <= time:
                changes |= event.values
        return {name: value for name, value in changes.items() if PARAMS[name].kind is not Kind.TRIGGER}

    @property
    def digest(self) -> str:
        """A hash of the events and the duration, equal for timelines that set the same at the same times."""
        told = [(event.at, event.marker, sorted(event.values.items())) for event in self.events]
        return hashlib.sha256(json.dumps([told, self.duration], default=list).encode()).hexdigest()[:16]

    @property
    def prompts(self) -> list[str]:
        """Every prompt that it sets, once, in order."""
        return list(dict.fromkeys(str(event.values["prompt"]) for event in self.events if "prompt" in event.values))

    @property
    def markers(self) -> dict[str, float]:
        """Time of each marker in seconds, in order."""
        return {event.marker: event.at for event in self.events if event.marker}


EMPTY = Timeline((), 0.0)
