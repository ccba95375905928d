"""Requests that stand for several parameters: recalling a preset, taking the cued prompt, random seeds.

Every surface passes them through this module, so OSC, MIDI, timelines and the command line mean the same by them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sdv2_live.control.coerce import coerce
from sdv2_live.control.params import PARAMS, Params, value_of
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.errors import ParamError

SEED_BITS = 31  # fits OSC's plain integer, so that every controller can show and send it back


class Written(NamedTuple):
    """Plain values, by parameter name; those in `recalled` come from a preset and may glide."""

    values: dict[str, Any]
    recalled: frozenset[str] = frozenset()


class Macros:
    """Expands requests into plain values. Explicit values of a request win over those that a macro adds."""

    def __init__(self, presets: PresetLibrary | None = None, draw: Callable[[], int] | None = None) -> None:
        self._presets = presets
        self._draw = draw or (lambda: random.SystemRandom().getrandbits(SEED_BITS))

    def write_out(self, request: Mapping[str, Any], params: Params) -> Written:
        """The plain values that `request` stands for while `params` hold. Raises ParamError when it cannot be met."""
        values = dict(request)
        recalled: dict[str, Any] = {}
        if "preset" in values:
            preset = self._preset(values["preset"])
            whole = _alone(preset.values, params) | preset.values
            recalled = {name: value for name, value in whole.items() if name not in values}
            values = recalled | values | {"preset": preset.name}
        self._seed(values, params)
        if _fires(values, "take"):
            cued = values.get("cue_prompt", params.cue_prompt)
            if not cued:
                raise ParamError("take: no prompt is cued; set cue_prompt first")
            values.setdefault("prompt", cued)
        return Written(values, frozenset(recalled))

    def _preset(self, key: Any) -> Any:
        if self._presets is None:
            raise ParamError("preset: no presets are loaded")
        return self._presets.get(coerce(PARAMS["preset"], key).value)

    def _seed(self, values: dict[str, Any], params: Params) -> None:
        word = values["seed"].strip().lower() if isinstance(values.get("seed"), str) else ""
        if word in ("random", "lock"):
            del values["seed"]
            values.setdefault("seed_mode", word)
        mode = coerce(PARAMS["seed_mode"], values.get("seed_mode", params.seed_mode)).value
        if word == "random" or (mode == "random" and _fires(values, "reset")):
            values.setdefault("seed", self._draw())


def _alone(preset: Mapping[str, Any], params: Params) -> dict[str, Any]:
    """The weights that end a blend, for a preset with a prompt and without weights: such a prompt is meant to be seen alone."""
    weights = {name: spec for name, spec in PARAMS.items() if spec.field == "weights"}
    if "prompt" not in preset or weights.keys() & preset.keys():
        return {}
    return {name: spec.default for name, spec in weights.items() if value_of(params, spec) != spec.default}


def _fires(values: Mapping[str, Any], trigger: str) -> bool:
    return trigger in values and bool(coerce(PARAMS[trigger], values[trigger]).value)
