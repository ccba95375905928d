"""What is seen of an engine's ranks. Free of torch, for the show's process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RankNow:
    """A rank of an engine that has several.

    Attributes:
        blocks: of the transformer, those that it computes.
        busy: share of the last second in which it computed, 0..1.
        ms: of one call of its blocks.
        memory_mb: that it holds: of its GPU, else of its process.
    """

    blocks: str
    busy: float
    ms: float
    memory_mb: int

    def __str__(self) -> str:
        return f"(blocks {self.blocks}: {self.busy:.0%} busy, {self.ms:.1f} ms, {self.memory_mb / 1000:.1f} GB)"
