"""The names under which LoRA files keep their tensors, and what each means for the model.

A key is a module and a part: `diffusion_model.blocks.0.self_attn.q` and `lora_A.weight`. Modules come with the names of the
public checkpoints (which are the names here; ComfyUI, DiffSynth, the PEFT trainers), with diffusers' names (attn1, to_q,
ffn.net.0.proj, condition_embedder: the renaming in its `scripts/convert_wan_to_diffusers.py`), and with either of these
written with underscores (kohya-ss' musubi-tuner). Parts are named by PEFT and diffusers (lora_A, lora_B), by kohya-ss
(lora_down, lora_up, alpha) and by extraction scripts (diff, diff_b, diff_m: plain additions).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from enum import Enum

_WRAPPERS = ("base_model.model.", "diffusion_model.", "transformer.", "model.", "pipe.dit.", "dit.", "unet.", "lora_unet_")
_INSERTS = re.compile(r"_fsdp_wrapped_module\.|_checkpoint_wrapped_module\.|_orig_mod\.")  # of training frameworks

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
    """What one tensor of a file is to its module."""

    DOWN = "down"  # A: (rank, in)
    UP = "up"  # B: (out, rank)
    ALPHA = "alpha"
    UP_BIAS = "up bias"  # PEFT's lora_bias: added to the output, scaled as B is
    WEIGHT = "weight"  # added to the weight
    BIAS = "bias"  # added to the bias
    MODULATION = "modulation"  # added to the modulation


_PARTS: tuple[tuple[re.Pattern[str], Part], ...] = tuple(
    (re.compile(rf"^(?P<module>.+?)\.{part}$"), meaning)
    for part, meaning in (
        (r"(?:lora_A|lora_down|lora\.down)(?:\.(?!bias$)[^.]+)*?(?:\.weight)?", Part.DOWN),
        (r"(?:lora_B|lora_up|lora\.up)(?:\.[^.]+)?\.bias", Part.UP_BIAS),
        (r"(?:lora_B|lora_up|lora\.up)(?:\.[^.]+)*?(?:\.weight)?", Part.UP),
        (r"(?:lora_)?alpha", Part.ALPHA),
        (r"(?:diff_m|modulation\.diff)", Part.MODULATION),
        (r"(?:diff|w_norm)", Part.WEIGHT),
        (r"(?:diff_b|b_norm)", Part.BIAS),
    )
)

_OTHER_METHODS: Mapping[str, re.Pattern[str]] = {
    "DoRA": re.compile(r"\.(?:dora_scale|lora_magnitude_vector(?:\..+)?)$"),
    "LoHa": re.compile(r"\.hada_\w+(?:\..+)?$"),
    "LoKr": re.compile(r"\.lokr_\w+(?:\..+)?$"),
    "LoCon with a middle tensor": re.compile(r"\.lora_mid(?:\..+)?$"),
    "GLoRA": re.compile(r"\.[ab][12]\.weight$"),
    "OFT": re.compile(r"\.(?:oft_\w+|boft_\w+)(?:\..+)?$"),
    "replaced weights": re.compile(r"\.(?:set_weight|reshape_weight)$"),
}


def other_method(keys: Iterable[str]) -> tuple[str, str] | None:
    """(method, key) of the first key that belongs to a way of fine-tuning other than LoRA; None when there is none."""
    for key in keys:
        for method, pattern in _OTHER_METHODS.items():
            if pattern.search(key):
                return method, key
    return None


def split(key: str) -> tuple[str, Part] | None:
    """(module as the file names it, part) of a key; None when the key is none of a LoRA."""
    for pattern, part in _PARTS:
        if match := pattern.match(key):
            return match["module"], part
    return None


class ModuleNames:
    """Finds a model's modules by every name that a file may give them. modules: the model's own names."""

    def __init__(self, modules: Collection[str]) -> None:
        self._modules: dict[str, str] = {}
        for module in modules:
            theirs = diffusers_name(module)
            for name in (module, theirs, module.replace(".", "_"), theirs.replace(".", "_")):
                self._modules.setdefault(name, module)

    def find(self, name: str) -> str | None:
        """The model's module that a file calls `name`, or None."""
        bare = bare_name(name)
        return self._modules.get(bare) or self._modules.get(bare.lstrip("_"))


def bare_name(name: str) -> str:
    """A file's module name without the wrappers that trainers and programs put around the model."""
    name = _INSERTS.sub("", name)
    while prefix := next((wrapper for wrapper in _WRAPPERS if name.startswith(wrapper)), ""):
        name = name.removeprefix(prefix)
    return name


def diffusers_name(module: str) -> str:
    """What diffusers' WanTransformer3DModel calls a module of the public checkpoints."""
    for pattern, name in _DIFFUSERS:
        module = pattern.sub(name, module)
    return module
