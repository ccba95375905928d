"""The names under which other programs' files keep tensors, and what each means for the model.

A LoRA's key is a module and a part: `diffusion_model.blocks.0.self_attn.q` and `lora_A.weight`. Modules have the names of the
public checkpoints (which are the names here; ComfyUI, DiffSynth, the PEFT trainers), or diffusers' names (attn1, to_q,
ffn.net.0.proj, condition_embedder: the renaming in its `scripts/convert_wan_to_diffusers.py`), or either with underscores
for dots (musubi-tuner, LyCORIS). Before them stands whatever a program puts there. Parts are named by PEFT and diffusers (lora_A,
lora_B), by kohya-ss (lora_down, lora_up, alpha) and by extraction scripts (diff, diff_b, diff_m: plain additions). Keys are
foreign text of any length: they are cut at their dots, and no expression is matched against them that could go back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from enum import Enum

from sdv2_live.model.checkpoints.foreign import plain_parts

_OF_OTHERS = "vace_"  # the blocks that VACE adds have names and shapes of the model's own, and are others

_DIFFUSERS = (
    (re.compile(r"\.self_attn\.([qkv])$"), r".attn1.to_\1"),
    (re.compile(r"\.self_attn\.o$"), ".attn1.to_out.0"),
    (re.compile(r"\.self_attn\."), ".attn1."),
    (re.compile(r"\.cross_attn\.([qkv])$"), r".attn2.to_\1"),
    (re.compile(r"\.cross_attn\.o$"), ".attn2.to_out.0"),
    (re.compile(r"\.cross_attn\."), ".attn2."),
    (re.compile(r"\.ffn\.0$"), ".ffn.net.0.proj"),
    (re.compile(r"\.ffn\.2$"), ".ffn.net.2"),
    (re.compile(r"\.norm3$"), ".norm2"),  # diffusers counts the norms in the order in which they are applied
    (re.compile(r"^text_embedding\.0$"), "condition_embedder.text_embedder.linear_1"),
    (re.compile(r"^text_embedding\.2$"), "condition_embedder.text_embedder.linear_2"),
    (re.compile(r"^time_embedding\.0$"), "condition_embedder.time_embedder.linear_1"),
    (re.compile(r"^time_embedding\.2$"), "condition_embedder.time_embedder.linear_2"),
    (re.compile(r"^time_projection\.1$"), "condition_embedder.time_proj"),
    (re.compile(r"^head\.head$"), "proj_out"),
)


class Part(Enum):
    """The role of one tensor of a file in its module."""

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
    names = plain_parts(key)
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
    return (".".join(names[:-1]), end) if end is not None else None


class ModuleNames:
    """Finds a model's modules by every name that a file may give them. modules: the model's own names."""

    def __init__(self, modules: Collection[str]) -> None:
        self._modules: dict[str, str] = {}
        for module in modules:
            for name in (module, diffusers_name(module)):
                self._modules.setdefault(_flat(name), module)
        self._longest = max(map(len, self._modules), default=0)

    def find(self, names: Iterable[str]) -> dict[str, str]:
        """The model's module of each of a file's names that means one.

        A prefix is what stands before the names that fit. Most of a file's names have the same: those with another belong to
        another model (a text encoder, an adapter) and are not found.
        """
        found = {name: place for name in dict.fromkeys(names) if (place := self._place(name)) is not None}
        prefixes = Counter(prefix for prefix, _ in found.values())
        if not prefixes:
            return {}
        usual = prefixes.most_common(1)[0][0]
        return {name: module for name, (prefix, module) in found.items() if prefix == usual}

    def _place(self, name: str) -> tuple[str, str] | None:
        """(prefix, module) by the longest end of the name that fits, None where none does. Never looks at more than the end."""
        flat = _flat(".".join(plain_parts(name)))
        for begin in range(max(len(flat) - self._longest, 0), len(flat)):
            module = self._modules.get(flat[begin:]) if begin == 0 or not flat[begin - 1].isalnum() else None
            if module is not None:
                return None if flat[:begin].endswith(_OF_OTHERS) else (flat[:begin], module)
        return None


def diffusers_name(module: str) -> str:
    """The name that diffusers' WanTransformer3DModel gives a module of the public checkpoints."""
    for pattern, name in _DIFFUSERS:
        module = pattern.sub(name, module)
    return module


def _flat(name: str) -> str:
    return name.replace(".", "_")
