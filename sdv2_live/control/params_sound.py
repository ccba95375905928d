"""The rows of the parameter table that tell how loud sound counts. They belong to the session: no preset moves them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sdv2_live.control.rows import Applies, Group, Keeps, param

MAX_GAIN_DB = 40.0

_row = partial(param, applies=Applies.AT_ONCE, group=Group.SOUND, keeps=Keeps.SESSION)


@dataclass(frozen=True)
class SoundParams:
    """How loud the sound counts that the show hears."""

    audio_auto_gain: bool = _row(
        True,
        name="audio/auto_gain",
        doc="1: levels are measured by the loudest of the last seconds, so that soft music moves as much as loud; 0: by "
        "loud music at full scale.",
        label="Auto gain",
    )
    audio_gain: float = _row(
        0.0,
        name="audio/gain",
        low=-MAX_GAIN_DB,
        high=MAX_GAIN_DB,
        unit="dB",
        continuous=True,
        doc="Levels are raised by so much, after auto gain.",
        label="Sound gain",
        span=(-20.0, 20.0),
    )
