"""What a timeline is: events in time, each setting parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sdv2_live.control.params import PARAMS, Kind, Value

MAX_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Event:
    """What is set at one time, in seconds from the start. Triggers in `values` carry True."""

    at: float
    values: Mapping[str, Value] = field(hash=False)
    marker: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events in ascending time. `foreign` keeps what a Scope file holds beyond this model, so that export gives it back."""

    events: tuple[Event, ...]
    duration: float
    name: str = ""
    loop: bool = False
    foreign: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def changes_between(self, start: float, end: float) -> dict[str, Value]:
        """What to set for start <= t < end, in seconds; of several changes to one parameter the last. Triggers are True.

        A preset recalled in that time counts before the values set in it.
        """
        changes: dict[str, Value] = {}
        for event in self.events:
            if start <= event.at < end:
                changes |= event.values
        return changes

    def params_at(self, time: float) -> dict[str, Value]:
        """Every parameter that has been set by `time` seconds, with its value then: what a seek has to set. No triggers."""
        changes = self.changes_between(-math.inf, math.nextafter(time, math.inf))
        return {name: value for name, value in changes.items() if PARAMS[name].kind is not Kind.TRIGGER}

    @property
    def markers(self) -> dict[str, float]:
        """Marker to time in seconds, in order."""
        return {event.marker: event.at for event in self.events if event.marker}
