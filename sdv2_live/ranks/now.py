"""What is seen of an engine's ranks. Free of torch, for the show's process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RankNow:
    """A rank of an engine that has several.

    Attributes:
        stages: that it computes, in words.
        busy: share of the last second in which it computed, 0..1.
        ms: of one call of its blocks; 0 where it has none, or has done none.
        memory_mb: that it holds: of its GPU, else of its process.
    """

    stages: str
    busy: float
    ms: float
    memory_mb: int

    def __str__(self) -> str:
        call = f"{self.ms:.1f} ms a call, " if self.ms else ""
        return f"({self.stages}: {self.busy:.0%} busy, {call}{self.memory_mb / 1000:.1f} GB)"
