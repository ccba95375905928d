"""The policy about an input that fails, and the substitute given in its place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sdv2_live.config.choices import OnLost
from sdv2_live.live.input_health import Fault


class ActiveInput(Enum):
    """The input that is given: the main one or a substitute."""

    MAIN = "main"
    BACKUP = "backup"
    TEXTURE = "texture"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Policy:
    """on_lost: what to do about a fault. lost_s, frozen_s, black_s: see InputHealth. return_s: the main input must have been
    steady for so long before it takes its place again. fade_s: crossfade from one input to the other; 0 cuts."""

    on_lost: OnLost = OnLost.HOLD
    lost_s: float = 1.0
    frozen_s: float = 0.0
    black_s: float = 0.0
    return_s: float = 2.0
    fade_s: float = 0.5


@dataclass(frozen=True, slots=True)
class InputState:
    """The input that is given, and the main input's fault."""

    shown: ActiveInput = ActiveInput.MAIN
    fault: Fault | None = None

    @property
    def words(self) -> str:
        """For the performer: such as "main", or "backup: the input is lost"."""
        return self.shown.value + (f": the input is {self.fault.value}" if self.fault else "")
