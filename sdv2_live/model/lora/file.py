"""One LoRA file, read and checked against the model it is meant for.

A LoRA (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021) changes a weight W (out, in) into
W + scale * alpha / rank * B A, with A (rank, in) and B (out, rank). alpha comes with the tensors (kohya-ss), in the file's
metadata (diffusers) or in adapter_config.json beside the file (PEFT); where nobody gives one it is the rank.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from sdv2_live.errors import WeightsError
from sdv2_live.model.checkpoints.checkpoint import UNREADABLE, load_pickle, state_dict_in
from sdv2_live.model.checkpoints.foreign import foreign
from sdv2_live.model.lora.alpha import Alphas
from sdv2_live.model.lora.keys import ModuleNames, Part, other_method, split

MEMBERS = ("generator_lora", "state_dict")  # where training scripts keep the LoRA of the model that paints
SHOWN = 4  # keys listed in a message before "and N more"

Shapes = Mapping[str, tuple[int, ...]]  # of the model's parameters, by their names


@dataclass(frozen=True, slots=True)
class LowRank:
    """One weight's change: down A (rank, in), up B (out, rank) with alpha / rank in it; float32 on the CPU."""

    down: Tensor
    up: Tensor

    @property
    def rank(self) -> int:
        """Rows of A."""
        return self.down.shape[0]


@dataclass(frozen=True, slots=True)
class LoraFile:
    """The changes that a file makes, by the model's parameter names.

    Attributes:
        low_rank: weights, flattened to (out, in).
        shifts: tensors that are added unchanged, in the parameter's own shape, float32.
        unmatched: the file's keys that name no part of the model.
        sha256: of the file, 64 hexadecimal digits.
    """

    low_rank: Mapping[str, LowRank]
    shifts: Mapping[str, Tensor]
    unmatched: tuple[str, ...]
    sha256: str


def read_lora(path: Path, shapes: Shapes, alpha: float | None = None) -> LoraFile:
    """Read a .safetensors or .pt file of any usual key style. The result is finite and has the model's shapes.

    Args:
        path: the file. Of a .pt that holds several LoRAs, as training leaves them, the generator's is read.
        shapes: of the model's parameters.
        alpha: where the file does not say it; None: the rank.

    Raises:
        WeightsError: the file is missing, damaged, of another method than LoRA, not made for a model of these shapes, or for
            no part of it at all. Names file, key and shapes.
    """
    tensors, metadata, sha256 = _open(path)
    if found := other_method(tensors):
        raise WeightsError(f"{path}: {found[1]} is {found[0]}, which is not supported; give a plain LoRA (lora_A and lora_B)")
    modules, unmatched = _by_module(tensors, shapes)
    if not modules:
        raise WeightsError(
            f"{path}: none of its {len(tensors)} keys names a part of the model ({_some(unmatched)}); is it for Wan2.1?"
        )
    reader = _Reader(path, shapes, Alphas(path, metadata, alpha))
    for module, parts in modules.items():
        reader.read(module, parts)
    unmatched += reader.unmatched
    if reader.problems:
        raise WeightsError(
            f"{path}: does not fit the model: {_some(reader.problems, '; ')}; take a LoRA that was made for this model"
        )
    return LoraFile(reader.low_rank, reader.shifts, tuple(unmatched), sha256)


def _open(path: Path) -> tuple[dict[str, Tensor], dict[str, str], str]:
    if path.suffix not in (".safetensors", ".pt", ".pth"):
        raise WeightsError(f"{path}: a LoRA is a .safetensors or .pt file; convert it")
    try:
        with path.open("rb") as raw:
            sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
        if path.suffix != ".safetensors":
            return dict(state_dict_in(load_pickle(path)[0], path, MEMBERS)), {}, sha256
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}, sha256  # noqa: SIM118
    except UNREADABLE as error:
        why = foreign(path) or f"cannot be read as a LoRA ({error}); check model.loras, or fetch the file again"
        raise WeightsError(f"{path}: {why}") from error


Parts = dict[Part, tuple[str, Tensor]]  # each with its key in the file


def _by_module(tensors: Mapping[str, Tensor], shapes: Shapes) -> tuple[dict[str, Parts], list[str]]:
    """The tensors by the model's module names, and the keys that belong to none."""
    keys = {key: split(key) for key in tensors}
    names = ModuleNames({key.rpartition(".")[0] for key in shapes}).find(known[0] for known in keys.values() if known)
    modules: dict[str, Parts] = {}
    unmatched: list[str] = []
    for key, tensor in tensors.items():
        known = keys[key]
        module = names.get(known[0]) if known else None
        if known is None or module is None or known[1] in modules.get(module, {}):
            unmatched.append(key)
        else:
            modules.setdefault(module, {})[known[1]] = (key, tensor)
    return modules, unmatched


class _Reader:
    """Puts modules' tensors together and collects what does not fit."""

    def __init__(self, path: Path, shapes: Shapes, alphas: Alphas) -> None:
        self.low_rank: dict[str, LowRank] = {}
        self.shifts: dict[str, Tensor] = {}
        self.problems: list[str] = []
        self.unmatched: list[str] = []
        self._path = path
        self._shapes = shapes
        self._alphas = alphas

    def read(self, module: str, parts: Parts) -> None:
        factor = self._pair(module, parts)
        leaves = {Part.WEIGHT: "weight", Part.BIAS: "bias", Part.MODULATION: "modulation", Part.UP_BIAS: "bias"}
        for part, leaf in leaves.items():
            if part in parts:
                key, tensor = parts[part]
                wide = self._float(key, tensor)
                self._shift(f"{module}.{leaf}", key, self._finite(key, wide * factor) if part is Part.UP_BIAS else wide)

    def _pair(self, module: str, parts: Parts) -> float:
        """A and B of one module; returns alpha / rank, 1 where there is no pair."""
        if Part.DOWN not in parts and Part.UP not in parts:
            self.unmatched += [parts[Part.ALPHA][0]] if Part.ALPHA in parts else []
            return 1.0
        lone = {Part.DOWN: "B (lora_B, lora_up)", Part.UP: "A (lora_A, lora_down)"}
        for part, other in lone.items():
            if part in parts and not {Part.DOWN, Part.UP} <= parts.keys():
                self.problems.append(f"{parts[part][0]} is there without its {other}")
                return 1.0
        target = f"{module}.weight"
        if target not in self._shapes:
            self.unmatched += [parts[Part.DOWN][0], parts[Part.UP][0]]
            return 1.0
        down_key, up_key = parts[Part.DOWN][0], parts[Part.UP][0]
        for key, tensor in (parts[Part.DOWN], parts[Part.UP]):
            if tensor.ndim < 2 or not tensor.numel():
                self.problems.append(f"{key} is {list(tensor.shape)}, no matrix of rank 1 or more")
                return 1.0
        down, up = (self._float(*parts[part]).flatten(1) for part in (Part.DOWN, Part.UP))
        out, inner = self._shapes[target][0], math.prod(self._shapes[target][1:])
        if down.shape[0] != up.shape[1]:
            self.problems.append(f"{down_key} {list(down.shape)} and {up_key} {list(up.shape)} differ in rank")
        elif (up.shape[0], down.shape[1]) != (out, inner):
            wrong = down_key if down.shape[1] != inner else up_key
            self.problems.append(f"{wrong} is for a weight of {[up.shape[0], down.shape[1]]}, the model's is {[out, inner]}")
        factor = self._alphas.factor(down_key, down.shape[0], parts.get(Part.ALPHA))
        self.low_rank[target] = LowRank(down, self._finite(up_key, up * factor))
        return factor

    def _shift(self, target: str, key: str, tensor: Tensor) -> None:
        shape = self._shapes.get(target)
        if shape is None:
            self.unmatched.append(key)
        elif tensor.numel() != math.prod(shape) or (tensor.shape != shape and min(tensor.ndim, len(shape)) > 1):
            self.problems.append(f"{key} is {list(tensor.shape)}, the model's {target} is {list(shape)}")
        else:
            tensor = tensor.reshape(shape)
            self.shifts[target] = self.shifts[target] + tensor if target in self.shifts else tensor

    def _float(self, key: str, tensor: Tensor) -> Tensor:
        """The tensor in float32. Raises WeightsError when it holds no numbers of that kind."""
        if not tensor.is_floating_point():
            raise WeightsError(f"{self._path}: {key} is {tensor.dtype}; a LoRA's tensors are fp32, fp16 or bf16")
        return self._finite(key, tensor.float())

    def _finite(self, key: str, wide: Tensor) -> Tensor:
        """The tensor. Raises WeightsError when it holds values that are not finite, which would paint black."""
        if not bool(wide.isfinite().all()):
            raise WeightsError(
                f"{self._path}: {key} holds values that are no finite numbers; the file is damaged, fetch it again"
            )
        return wide


def _some(texts: list[str], separator: str = ", ") -> str:
    more = f"{separator}and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return separator.join(texts[:SHOWN]) + more
