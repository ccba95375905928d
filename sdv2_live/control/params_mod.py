"""The rows of the parameter table that make parameters move by themselves: eight slots of modulation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial

from sdv2_live.control.params_frame import FrameParams
from sdv2_live.control.params_picture import PictureParams
from sdv2_live.control.rows import Applies, Group, names_of, param
from sdv2_live.music.modulation import Polarity, Source
from sdv2_live.music.waves import Rate, Shape

MOD_SLOTS = 8
SWING = 180.0  # at most, in the unit of the target: as far as a hue turns
SCALED = (-4.0, 4.0)  # of /norm: as far as the scale of a LoRA reaches, where a finer hand is needed

LATER = ("memory",)  # targets that came after the others
STEPS_TARGET = "steps"  # all but the first of them; 1 is a thousand timesteps, as for noise_scale


def _moving(subject: type[PictureParams | FrameParams]) -> list[tuple[str, ...]]:
    """The names of each field whose values lie close together and count from one chunk to the next."""
    rows = [(field.metadata["row"], names_of(field)) for field in fields(subject)]
    return [names for row, names in rows if row["continuous"] and row["applies"] is not Applies.NEXT_RESET]


def _targets() -> tuple[str, ...]:
    """What the next chunk can be painted with, between two settings: single parameters, families, the frame's, then LATER."""
    picture, frame = (_moving(kind) for kind in (PictureParams, FrameParams))
    singles, families = ([name for names in picture if (len(names) > 1) is many for name in names] for many in (False, True))
    # Controllers that send numbers alone choose by the place: what has one keeps it.
    earlier = [*singles, STEPS_TARGET, *families, *(name for names in frame for name in names)]
    return (*(name for name in earlier if name not in LATER), *LATER)


TARGETS = _targets()

_row = partial(param, group=Group.MOD)


@dataclass(frozen=True)
class ModParams:
    """The slots as hands set them. What a chunk is painted with is made of them in `music.modulation`."""

    mod_on: tuple[bool, ...] = _row((False,) * MOD_SLOTS, family="mod/{}/on", doc="Move the target.", label="Slot {}", rank=2)
    mod_target: tuple[str, ...] = _row(
        ("noise_scale",) * MOD_SLOTS,
        family="mod/{}/target",
        choices=TARGETS,
        doc="The parameter that moves. Of steps all but the first move, together.",
        label="Target {}",
        rank=2,
    )
    mod_source: tuple[Source, ...] = _row(
        ("lfo",) * MOD_SLOTS,
        family="mod/{}/source",
        doc="What moves it: a wave (lfo), the loudness of the sound (env), its low, mid or high band, each onset or kick in it, "
        "or each beat of the tempo.",
        label="Source {}",
        rank=2,
    )
    mod_shape: tuple[Shape, ...] = _row(
        ("sine",) * MOD_SLOTS,
        family="mod/{}/shape",
        doc="The wave of lfo; exp_decay is a hit that fades, random holds a value, drawn by the seed, for a cycle.",
        label="Shape {}",
        rank=2,
    )
    mod_rate: tuple[Rate, ...] = _row(
        ("bar",) * MOD_SLOTS,
        family="mod/{}/rate",
        doc="The length of the wave in the tempo's beats and bars; hz: as mod/N/hz says.",
        label="Rate {}",
        rank=2,
    )
    mod_hz: tuple[float, ...] = _row(
        (0.25,) * MOD_SLOTS,
        family="mod/{}/hz",
        low=0.0,
        high=15.0,
        unit="Hz",
        continuous=True,
        doc="Waves a second, for the rate hz.",
        label="Hertz {}",
        span=(0.0, 4.0),
    )
    mod_phase: tuple[float, ...] = _row(
        (0.0,) * MOD_SLOTS,
        family="mod/{}/phase",
        low=0.0,
        high=1.0,
        continuous=True,
        doc="Where in its cycle the wave is on the beat: 0.25 is a quarter of a cycle ahead.",
        label="Phase {}",
    )
    mod_depth: tuple[float, ...] = _row(
        (0.0,) * MOD_SLOTS,
        family="mod/{}/depth",
        low=-1.0,
        high=1.0,
        continuous=True,
        doc="How far it moves, as a share of max - min; below 0 the other way round.",
        label="Depth {}",
        rank=2,
    )
    mod_min: tuple[float, ...] = _row(
        (0.0,) * MOD_SLOTS,
        family="mod/{}/min",
        low=-SWING,
        high=SWING,
        scaled=SCALED,
        continuous=True,
        doc="With max the swing of a depth of 1, in the target's own unit (of steps: thousands). With the fader at min and the "
        "depth at 1 the target moves from min to max.",
        label="Min {}",
        span=(0.0, 1.0),
    )
    mod_max: tuple[float, ...] = _row(
        (1.0,) * MOD_SLOTS,
        family="mod/{}/max",
        low=-SWING,
        high=SWING,
        scaled=SCALED,
        continuous=True,
        doc="See min.",
        label="Max {}",
        span=(0.0, 1.0),
    )
    mod_polarity: tuple[Polarity, ...] = _row(
        ("up",) * MOD_SLOTS,
        family="mod/{}/polarity",
        doc="up: from where the fader stands to one side; both: to both sides of it.",
        label="Polarity {}",
    )
    mod_smooth_ms: tuple[float, ...] = _row(
        (0.0,) * MOD_SLOTS,
        family="mod/{}/smooth_ms",
        low=0.0,
        high=5000.0,
        unit="ms",
        continuous=True,
        doc="Time over which a jump is smoothed. A hit (onset, kick, beat, exp_decay, square) comes at once and falls so slowly.",
        label="Smooth {}",
        span=(0.0, 1000.0),
    )
