"""Checkpoint files: .safetensors (whole, or shards with an index), .pt and .pth; mapped into memory, never unpickled freely.

Tensors of a mapped file are views of it: nothing is read before it is used, and the mapping lives as long as one of them.
A file in use may be replaced (renamed over, as the downloader does) but must not be written over in place.
"""

from __future__ import annotations

import json
import pickle
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.foreign import foreign, plain_parts

WRAPPERS = ("generator", "generator_ema", "state_dict")  # where training scripts keep the state dict; StreamDiffusionV2's order
INDEX = ".safetensors.index.json"  # ending of the file that tells the shard of each key

_PREFIXES = ("module", "model")  # what DistributedDataParallel and the training wrapper put before every key

_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip

# What torch's restricted unpickler and its zip reader raise on damaged, foreign or unsafe files.
UNREADABLE = (
    pickle.UnpicklingError, SafetensorError, zipfile.BadZipFile, struct.error, RuntimeError, EOFError, OSError, ValueError,
    LookupError, AttributeError, TypeError, AssertionError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file's tensors by their models' keys. mapped: they are views of the file, not memory of their own."""

    tensors: dict[str, Tensor]
    mapped: bool


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of `open_checkpoint` alone; raises the same errors."""
    return open_checkpoint(path).tensors


def open_checkpoint(path: Path, *, member: str | None = None, shapes_only: bool = False) -> Checkpoint:
    """All tensors of a file, or of the shards that an index names; mapped where the format allows.

    Args:
        path: the file or the index.
        member: which of WRAPPERS is meant where a file holds any; None: the first that is there.
        shapes_only: read only the headers of .safetensors files; their tensors may then be on the meta device.

    Raises:
        WeightsError: a file is missing, damaged or unsafe, lacks the member, holds anything but tensors, or one key twice.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file; check model.weights_dir")
    if path.name.endswith(INDEX):
        return Checkpoint(_own_keys(_sharded(path, shapes_only), path), mapped=True)
    if path.suffix == ".safetensors":
        return Checkpoint(_own_keys(_safetensors(path, shapes_only), path), mapped=True)
    content, mapped = load_pickle(path)
    wanted = WRAPPERS if member is None else (member,)
    if member is not None and isinstance(content, Mapping) and member not in content:
        others = [name for name in WRAPPERS if isinstance(content.get(name), Mapping)]
        if others:
            raise WeightsError(
                f"{path}: holds {' and '.join(others)}, not {member}, which is the one that its profile means; fetch the file "
                "that the profile names, or change weights.member in the profile"
            )
    return Checkpoint(_own_keys(state_dict_in(content, path, wanted), path), mapped)


def load_pickle(path: Path) -> tuple[object, bool]:
    """The content of a .pt or .pth file, of which nothing but tensors and plain data is read; and whether it is mapped.

    Raises WeightsError.
    """
    try:
        mapped = zipfile.is_zipfile(path)  # files of torch before 1.6 are none, and cannot be mapped
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped), mapped
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def files_of(path: Path) -> tuple[Path, ...]:
    """The files that hold a checkpoint's tensors: itself, or the shards of an index. Raises WeightsError for a damaged index."""
    return tuple(sorted(set(_shards(path).values()))) if path.name.endswith(INDEX) else (path,)


def is_there(path: Path) -> bool:
    """True when the file exists, with all its shards if it is an index. It may still be damaged."""
    try:
        return path.is_file() and all(file.is_file() for file in files_of(path))
    except WeightsError:
        return False


def state_dict_in(content: object, path: Path, wrappers: Sequence[str] = WRAPPERS) -> Mapping[str, Tensor]:
    """The state dict inside a checkpoint's content: itself, or what is under the first of `wrappers`. Raises WeightsError."""
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: holds a {type(content).__name__} and no state dict; save the model's state dict")
    inner = next((content[name] for name in wrappers if isinstance(content.get(name), Mapping)), content)
    if not any(isinstance(value, Tensor) for value in inner.values()):
        raise WeightsError(f"{path}: holds no state dict, neither bare nor under {', '.join(wrappers)}")
    for key, value in inner.items():
        if not isinstance(key, str) or not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
            raise WeightsError(f"{path}: {key} is a {type(value).__name__} and no plain tensor; save the state dict alone")
    return inner


def own_key(key: str) -> str:
    """A key without what training wrappers added to it."""
    parts = plain_parts(key)
    while len(parts) > 1 and parts[0] in _PREFIXES:
        parts = parts[1:]
    return ".".join(parts)


def _own_keys(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    result: dict[str, Tensor] = {}
    found: dict[str, str] = {}
    for key, value in state.items():
        own = own_key(key)
        if own in found:
            raise WeightsError(f"{path}: holds {own} twice, as {found[own]} and as {key}; save the state dict of one model alone")
        result[own], found[own] = value, key
    return result


def _safetensors(path: Path, shapes_only: bool, keys: Iterable[str] | None = None) -> dict[str, Tensor]:
    """The file's tensors; `keys`: exactly these are expected of a shard."""
    try:
        with safe_open(path, framework="pt") as file:
            held = list(file.keys())
            if keys is not None and set(held) != set(keys):
                odd = sorted(set(keys).symmetric_difference(held))[0]
                side = "lacks" if odd in keys else "has besides its index"
                raise WeightsError(f"{path}: {side} {odd}; fetch the index and all its shards from the same place again")
            return {key: _on_meta(file.get_slice(key)) if shapes_only else file.get_tensor(key) for key in held}
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def _on_meta(view: Any) -> Tensor:
    """Shape and precision of a slice of safetensors; precisions that no model has are all the same here."""
    return torch.empty(view.get_shape(), dtype=_DTYPES.get(view.get_dtype(), torch.int64), device="meta")


def _sharded(path: Path, shapes_only: bool) -> dict[str, Tensor]:
    keys: dict[Path, set[str]] = {}
    for key, shard in _shards(path).items():
        keys.setdefault(shard, set()).add(key)
    for shard in keys:
        if not shard.is_file():
            raise WeightsError(f"{shard}: no such weights file, but {path.name} names it; fetch all shards")
    return {key: value for shard in sorted(keys) for key, value in _safetensors(shard, shapes_only, keys[shard]).items()}


def _shards(path: Path) -> dict[str, Path]:
    """Key to file, of an index in the form of huggingface_hub. Its names never lead out of its folder."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    names = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(names, dict) or not names:
        raise WeightsError(f"{path}: has no weight_map from keys to files; fetch it again")
    for key, name in names.items():
        if not isinstance(name, str) or any(c in name for c in "/\\:\0") or not name.endswith(".safetensors"):
            raise WeightsError(f"{path}: {key} is said to be in {name!r}, which is no .safetensors file of the same folder")
    return {key: path.parent / name for key, name in names.items()}


def _unreadable(path: Path, error: BaseException) -> WeightsError:
    if instead := foreign(path):
        return WeightsError(f"{path}: {instead}")
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    if "unable to mmap" in reason:  # torch's words; Linux refuses private mappings of more than memory and swap together
        return WeightsError(
            f"{path}: {path.stat().st_size / 1e9:.1f} GB are more than this machine maps at once ({reason}); use the same "
            "weights as .safetensors in shards, or allow it: sysctl vm.overcommit_memory=1"
        )
    if isinstance(error, pickle.UnpicklingError):  # torch's words advise to load it unsafely
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        reason = f"it holds {found[1]}, and only tensors are read" if found else "it holds something else than tensors"
    return WeightsError(f"{path}: cannot be read as weights ({reason}); it is damaged or unsafe, fetch it again")
