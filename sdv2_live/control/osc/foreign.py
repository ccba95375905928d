"""Names that other programs have for what is played here, so that rigs built for them need no change.

/scope/<param> value...                 Scope; also /scope/<node>/<param>
/composition/tempocontroller/<name>     Resolume's tempo
/live/song/<name>                       AbletonOSC's tempo
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from sdv2_live.control.coerce import coerce
from sdv2_live.control.params import Kind, ParamSpec
from sdv2_live.control.params_tempo import SCALED_BPM
from sdv2_live.errors import ParamError
from sdv2_live.music.tempo import BPM_MAX, BPM_MIN, bpm_within
from sdv2_live.wording import shown

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
        "interpolation_method": "interpolation",
    }
)
# Of those that Scope always has, what has no counterpart here: upkeep of its cache, and modes and models that are not this one's.
SCOPE_IGNORED = frozenset(
    {"manage_cache", "temporal_interpolation_method", "input_mode", "kv_cache_attention_bias", "vace_context_scale"}
)

RESOLUME_TEMPO = "/composition/tempocontroller/tempo"
LIVE_TEMPO = "/live/song/get/tempo"
LIVE_PORT = 11001  # where clients of AbletonOSC listen
# Addresses whose value is the same as at ours.
SAME: Mapping[str, str] = MappingProxyType(
    {
        "/composition/tempocontroller/tempotap": "tempo/tap",
        "/composition/tempocontroller/resync": "tempo/resync",
        "/composition/tempocontroller/tempopush": "tempo/push",
        "/composition/tempocontroller/tempopull": "tempo/pull",
        f"{RESOLUME_TEMPO}/multiply": "tempo/multiply",
        f"{RESOLUME_TEMPO}/divide": "tempo/divide",
        "/live/song/set/tempo": "tempo/bpm",
        "/live/song/tap_tempo": "tempo/tap",
    }
)
# Those that are read here, with what is said of them in the reference.
OTHERS: Mapping[str, str] = MappingProxyType(
    {
        RESOLUME_TEMPO: "`/sdv2/tempo/bpm/norm`, 0..1 for 20..500 bpm; above 1 it is bpm; after `+`, `-` or `*` it is relative, "
        "and `?` asks for it",
        LIVE_TEMPO: f"answered there with the tempo in bpm, as AbletonOSC does: at the sender's port {LIVE_PORT}, too",
    }
)


_NUMBER = ParamSpec("the tempo", Kind.FLOAT, 0.0, "", low=-BPM_MAX, high=BPM_MAX, strict=True)


class Relative(NamedTuple):
    """A number that depends on the present one."""

    name: str
    of: Callable[[float], float]


class Question(NamedTuple):
    """Somebody asks for a parameter's value. also_port: where its program listens beside the port that it sends from."""

    name: str
    answer: Callable[[Any], float]
    also_port: int | None = None


def tempo_of(address: str, args: tuple[Any, ...]) -> float | Relative | Question:
    """What a message to one of OTHERS asks of `tempo/bpm`: a value, a change, or an answer.

    Raises:
        ParamError: the arguments have no meaning there.
    """
    if address == LIVE_TEMPO:
        return Question("tempo/bpm", float, LIVE_PORT)
    how, rest = (args[0], args[1:]) if args and args[0] in ("a", "+", "-", "*", "?") else ("a", args)
    low, high = SCALED_BPM
    if how == "?":
        return Question("tempo/bpm", lambda bpm: (bpm - low) / (high - low))
    if len(rest) != 1:
        raise ParamError(f"the tempo cannot be {shown(args)}; give 0..1 for {low:g}..{high:g} bpm")
    value = float(coerce(_NUMBER, rest[0]).value)  # type: ignore[arg-type]  # a number it is
    if how == "*":
        return Relative("tempo/bpm", lambda bpm: bpm_within(max(bpm * value, BPM_MIN)))
    by = value if abs(value) > 1 else value * (high - low)
    if how == "a":
        return by if value > 1 else low + by
    return Relative("tempo/bpm", lambda bpm: bpm_within(max(bpm + (by if how == "+" else -by), BPM_MIN)))
