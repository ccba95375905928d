"""The parts of a LoRA file's keys: what each tensor is to its module.

A key is a module and a part: `diffusion_model.blocks.0.self_attn.q` and `lora_A.weight`. Modules have the names of
`module_names`. Parts are named by PEFT and diffusers (lora_A, lora_B), by kohya-ss (lora_down, lora_up, alpha) and by extraction
scripts (diff, diff_b, diff_m: plain additions). Keys are foreign text of any length: they are cut at their dots, never matched.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Part(Enum):
    """What one tensor of a file is to its module."""

    DOWN = "down"  # A: (rank, in)
    UP = "up"  # B: (out, rank)
    ALPHA = "alpha"
    UP_BIAS = "up bias"  # PEFT's lora_bias: added to the output, scaled as B is
    WEIGHT = "weight"  # added to the weight
    BIAS = "bias"  # added to the bias
    MODULATION = "modulation"  # added to the modulation


_PAIR = {"lora_A": Part.DOWN, "lora_down": Part.DOWN, "lora_B": Part.UP, "lora_up": Part.UP}  # an adapter's name may follow
_ENDS = {
    "lora_alpha": Part.ALPHA,
    "alpha": Part.ALPHA,
    "diff_m": Part.MODULATION,
    "diff": Part.WEIGHT,
    "w_norm": Part.WEIGHT,
    "diff_b": Part.BIAS,
    "b_norm": Part.BIAS,
}
_OTHER_METHODS = (  # beginnings of a key's parts
    ("dora_scale", "DoRA"),
    ("lora_magnitude_vector", "DoRA"),
    ("hada_", "LoHa"),
    ("lokr_", "LoKr"),
    ("lora_mid", "LoCon with a middle tensor"),
    ("oft_", "OFT"),
    ("boft_", "OFT"),
    ("set_weight", "replaced weights"),
    ("reshape_weight", "replaced weights"),
)
_GLORA = frozenset({"a1", "a2", "b1", "b2"})


def other_method(keys: Iterable[str]) -> tuple[str, str] | None:
    """(method, key) of the first key that belongs to a way of fine-tuning other than LoRA; None when there is none."""
    for key in keys:
        parts = key.split(".")[1:]
        for begin, method in _OTHER_METHODS:
            if any(part.startswith(begin) for part in parts):
                return method, key
        if len(parts) > 1 and parts[-1] == "weight" and parts[-2] in _GLORA:
            return "GLoRA", key
    return None


def split(key: str) -> tuple[str, Part] | None:
    """(module as the file names it, part) of a key; None when the key is none of a LoRA."""
    names = key.split(".")
    for at in range(1, len(names)):
        width, part = 1, _PAIR.get(names[at])
        if names[at] == "lora" and at + 1 < len(names):
            width, part = 2, _PAIR.get(f"lora_{names[at + 1]}")
        if part is not None:
            module, rest = ".".join(names[:at]), names[at + width :]
            if rest[-1:] == ["bias"]:
                return (module, Part.UP_BIAS) if part is Part.UP else None
            return module, part
    if names[-2:] == ["modulation", "diff"]:
        return (".".join(names[:-2]), Part.MODULATION) if len(names) > 2 else None
    end = _ENDS.get(names[-1]) if len(names) > 1 else None
    return (key.rpartition(".")[0], end) if end is not None else None
