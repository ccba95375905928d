"""Files of models as wide as the real ones, with fewer layers: holes for weights, LoRAs, prompts that are encoded already."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from support.full_size import manifest, write_sparse
from support.lora_files import linear_layers, pairs_for, write

from sdv2_live.config.profiles import PROFILES
from sdv2_live.engine.prompt_disk import PromptDisk
from sdv2_live.model.checkpoints.assign import on_meta
from sdv2_live.model.checkpoints.files import text_identities
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.profiles import StreamKind

RANK = 16


@contextmanager
def shallow(name: str, layers: int | None, kind: StreamKind | None = None) -> Iterator[None]:
    """Give a profile so many layers, and a use of them; None leaves it as it is."""
    before = PROFILES[name]
    if layers is not None:
        PROFILES[name] = replace(before, dit=replace(before.dit, layers=layers), stream=kind or before.stream)
    try:
        yield
    finally:
        PROFILES[name] = before


def write_weights(folder: Path, name: str) -> None:
    """All files of a profile but the text encoder's, as deep as the profile is."""
    profile = PROFILES[name]
    if profile.files is None:
        return
    block = re.compile(r"blocks\.(\d+)\.")
    all_shapes = manifest(f"dit_{name.replace('.', '_')}")
    shapes = {key: s for key, s in all_shapes.items() if not (at := block.match(key)) or int(at[1]) < profile.dit.layers}
    dit = folder / profile.files.dit[1]
    dit.parent.mkdir(parents=True, exist_ok=True)
    write_sparse(dit, shapes, torch.bfloat16)
    write_sparse(folder / profile.files.wan[1], manifest("wan_vae"), torch.float32)
    write_sparse(folder / profile.files.taehv[1], manifest("taew2_1"), torch.float16)


def write_prompts(folder: Path, name: str, prompts: tuple[str, ...]) -> None:
    """Embeddings of these prompts, each of another length."""
    files = PROFILES[name].files
    if files is None:
        return
    disk = PromptDisk(folder, text_identities(files)[:1])
    for i, prompt in enumerate(prompts):
        disk.store(prompt, torch.full((1, 7 + 11 * i, PROFILES[name].text.dim), 0.1, dtype=torch.bfloat16))


def write_loras(folder: Path, name: str, count: int) -> list[Path]:
    """LoRAs of every linear layer of the profile's DiT."""
    dit = on_meta(lambda: CausalDiT(PROFILES[name].dit))
    layers = linear_layers(dit)
    return [write(folder / f"lora{i}.safetensors", pairs_for(dit, layers, i, RANK)) for i in range(count)]
