"""Waiting longer and longer before something is tried again that turned out to be too early."""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST = 32  # times the first wait


@dataclass(slots=True)
class Backoff:
    """`seconds` to wait: those of `first`, twice as many after each `grow`, at most `longest` (LONGEST times the first)."""

    first: float
    longest: float = 0.0
    seconds: float = field(init=False)

    def __post_init__(self) -> None:
        self.longest = self.longest or LONGEST * self.first
        self.reset()

    def grow(self) -> None:
        """The last try was too early."""
        self.seconds = min(2 * self.seconds, self.longest)

    def reset(self) -> None:
        """The last try was good: the next wait is the first again."""
        self.seconds = self.first
