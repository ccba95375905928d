"""LoRA files for tests: one set of changes, written in every key style."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors.torch import save_file
from torch import Tensor

from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.lora.keys import diffusers_name

RANK, ALPHA = 4, 2.0  # alpha / rank is no 1, so that a style which loses it is found out

Pairs = Mapping[str, tuple[Tensor, Tensor]]  # module to A (rank, in) and B (out, rank)


def pairs_for(dit: CausalDiT, modules: tuple[str, ...], seed: int = 0, rank: int = RANK) -> Pairs:
    """Changes of these linear layers that are large enough to see."""
    generator = torch.Generator().manual_seed(seed)
    pairs = {}
    for module in modules:
        out, inner = dit.get_parameter(f"{module}.weight").shape
        pairs[module] = (torch.randn(rank, inner, generator=generator), torch.randn(out, rank, generator=generator) / inner**0.5)
    return pairs


def linear_layers(dit: CausalDiT) -> tuple[str, ...]:
    """Every linear layer of the model."""
    return tuple(name.removesuffix(".weight") for name, p in dit.named_parameters() if p.ndim == 2 and name.endswith(".weight"))


def _dotted(rename: Callable[[str], str], prefix: str, down: str, up: str, alpha: bool) -> Callable[[Pairs], dict[str, Tensor]]:
    def write(pairs: Pairs) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for module, (a, b) in pairs.items():
            name = prefix + rename(module)
            tensors |= {f"{name}.{down}.weight": a, f"{name}.{up}.weight": b}
            if alpha:
                tensors[f"{name}.alpha"] = torch.tensor(ALPHA)
        return tensors

    return write


def _same(module: str) -> str:
    return module


def _flat(module: str) -> str:
    return module.replace(".", "_")


STYLES: dict[str, Callable[[Pairs], dict[str, Tensor]]] = {
    "diffusers": _dotted(diffusers_name, "transformer.", "lora_A", "lora_B", alpha=False),
    "kohya": _dotted(_flat, "lora_unet_", "lora_down", "lora_up", alpha=True),
    "kohya, diffusers' names": _dotted(lambda m: _flat(diffusers_name(m)), "lora_unet_", "lora_down", "lora_up", alpha=True),
    "fun": _dotted(_flat, "lora_unet__", "lora_down", "lora_up", alpha=True),
    "comfy": _dotted(_same, "diffusion_model.", "lora_A", "lora_B", alpha=True),
    "comfy, kohya's parts": _dotted(_same, "diffusion_model.", "lora_down", "lora_up", alpha=True),
    "bare": _dotted(_same, "", "lora_A.default", "lora_B.default", alpha=True),
    "peft": _dotted(_same, "base_model.model.", "lora_A", "lora_B", alpha=False),
    "peft, named adapter": _dotted(_same, "base_model.model.model.", "lora_A.default", "lora_B.default", alpha=True),
}


def write_style(folder: Path, style: str, pairs: Pairs, dtype: torch.dtype = torch.float32) -> Path:
    """A file of that style. Where the style keeps alpha outside of the tensors, it is there."""
    tensors = {key: tensor.to(dtype) for key, tensor in STYLES[style](pairs).items()}
    metadata = None
    path = folder / "lora.safetensors"
    if style == "diffusers":
        metadata = {"lora_adapter_metadata": json.dumps({"transformer.r": RANK, "transformer.lora_alpha": ALPHA})}
    elif style == "peft":
        path = folder / "adapter_model.safetensors"
        (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA}))
    save_file(tensors, path, metadata)
    return path


def write(path: Path, pairs: Pairs, others: Mapping[str, Tensor] = MappingProxyType({})) -> Path:
    """A file in ComfyUI's style; `others` are further keys, without the prefix."""
    save_file(STYLES["comfy"](pairs) | {f"diffusion_model.{key}": value for key, value in others.items()}, path)
    return path
