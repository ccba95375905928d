"""The model's modules under the names that other programs' files give them.

The names here are those of the public checkpoints, which ComfyUI, DiffSynth and the PEFT trainers keep. diffusers has names of
its own (attn1, to_q, ffn.net.0.proj, condition_embedder: the renaming in its `scripts/convert_wan_to_diffusers.py`). musubi-tuner
and LyCORIS write either with underscores for dots. Before them stands whatever a program puts there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Set

from torch import Tensor

_INSERTS = re.compile(r"_fsdp_wrapped_module\.|_checkpoint_wrapped_module\.|_orig_mod\.")  # of training frameworks
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
_MODULATION = "scale_shift_table"  # diffusers' name; the head's stands beside no module


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
        flat = _flat(_INSERTS.sub("", name))
        for begin in range(max(len(flat) - self._longest, 0), len(flat)):
            module = self._modules.get(flat[begin:]) if begin == 0 or not flat[begin - 1].isalnum() else None
            if module is not None:
                return None if flat[:begin].endswith(_OF_OTHERS) else (flat[:begin], module)
        return None


def own_names(state: Mapping[str, Tensor], wanted: Set[str]) -> dict[str, Tensor]:
    """A checkpoint's tensors by the model's own keys, which are `wanted`, where the file has them in another program's layout.

    A file that needs no renaming, and keys that mean nothing here, stay as they are.
    """
    if wanted <= state.keys():
        return dict(state)
    modules = ModuleNames({key.rpartition(".")[0] for key in wanted}).find(key.rpartition(".")[0] for key in state)
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        name, _, leaf = key.rpartition(".")
        module = modules.get(name) or ("head" if leaf == _MODULATION else name)
        own = f"{module}.{'modulation' if leaf == _MODULATION else leaf}"
        renamed[own if own in wanted and own not in renamed else key] = value
    return renamed


def diffusers_name(module: str) -> str:
    """What diffusers' WanTransformer3DModel calls a module of the public checkpoints."""
    for pattern, name in _DIFFUSERS:
        module = pattern.sub(name, module)
    return module


def _flat(name: str) -> str:
    return name.replace(".", "_")
