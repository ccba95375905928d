"""Scaled fp8 files: 8-bit matrices, each with the factor, or a factor for each row, by which it is multiplied.

ComfyUI and those who quantise for it name the factors `scale_weight` beside the weight, or `weight_scale`. Beside them stand
factors for activations (`scale_input`, `input_scale`) and a description (`comfy_quant`), which serve products in 8 bits, and once
in the file the mark `scaled_fp8`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from sdv2_live.errors import WeightsError

_FACTORS = (".scale_weight", ".weight_scale")
_OF_PRODUCTS = (".scale_input", ".input_scale", ".comfy_quant")
_MARK = "scaled_fp8"
_INSTEAD = "take the same weights in 16 bits"


def scaled(tensors: Mapping[str, Tensor], file: Path) -> tuple[dict[str, Tensor], dict[int, Tensor]]:
    """The tensors without their scales, and the scale of each (by its id) that has one: (), or (rows, 1).

    Raises:
        WeightsError: a scale is none of an 8-bit matrix, or the file is said to be scaled and an 8-bit matrix has no scale.
    """
    state: dict[str, Tensor] = {}
    scales: dict[int, Tensor] = {}
    for key, value in tensors.items():
        weight = tensors.get(f"{key.rpartition('.')[0]}.weight")
        eight = weight is not None and weight.dtype.itemsize == 1
        if key.endswith(_FACTORS):
            if weight is None or not eight or not _fits(value, weight):
                raise WeightsError(f"{file}: {key} {list(value.shape)} is no scale of an fp8 weight; {_INSTEAD}")
            scales[id(weight)] = value.float().reshape(() if value.numel() == 1 else (-1, 1))
        elif not _marks(key) and not (eight and key.endswith(_OF_PRODUCTS)):
            state[key] = value
    lacking = [key for key, value in state.items() if value.dtype.itemsize == 1 and value.ndim > 1 and id(value) not in scales]
    if lacking and (scales or any(map(_marks, tensors)) or "scaled" in file.name):
        raise WeightsError(
            f"{file}: is a scaled fp8 file without the scales of {len(lacking)} weights, such as {lacking[0]}: without "
            f"them these mean nothing; {_INSTEAD}, or a file that holds {lacking[0].removesuffix('.weight')}{_FACTORS[0]} too"
        )
    return state, scales


def _marks(key: str) -> bool:
    return key.rpartition(".")[2] == _MARK


def _fits(scale: Tensor, weight: Tensor) -> bool:
    return scale.is_floating_point() and (scale.numel() == 1 or (weight.ndim == 2 and scale.numel() == weight.shape[0]))
