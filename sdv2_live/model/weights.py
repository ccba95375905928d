"""Checkpoints: read safely, checked strictly, put straight into a model.

Also the synthetic weights that benchmarks and reference cases use: each tensor made from its key and shape alone.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sdv2_live.errors import WeightsError

WRAPPERS = ("generator_ema", "generator", "state_dict")  # names under which training scripts keep the state dict
PREFIX = "model."
M = TypeVar("M", bound=nn.Module)

SHOWN = 6  # keys listed in an error before "and N more"


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """All tensors of a .safetensors, .pt or .pth file, memory-mapped. Pickles are read with weights_only.

    Raises WeightsError when the file is missing, damaged, or holds anything but tensors.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file; check model.weights_dir")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise WeightsError(f"{path}: cannot be read as weights ({error}); it is damaged or unsafe, fetch it again") from error
    return unwrap(content, path)


def unwrap(content: object, path: Path) -> dict[str, Tensor]:
    """The state dict inside a checkpoint's content: bare or under a wrapper, with or without the prefix `model.`."""
    if isinstance(content, Mapping):
        inner = next((content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)), content)
        if inner and all(isinstance(value, Tensor) for value in inner.values()):
            prefixed = all(key.startswith(PREFIX) for key in inner)
            return {key.removeprefix(PREFIX) if prefixed else key: value for key, value in inner.items()}
    raise WeightsError(f"{path}: holds no state dict, neither bare nor under {', '.join(WRAPPERS)}")


def load_strict(model: nn.Module, state: Mapping[str, Tensor], source: str, *, assign: bool = False) -> None:
    """Put `state` into `model`: copied and cast to its dtypes, or (`assign`, for models on meta) taken over as it is.

    Raises WeightsError naming file, keys and shapes that do not fit.
    """
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    problems = [f"missing {key} {list(shape)}" for key, shape in wanted.items() if key not in state]
    problems += [f"unexpected {key} {list(value.shape)}" for key, value in state.items() if key not in wanted]
    problems += [
        f"{key} is {list(state[key].shape)} in the file, {list(shape)} in the model"
        for key, shape in wanted.items()
        if key in state and tuple(state[key].shape) != shape
    ]
    if problems:
        more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise WeightsError(f"{source}: does not fit {type(model).__name__}: {'; '.join(problems[:SHOWN])}{more}")
    model.load_state_dict(state, strict=True, assign=assign)


def on_meta(make: Callable[[], M]) -> M:
    """A model without memory: its weights arrive by assignment, with no second copy."""
    with torch.device("meta"):
        return make()


def assign(
    model: nn.Module,
    file: Path,
    device: torch.device,
    dtype: torch.dtype,
    rename: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict,
) -> None:
    """Take a file's tensors over into a model on meta, at its device and precision. rename: the file's keys to the model's."""
    load_strict(model, rename(read_checkpoint(file)), str(file), assign=True)
    model.to(device, dtype)


def find_file(folder: Path, names: tuple[str, ...]) -> Path:
    """The first of `names` that is below `folder`. Raises WeightsError naming all of them."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(f"{folder}: holds none of {', '.join(names)}; put the file there or set model.weights_dir to where it is")


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
