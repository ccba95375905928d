"""The rows of the parameter table that tell the tempo of the music. They belong to the session: no preset moves them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from sdv2_live.control.rows import Applies, Group, Keeps, Kind, ParamSpec, Widget, param
from sdv2_live.music.grid import Quantise
from sdv2_live.music.tempo import BPM_MAX, BPM_MIN

MAX_SHIFT_MS = 500.0
MAX_BEATS_PER_BAR = 16
SCALED_BPM = (20.0, 500.0)  # of /norm: as other programs scale a tempo

_row = partial(param, applies=Applies.AT_ONCE, group=Group.TEMPO, keeps=Keeps.SESSION)
_moment = partial(_row, keeps=Keeps.MOMENT)


@dataclass(frozen=True)
class TempoParams:
    """The tempo as hands set it. The beat itself is kept by `music.clock.BeatClock`, whose listener these are."""

    tempo_bpm: float = _row(
        120.0,
        name="tempo/bpm",
        low=BPM_MIN,
        high=BPM_MAX,
        unit="bpm",
        continuous=True,
        doc="The tempo. It follows the source; a value of yours makes the source internal, unless the source may be led.",
        label="Tempo",
        span=(60.0, 180.0),
        scaled=SCALED_BPM,
        strict=True,
    )
    tempo_source: Literal["internal", "link", "midi", "audio", "osc"] = _row(
        "internal",
        name="tempo/source",
        doc="Who leads the tempo: you, Ableton Link, a MIDI clock, the sound, or another program by tempo/clock.",
        label="Tempo from",
    )
    tempo_push: bool = _moment(False, name="tempo/push", doc="While it is 1, the beat runs 3 % faster.", widget=Widget.KEY)
    tempo_pull: bool = _moment(False, name="tempo/pull", doc="While it is 1, the beat runs 3 % slower.", widget=Widget.KEY)
    tempo_nudge: float = _moment(
        0.0,
        name="tempo/nudge",
        low=-MAX_SHIFT_MS,
        high=MAX_SHIFT_MS,
        unit="ms",
        doc="Shift the beat once by so much; above 0 it comes earlier. The value goes back to 0.",
    )
    tempo_offset_ms: float = _row(
        0.0,
        name="tempo/offset_ms",
        low=-MAX_SHIFT_MS,
        high=MAX_SHIFT_MS,
        unit="ms",
        continuous=True,
        doc="For the delay of projector, loudspeakers and cables: above 0 shows earlier.",
        label="Offset",
    )
    tempo_beats_per_bar: int = _row(
        4, name="tempo/beats_per_bar", low=1, high=MAX_BEATS_PER_BAR, doc="Beats of a bar.", label="Beats per bar"
    )
    tempo_follow: Literal["room", "sound"] = _row(
        "room",
        name="tempo/follow",
        doc="room: the music comes straight from the loudspeakers, and the picture is on the beat there; sound: people hear the "
        "sound that this program passes on, and the picture is on the beat of that.",
    )
    tempo_quantise: Quantise = _row(  # noqa: RUF009 (a field, as all here)
        "none",
        name="tempo/quantise",
        doc="What waits for the next beat, bar or several bars when a hand changes it: presets, prompts, steps, seed, switches, "
        "choices, reset and take. Faders go at once.",
        label="Launch on",
        rank=2,
    )
    tempo_morph_beats: float = _row(
        0.0,
        name="tempo/morph_beats",
        low=0.0,
        high=256.0,
        unit="beats",
        doc="Time over which a recalled preset's numbers glide, and a new prompt fades in, in beats; 0: as morph_seconds and "
        "transition_chunks say.",
        label="Morph in beats",
        span=(0.0, 32.0),
    )


TEMPO_TRIGGERS = tuple(
    ParamSpec(f"tempo/{name}", Kind.TRIGGER, False, doc, applies=Applies.AT_ONCE, group=Group.TEMPO, keeps=Keeps.MOMENT)
    for name, doc in (
        ("tap", "Tap the beat: the tempo from the second tap on, the place of the beat from the first."),
        ("resync", "This is beat 1 of bar 1."),
        ("multiply", "Twice the tempo."),
        ("divide", "Half the tempo."),
        ("go", "Launch what waits for the beat now."),
        ("cancel", "Let nothing wait for the beat any more: it is never launched."),
    )
)
