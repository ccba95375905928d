"""The one parameter table.

Everything a performer can change while a show runs is a field of `Params` or a trigger. OSC, MIDI, presets, timelines, the
command line and the documentation are all generated from `PARAMS`; nothing lists parameters twice. Each subject has a module of
its own with its fields and triggers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from sdv2_live.control.params_frame import FrameParams
from sdv2_live.control.params_mod import ModParams
from sdv2_live.control.params_picture import DEFAULT_PROMPT as DEFAULT_PROMPT
from sdv2_live.control.params_picture import LORA_SLOTS as LORA_SLOTS
from sdv2_live.control.params_picture import MAX_LORA_SCALE as MAX_LORA_SCALE
from sdv2_live.control.params_picture import MAX_PROMPT as MAX_PROMPT
from sdv2_live.control.params_picture import PICTURE_TRIGGERS, PictureParams
from sdv2_live.control.params_picture import PROMPT_SLOTS as PROMPT_SLOTS
from sdv2_live.control.params_sound import SoundParams
from sdv2_live.control.params_tempo import TEMPO_TRIGGERS, TempoParams
from sdv2_live.control.rows import MAX_STEPS as MAX_STEPS
from sdv2_live.control.rows import MAX_TIMESTEP as MAX_TIMESTEP
from sdv2_live.control.rows import Applies as Applies
from sdv2_live.control.rows import Keeps as Keeps
from sdv2_live.control.rows import Kind as Kind
from sdv2_live.control.rows import ParamSpec as ParamSpec
from sdv2_live.control.rows import Value as Value
from sdv2_live.control.rows import names_of
from sdv2_live.errors import ParamError
from sdv2_live.wording import nearest, shown


@dataclass(frozen=True)
class Params(SoundParams, ModParams, TempoParams, FrameParams, PictureParams):
    """One immutable snapshot of every parameter."""


# In the table's order.
_SUBJECTS: tuple[tuple[type[Any], tuple[ParamSpec, ...]], ...] = (
    (PictureParams, PICTURE_TRIGGERS),
    (FrameParams, ()),
    (TempoParams, TEMPO_TRIGGERS),
    (ModParams, ()),
    (SoundParams, ()),
)

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "prompt/1/text": "prompt",
        "preset/name": "preset",
        "feedback/amount": "feedback",
        "kv_cache_attention_bias": "memory",  # as Scope calls it
    }
)

_KINDS = {bool: Kind.BOOL, int: Kind.INT, float: Kind.FLOAT, str: Kind.TEXT, tuple[int, ...]: Kind.STEPS}


def _rows(field: dataclasses.Field[Any], hint: Any) -> Iterator[ParamSpec]:
    place, default, names = field.metadata, cast(Any, field.default), names_of(field)
    family = bool(place["family"])
    hint = get_args(hint)[0] if family else hint
    choices = place["choices"] or (get_args(hint) if get_origin(hint) is Literal else ())
    kind = place["kind"] or (Kind.CHOICE if choices else _KINDS[hint])
    for i, name in enumerate(names):
        value, index = (default[i], i) if family else (default, None)
        yield ParamSpec(name, kind, value, field=field.name, index=index, choices=choices, **place["row"])


def _table() -> Mapping[str, ParamSpec]:
    specs: list[ParamSpec] = []
    for subject, triggers in _SUBJECTS:
        hints = get_type_hints(subject)
        specs += [spec for field in dataclasses.fields(subject) for spec in _rows(field, hints[field.name])]
        specs += triggers
    return MappingProxyType({spec.name: spec for spec in specs})


PARAMS: Mapping[str, ParamSpec] = _table()


def value_of(params: Params, spec: ParamSpec) -> Value:
    """The value that `params` holds for one row; False for a trigger."""
    if not spec.field:
        return False
    held: Any = getattr(params, spec.field)
    value: Value = held if spec.index is None else held[spec.index]
    return value


def updated(params: Params, values: Mapping[str, Value]) -> Params:
    """`params` with new values by name, of the parameters' own types. Triggers change nothing."""
    fields: dict[str, Any] = {}
    for name, value in values.items():
        spec = PARAMS[name]
        if spec.index is None and spec.field:
            fields[spec.field] = value
        elif spec.index is not None:
            items = fields.get(spec.field, getattr(params, spec.field))
            fields[spec.field] = (*items[: spec.index], value, *items[spec.index + 1 :])
    return dataclasses.replace(params, **fields)


def spec_of(name: str, where: str = "") -> ParamSpec:
    """The table's row for `name`. `where` (an address, a file and line) leads the message.

    Raises:
        ParamError: there is no such parameter; names the nearest one.
    """
    try:
        return PARAMS[ALIASES.get(name, name)]
    except KeyError:
        prefix = f"{where}: " if where else ""
        families = {spec.name for spec in PARAMS.values() if spec.index}  # all but the first of each
        listed = ", ".join(known for known in PARAMS if known not in families)
        hint = nearest(name, PARAMS) or f"; the parameters are {listed}"
        raise ParamError(f"{prefix}there is no parameter {shown(name)}{hint}") from None
