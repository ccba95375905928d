"""What an OSC address means: the parameter it names, and the value its arguments give.

/sdv2/<param> value...       one address a parameter of the table
/scope/<param> value...      the names that rigs built for Scope send, for the same parameters
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from sdv2_live.control.coerce import coerce
from sdv2_live.control.params import ALIASES, PARAMS, Kind, ParamSpec, nearest
from sdv2_live.errors import ParamError

ROOT = "/sdv2/"
SCOPE_ROOT = "/scope/"

SCOPE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "prompt": "prompt",
        "prompts": "prompt",
        "noise_scale": "noise_scale",
        "denoising_step_list": "steps",
        "transition_steps": "transition_chunks",
        "paused": "freeze",
        "reset_cache": "reset",
        "noise_controller": "noise_controller",
        "seed": "seed",
    }
)
SCOPE_IGNORED = frozenset({"manage_cache"})  # Scope's own cache upkeep; the cache here needs none


class Setting(NamedTuple):
    """One parameter and the value a message gives it; the value is known to be readable."""

    name: str
    value: Any


def meaning(address: str, args: tuple[Any, ...]) -> Setting | None:
    """What the message sets; None for an address that is accepted without effect.

    Raises ParamError, saying what was expected, for an unknown address or an unusable value.
    """
    spec = _spec(address)
    if spec is None:
        return None
    value = _value(spec, args)
    coerce(spec, value)
    return Setting(spec.name, value)


def _spec(address: str) -> ParamSpec | None:
    if address.startswith(SCOPE_ROOT):
        name = address.removeprefix(SCOPE_ROOT)
        if name in SCOPE_IGNORED:
            return None
        if name in SCOPE_NAMES:
            return PARAMS[SCOPE_NAMES[name]]
    elif address.startswith(ROOT) and (name := _canonical(address.removeprefix(ROOT))) in PARAMS:
        return PARAMS[name]
    known = [ROOT + name for name in PARAMS] + [SCOPE_ROOT + name for name in SCOPE_NAMES]
    raise ParamError(f"there is no such address{nearest(address, known) or f'; addresses look like {ROOT}noise_scale'}")


def _canonical(name: str) -> str:
    return ALIASES.get(name, name)


def _value(spec: ParamSpec, args: tuple[Any, ...]) -> Any:
    if not args and spec.kind is not Kind.TRIGGER:
        raise ParamError(f"{spec.name} came without a value; give {spec.expected}")
    return args[0] if len(args) == 1 else args
