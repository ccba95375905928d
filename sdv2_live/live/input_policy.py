"""The policy about an input that fails, and the substitute given in its place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sdv2_live.config.choices import OnLost
from sdv2_live.live.input_health import Fault


class ActiveInput(Enum):
    """The input whose frames are given: the main one or a substitute."""

    MAIN = "main"
    BACKUP = "backup"
    TEXTURE = "texture"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Policy:
    """The reaction to faults of an input.

    Attributes:
        on_lost: the substitute during a fault.
        lost_s: see InputHealth.
        frozen_s: see InputHealth.
        black_s: see InputHealth.
        return_s: seconds for which the main input must have been steady before it returns.
        fade_s: crossfade from one input to the other; 0 cuts.
    """

    on_lost: OnLost = OnLost.HOLD
    lost_s: float = 1.0
    frozen_s: float = 0.0
    black_s: float = 0.0
    return_s: float = 2.0
    fade_s: float = 0.5


@dataclass(frozen=True, slots=True)
class InputState:
    """The active input, and the main input's fault."""

    shown: ActiveInput = ActiveInput.MAIN
    fault: Fault | None = None

    @property
    def words(self) -> str:
        """A phrase for the performer, such as "main", or "backup: the input is lost"."""
        return self.shown.value + (f": the input is {self.fault.value}" if self.fault else "")
