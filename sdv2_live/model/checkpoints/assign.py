"""Weights into models: checked strictly, tensor by tensor from the mapped file to the device and precision.

Also the synthetic weights that benchmarks and reference cases use: each tensor made from its key and shape alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.checkpoint import open_checkpoint
from sdv2_live.model.checkpoints.digests import digests
from sdv2_live.model.checkpoints.mmap import release, touch
from sdv2_live.model.checkpoints.scaled import scaled
from sdv2_live.model.checkpoints.stored import stored_kind
from sdv2_live.model.lora.keys import ModuleNames

M = TypeVar("M", bound=nn.Module)
Part = Callable[[str], bool]
Rename = Callable[[dict[str, Tensor]], dict[str, Tensor]]

SHOWN = 6  # keys listed in an error before "and N more"
KEPT_SIZE = 1 << 16  # elements from which `keep` keeps a matrix as it is; smaller ones are not worth it
MODULATION = "scale_shift_table"  # diffusers' name of it; the head's stands beside no module


def require_fit(model: nn.Module, state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """The state by the model's own keys; keys of another program's layout are translated.

    Raises:
        WeightsError: something does not fit the model; names `source`, the keys and the shapes.
    """
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    state = _own_names(state, wanted.keys())
    problems = [f"missing {key} {list(shape)}" for key, shape in wanted.items() if key not in state]
    problems += [f"unexpected {key} {list(value.shape)}" for key, value in state.items() if key not in wanted]
    for key, shape in wanted.items():
        if key in state and tuple(state[key].shape) != shape:
            problems.append(f"{key} is {list(state[key].shape)} in the file, {list(shape)} in the model")
        elif key in state and not state[key].is_floating_point():
            problems.append(f"{key} is {str(state[key].dtype)[6:]} in the file, a floating-point tensor in the model")
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise WeightsError(f"{source}: does not fit {type(model).__name__}: {'; '.join(problems[:SHOWN])}{more}")
    return state


def _own_names(state: Mapping[str, Tensor], wanted: Set[str]) -> dict[str, Tensor]:
    """A checkpoint's tensors by the model's own keys (`wanted`); keys of another program's layout are translated.

    Keys that need no renaming, or that mean nothing here, stay as they are.
    """
    if wanted <= state.keys():
        return dict(state)
    modules = ModuleNames({key.rpartition(".")[0] for key in wanted}).find(key.rpartition(".")[0] for key in state)
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        name, _, leaf = key.rpartition(".")
        module = modules.get(name) or ("head" if leaf == MODULATION else name)
        own = f"{module}.{'modulation' if leaf == MODULATION else leaf}"
        renamed[own if own in wanted and own not in renamed else key] = value
    return renamed


def load_strict(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Copy `state` into a model that has memory, cast to its dtypes. Raises WeightsError like `require_fit`."""
    model.load_state_dict(require_fit(model, state, source), strict=True)


def on_meta(make: Callable[[], M]) -> M:
    """A model without memory: its weights arrive by assignment, with no second copy."""
    with torch.device("meta"):
        return make()


def assign(
    model: nn.Module,
    file: Path,
    device: torch.device,
    dtype: torch.dtype,
    rename: Rename = dict,
    *,
    keep: bool = False,
    member: str | None = None,
    part: Part | None = None,
) -> None:
    """Take a file's tensors over into a model on meta, at its device and precision.

    Tensors that are on the CPU and have the precision already stay views of the file; the others are copied one by one, and
    the file's pages given back.

    Args:
        model: its parameters are on the meta device.
        file: the checkpoint.
        device: of the weights.
        dtype: of the weights.
        rename: translates the file's keys to the model's.
        keep: leave large matrices of lower precision as they are in the file and widen them at each use, see stored.py; on
            the CPU they are read from the file at their first use.
        member: see `open_checkpoint`.
        part: says of a key whether its tensor is taken over; the others are only checked, and stay on meta. None: of all.

    Raises:
        WeightsError: as in `require_fit`.
    """
    state, scales, mapped = _fitting(model, file, rename, member, part)
    _place_buffers(model, device, dtype)
    done: dict[int, Tensor] = {}  # tied tensors have two keys and one place
    placed: dict[str, Tensor] = {}
    for key in list(state):
        value = state.pop(key)  # where the file is not mapped, a tensor's memory is free once its turn has passed
        scale = scales.get(id(value))
        layer, _, leaf = key.rpartition(".")
        whole = scale is None or scale.ndim == 0
        worth = keep and whole and leaf == "weight" and value.numel() >= KEPT_SIZE and value.dtype.itemsize < dtype.itemsize
        kind = stored_kind(model.get_submodule(layer)) if worth else None
        if id(value) not in done:
            done[id(value)] = value.to(device) if kind else _placed(value, scale, device, dtype, mapped)
        if kind:
            model.set_submodule(layer, kind(done[id(value)], None if scale is None else scale.to(device), dtype))
        else:
            placed[key] = done[id(value)]
    model.load_state_dict(placed, strict=part is None, assign=True)


def part_digests(model: nn.Module, file: Path, dtype: torch.dtype, part: Part, member: str | None = None) -> dict[str, str]:
    """Digests of those tensors of a file that a part takes over, see `digests`; other arguments as for `assign`.

    Raises WeightsError.
    """
    state, scales, _ = _fitting(model, file, dict, member, part)
    return digests(state, scales, dtype)


def _fitting(
    model: nn.Module, file: Path, rename: Rename, member: str | None, part: Part | None
) -> tuple[dict[str, Tensor], dict[int, Tensor], bool]:
    """What `_read` finds, by the model's keys, of which `part` takes some."""
    state, scales, mapped = _read(file, member)
    state = require_fit(model, rename(state), str(file))
    return {key: value for key, value in state.items() if part is None or part(key)}, scales, mapped


def read_shapes(file: Path, member: str | None = None) -> dict[str, Tensor]:
    """A file's tensors, maybe on meta, without the scales of its fp8 matrices: the shapes that must fit the model.

    Raises WeightsError.
    """
    return _read(file, member, shapes_only=True)[0]


def _read(file: Path, member: str | None, *, shapes_only: bool = False) -> tuple[dict[str, Tensor], dict[int, Tensor], bool]:
    """A file's tensors without scales, the scale of each tensor (by its id) that has one, and whether the file is mapped."""
    checkpoint = open_checkpoint(file, member=member, shapes_only=shapes_only)
    state, scales = scaled(checkpoint.tensors, file)
    return state, scales, checkpoint.mapped


def _placed(value: Tensor, scale: Tensor | None, device: torch.device, dtype: torch.dtype, mapped: bool) -> Tensor:
    """The tensor at its place: itself, or one copy of it (cast on the device, which is faster at it)."""
    if value.device.type == device.type and value.dtype == dtype and value.is_contiguous():
        if mapped:
            touch(value)
        return value
    copy = value.to(device).to(dtype).contiguous()
    if scale is not None:
        copy *= scale.to(copy)
    if mapped and copy.data_ptr() != value.data_ptr():
        release(value)
    return copy


def _place_buffers(model: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Constants that no file holds; they are made with their values even in a model on meta."""
    for name, buffer in list(model.named_buffers()):
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, buffer.to(device, dtype if buffer.is_floating_point() else buffer.dtype))


def synthetic_tensor(name: str, shape: tuple[int, ...], gain: float = 1.0) -> Tensor:
    """A float32 tensor that depends on the key and the shape alone, the same on every machine (numpy's frozen RandomState)."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    count = int(np.prod(shape, dtype=np.int64))
    x: np.ndarray = random.standard_normal(max(count, 1)).astype(np.float32).reshape(shape)
    leaf = name.rpartition(".")[2]
    if leaf == "gamma" or (leaf == "weight" and len(shape) == 1):
        x = 1.0 + 0.1 * x
    elif leaf == "bias":
        x = 0.05 * x
    elif leaf == "modulation":
        x = 0.2 * x
    else:
        fan_in = max(int(np.prod(shape[1:] if len(shape) > 1 else shape, dtype=np.int64)), 1)
        x = gain * x / np.float64(np.sqrt(fan_in))
    return torch.from_numpy(np.asarray(x, dtype=np.float32))


def synthetic_state_dict(shapes: Mapping[str, tuple[int, ...]], gain: float = 1.0) -> dict[str, Tensor]:
    """Synthetic tensors for every key of a manifest."""
    return {key: synthetic_tensor(key, tuple(shape), gain) for key, shape in shapes.items()}
