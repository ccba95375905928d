"""Gliding: numbers that move to their targets over a time, one step a chunk."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sdv2_live.control.params import PARAMS


def can_glide(name: str) -> bool:
    """True when values between two settings of the parameter make sense."""
    return PARAMS[name].continuous


@dataclass(frozen=True, slots=True)
class Morph:
    """A linear glide of several parameters, from `start` at time `began` to `target` `seconds` later."""

    start: Mapping[str, float]
    target: Mapping[str, float]
    began: float
    seconds: float

    def at(self, now: float) -> dict[str, float]:
        """The values at time `now`; exactly the targets from the end on."""
        share = (now - self.began) / self.seconds if self.seconds > 0 else 1.0
        if share >= 1:
            return dict(self.target)
        share = max(share, 0.0)
        return {name: self.start[name] + (target - self.start[name]) * share for name, target in self.target.items()}

    def done(self, now: float) -> bool:
        """True when every target is reached."""
        return not self.target or now - self.began >= self.seconds

    def without(self, names: Collection[str]) -> Morph:
        """The same glide without `names`: a parameter that the performer moves leaves it."""
        return replace(self, target={name: target for name, target in self.target.items() if name not in names})
