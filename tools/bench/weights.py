"""Files of the real checkpoints' sizes with synthetic weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sdv2_live.config.profiles import PROFILES
from sdv2_live.model.checkpoints.assign import on_meta, synthetic_tensor
from sdv2_live.model.checkpoints.checkpoint import read_checkpoint
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.text.umt5 import UMT5

PROFILE = PROFILES["1.3b"]
NAMES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float8_e4m3fn: "F8_E4M3"}
Shapes = Mapping[str, tuple[int, ...]]


def write_safetensors(path: Path, shapes: Shapes, dtype: Callable[[str], torch.dtype], make: Callable[[str], Tensor]) -> None:
    """A .safetensors file, tensor by tensor: no more than one is in memory (the format's README)."""
    header, at = {}, 0
    for key, shape in shapes.items():
        end = at + int(np.prod(shape, dtype=np.int64)) * dtype(key).itemsize
        header[key] = {"dtype": NAMES[dtype(key)], "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for key in shapes:
            file.write(make(key).contiguous().view(torch.uint8).numpy().data)


def shapes_of(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def write_dit(path: Path) -> None:
    """The transformer's file, of synthetic_tensor, float32."""
    if path.suffix == ".pt":
        whole = path.with_suffix(".safetensors")
        if not whole.is_file():
            write_dit(whole)
        torch.save({"generator": {f"model.{key}": value for key, value in read_checkpoint(whole).items()}}, path)
        return
    shapes = shapes_of(on_meta(lambda: CausalDiT(PROFILE.dit)))
    write_safetensors(path, shapes, lambda _: torch.float32, lambda key: synthetic_tensor(key, shapes[key]))


def write_text(path: Path) -> None:
    """The encoder's file: linear layers in fp8, the rest in bf16. One block of seeded values is repeated: only sizes count."""
    shapes = {key: shape for key, shape in shapes_of(text_on_meta()).items() if key != "encoder.embed_tokens.weight"}
    values = np.random.default_rng(1).integers(0, 256, 1 << 24, dtype=np.uint8) & 0x8F  # |weight| < 0.03, and no NaN

    def dtype(key: str) -> torch.dtype:
        fp8 = len(shapes[key]) == 2 and "shared" not in key and "relative" not in key
        return torch.float8_e4m3fn if fp8 else torch.bfloat16

    def make(key: str) -> Tensor:
        count = int(np.prod(shapes[key]))
        if len(shapes[key]) == 1:
            return torch.ones(count, dtype=dtype(key))
        stored = torch.from_numpy(np.resize(values, count)).view(torch.float8_e4m3fn)
        return stored if dtype(key) == torch.float8_e4m3fn else stored.to(dtype(key))

    write_safetensors(path, shapes, dtype, make)


def text_on_meta() -> torch.nn.Module:
    encoder: torch.nn.Module = on_meta(lambda: UMT5(PROFILE.text)).encoder
    return encoder
