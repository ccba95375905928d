"""Linear layers in 8 bits (float8_e4m3fn): half the weights' memory, and on GPUs with fp8 units faster products.

torchao quantises each row of a weight once, and each row of the activations at each call. LoRAs are merged before this and
live ones wrapped around it after: their own matrices stay in 16 bits, beside the 8-bit product.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import torch
from torch import nn

from sdv2_live.errors import EngineError
from sdv2_live.model.dit.dit import CausalDiT

CAPABILITY = (8, 9)  # Ada, Hopper and later have fp8 matrix units
KERNEL_MULTIPLE = 16  # both sides of a matrix for the scaled products


def why_not_fp8(device: torch.device) -> str | None:
    """The reason why linear layers cannot be in 8 bits on this device, None when they can."""
    if device.type != "cuda":
        return f"model.fp8 needs an NVIDIA GPU, not the {device.type}: set it to false"
    capability = torch.cuda.get_device_capability(device)
    if capability < CAPABILITY:
        has = "{}.{}".format(*capability)
        return f"model.fp8 needs compute capability 8.9 (Ada, Hopper) or more, this GPU has {has}: set it to false"
    if importlib.util.find_spec("torchao") is None:
        return "model.fp8 needs torchao: pip install 'sdv2-live[fp8]', or set it to false"
    return None


def require_fp8(device: torch.device) -> None:
    """Raise EngineError that names what 8-bit linear layers lack here."""
    problem = why_not_fp8(device)
    if problem is not None:
        raise EngineError(problem)


def to_fp8(dit: CausalDiT, device: torch.device) -> int:
    """Put the linear layers of a DiT's blocks into 8 bits and all of it onto `device`; return the number of layers.

    It may lie on the CPU: each layer is moved by itself, so that the GPU never holds all of them in 16 bits. Raises
    EngineError where it cannot be done.
    """
    require_fp8(device)
    if dit.dtype != torch.bfloat16:
        raise EngineError(f"model.fp8 goes with model.dtype bf16, not {str(dit.dtype)[6:]}: set model.dtype to auto")
    from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, PerRow, quantize_

    count = sum(map(fits, dit.blocks.modules()))
    layers = Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())
    quantize_(dit.blocks, layers, lambda module, _: fits(module), device)
    dit.to(device)
    return count


def fits(module: Any) -> bool:
    """True for a linear layer that fp8 kernels take."""
    if not isinstance(module, nn.Linear):
        return False
    return module.in_features % KERNEL_MULTIPLE == 0 and module.out_features % KERNEL_MULTIPLE == 0
