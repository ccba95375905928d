"""One file for all three models: fp16 safetensors, keys under `dit.`, `vae.` and `text.`.

`text.` holds UMT5.state_dict() as it is, but for `encoder.encoder.embed_tokens.weight`: it is tied to `encoder.shared.weight`
(one tensor under two names, which safetensors does not store twice), and the loader puts it back. The tokenizer is in the file's
metadata, as JSON under `tokenizer`.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn

TIED = "encoder.encoder.embed_tokens.weight"
LARGEST = 12_000_000  # bytes the package may carry


def export(dit: nn.Module, vae: nn.Module, text: nn.Module, tokenizer: Tokenizer, file: Path) -> int:
    """Write the file (to a side file first) and return its size in bytes. Raises ValueError above LARGEST."""
    state = {
        f"{part}.{key}": value.detach().to("cpu", torch.float16).contiguous()
        for part, model in (("dit", dit), ("vae", vae), ("text", text))
        for key, value in model.state_dict().items()
        if not (part == "text" and key == TIED)
    }
    unfit = [key for key, value in state.items() if not value.isfinite().all()]
    if unfit:
        raise ValueError(f"{file}: not finite in fp16: {', '.join(unfit[:5])}")
    file.parent.mkdir(parents=True, exist_ok=True)
    side = file.with_suffix(".part")
    save_file(state, side, {"tokenizer": tokenizer.to_str()})
    if side.stat().st_size > LARGEST:
        raise ValueError(f"{side}: {side.stat().st_size} bytes, more than the {LARGEST} that fit the package; make TINY smaller")
    side.replace(file)
    return file.stat().st_size


def unpack(file: Path) -> dict[str, dict[str, torch.Tensor]]:
    """The state dicts of the three models of such a file, float32, under `dit`, `vae` and `text`."""
    states: dict[str, dict[str, torch.Tensor]] = {"dit": {}, "vae": {}, "text": {}}
    for key, value in load_file(file).items():
        part, name = key.split(".", 1)
        states[part][name] = value.float()
    states["text"][TIED] = states["text"]["encoder.shared.weight"]
    return states
