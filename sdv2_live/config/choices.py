"""Enumerations of the configuration that no lower package has."""

from __future__ import annotations

from enum import Enum


class OnLost(Enum):
    """The substitute for an input that fails (`input.on_lost`)."""

    HOLD = "hold"
    TEXT = "text"
    SLATE = "slate"
    BACKUP = "backup"


class Fallback(Enum):
    """The substitute for paintings while the engine is away (`faults.on_fault`)."""

    INPUT = "input"
    HOLD = "hold"
    SLATE = "slate"
    BLACK = "black"
