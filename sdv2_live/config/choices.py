"""What a performer chooses between in the configuration, where no lower room has an enumeration of it."""

from __future__ import annotations

from enum import Enum


class OnLost(Enum):
    """What takes the place of an input that fails (`input.on_lost`)."""

    HOLD = "hold"
    TEXT = "text"
    SLATE = "slate"
    BACKUP = "backup"


class Fallback(Enum):
    """What takes a painting's place while the engine is away (`faults.on_fault`)."""

    INPUT = "input"
    HOLD = "hold"
    SLATE = "slate"
    BLACK = "black"
