"""The place and the kind of control of each parameter, in the TouchOSC layout and in TouchDesigner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sdv2_live.control.params import PARAMS, Kind, ParamSpec

COLUMNS = 4  # of the grids of small controls
FADERS, ROWS = 5, 4  # at most, on the first page

_PLACES = {  # by the field of Params, or a trigger's name; all others: picture
    **dict.fromkeys(("freeze", "bypass", "blackout", "reset"), "strip"),
    **dict.fromkeys(
        ("prompt", "prompts", "weights", "interpolation", "cue_prompt", "take", "prompt_change", "transition_chunks"), "prompts"
    ),
    **dict.fromkeys(("preset", "morph_seconds"), "presets"),
    "feedback": "feedback",
    **dict.fromkeys(("audio_auto_gain", "audio_gain"), "tempo"),
    **dict.fromkeys(("record", "input_select", "normalize_latents", "adapt_sink_threshold"), "system"),
}
_VALUES: dict[str, tuple[int | str, ...]] = {  # worth a button, where a fader would not do
    "seed": ("random", 1, 2, 3, 4, 5, 6, 7),
    "mod_target": ("noise_scale", "mix", "prompt/2/weight", "lora/1/scale", "steps"),
    "steps": ("400", "700", "700,500", "1000,750,500,250"),
}
_WIDEST = 10_000  # of a range that a fader can still meet


def place_of(spec: ParamSpec) -> str:
    """The subject of a parameter, which names the page that shows it."""
    place = _PLACES.get(spec.field or spec.name)
    return place or ("picture" if "/" not in spec.name else spec.name.split("/")[0])


def of(place: str) -> list[ParamSpec]:
    """The parameters of one page, or of the strip, in the table's order."""
    return [spec for spec in PARAMS.values() if place_of(spec) == place]


def families() -> dict[str, list[ParamSpec]]:
    """The indexed families that no page claims, by the first part of their names."""
    found: dict[str, list[ParamSpec]] = {}
    for spec in PARAMS.values():
        if spec.index is not None and spec.field not in _PLACES:
            found.setdefault(place_of(spec), []).append(spec)
    return found


def slots(place: str) -> list[list[ParamSpec]]:
    """The families of one page by their number: all that belongs to slot 1, to slot 2, and so on."""
    found: dict[int | None, list[ParamSpec]] = {}
    for spec in of(place):
        found.setdefault(spec.index, []).append(spec)
    return list(found.values())


def split(specs: Sequence[ParamSpec]) -> tuple[list[ParamSpec], list[ParamSpec]]:
    """Parameters that fit on the first page, and the rest."""
    here: list[ParamSpec] = []
    for spec in specs:
        faders = [one for one in (*here, spec) if fits_a_fader(one)]
        rows = list(packed([one for one in (*here, spec) if not fits_a_fader(one)]))
        if len(faders) <= FADERS and len(rows) <= ROWS:
            here.append(spec)
    return here, [spec for spec in specs if spec not in here]


def packed(specs: Sequence[ParamSpec]) -> Iterator[list[ParamSpec]]:
    """Rows of controls, each no wider than COLUMNS cells; small ones fill the gaps."""
    left = sorted(specs, key=cells, reverse=True)
    while left:
        line: list[ParamSpec] = []
        for spec in list(left):
            if sum(map(cells, line)) + cells(spec) <= COLUMNS:
                line.append(spec)
                left.remove(spec)
        yield line


def fits_a_fader(spec: ParamSpec) -> bool:
    """True when a finger on a fader can hit the values of a parameter."""
    return spec.kind in (Kind.INT, Kind.FLOAT) and float(spec.high or 0) - float(spec.low or 0) <= _WIDEST


def cells(spec: ParamSpec) -> int:
    """The width of a parameter's control, in cells."""
    values = values_of(spec)
    return 4 if spec.kind in (Kind.TEXT, Kind.NAME) or len(values) > 5 else 2 if len(values) > 2 or fits_a_fader(spec) else 1


def values_of(spec: ParamSpec) -> tuple[int | str, ...]:
    """The values that get a button each."""
    return _VALUES.get(spec.name) or _VALUES.get(spec.field) or spec.choices or (str(spec.default),)
