"""Files of the real checkpoints' size that take no room on the disk: keys, shapes and precision in full, the tensors holes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from sdv2_live.model.checkpoints.checkpoint import INDEX
from support.places import GOLDEN

MANIFESTS = GOLDEN / "manifests"
NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float8_e4m3fn: "F8_E4M3"}

Shapes = Mapping[str, tuple[int, ...]]


def manifest(name: str) -> dict[str, tuple[int, ...]]:
    """Key to shape of a real checkpoint."""
    return {key: tuple(shape) for key, shape in json.loads((MANIFESTS / f"{name}.json").read_text())["keys"].items()}


def umt5_fp8_dtype(shape: tuple[int, ...]) -> torch.dtype:
    """Precision of a tensor of umt5-xxl-enc-fp8_e4m3fn.safetensors, as its size has it; there is no room for scales in it."""
    return torch.float8_e4m3fn if len(shape) == 2 and shape[-1] > 64 and shape[0] < 256_384 else torch.bfloat16


def write_header(path: Path, tensors: Mapping[str, tuple[tuple[int, ...], torch.dtype]]) -> int:
    """A .safetensors file without its data (the format's README); returns where they begin. The file has its full length."""
    header, at = {}, 0
    for key, (shape, dtype) in tensors.items():
        end = at + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        header[key] = {"dtype": NAMES[dtype], "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)
    return 8 + len(text)


def write_sparse(path: Path, shapes: Shapes, dtype: torch.dtype) -> Path:
    """A full-size file; of the kind that its name ends in."""
    if path.suffix == ".safetensors":
        write_header(path, {key: (shape, dtype) for key, shape in shapes.items()})
    else:
        with torch.serialization.skip_data():
            torch.save({key: torch.empty(shape, dtype=dtype) for key, shape in shapes.items()}, path)
    return path


def write_sparse_shards(path: Path, shapes: Shapes, dtype: torch.dtype, shards: int) -> Path:
    """A full-size index with its shards."""
    keys, stem = list(shapes), path.name.removesuffix(INDEX)
    weight_map: dict[str, str] = {}
    for i in range(shards):
        name = f"{stem}-{i + 1:05}-of-{shards:05}.safetensors"
        part = keys[i::shards]
        write_sparse(path.with_name(name), {key: shapes[key] for key in part}, dtype)
        weight_map |= dict.fromkeys(part, name)
    path.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}), encoding="utf-8")
    return path
