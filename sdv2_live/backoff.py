"""Exponential backoff for retries."""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST = 32  # times the first wait


@dataclass(slots=True)
class Backoff:
    """Seconds to wait before a retry: `first`, doubled by each `grow`, at most LONGEST times the first."""

    first: float
    longest: float = 0.0
    seconds: float = field(init=False)

    def __post_init__(self) -> None:
        self.longest = self.longest or LONGEST * self.first
        self.reset()

    def grow(self) -> None:
        """Double the wait, as the last try was too early."""
        self.seconds = min(2 * self.seconds, self.longest)

    def reset(self) -> None:
        """Return to the first wait, as the last try succeeded."""
        self.seconds = self.first
