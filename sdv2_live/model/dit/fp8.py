"""A DiT's linear layers in 8 bits: half the weights' memory, and on GPUs with fp8 units products at up to twice the rate.

LoRAs are merged before this and live ones wrapped around it after: their own matrices stay in 16 bits, beside the 8-bit product.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from sdv2_live.errors import EngineError
from sdv2_live.model.dit.backend import find_ops
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.eight import Linear8, Rows8, product, rounded
from sdv2_live.model.dit.ops import Ops, TorchOps
from sdv2_live.model.sizes import DitConfig

CAPABILITY = (8, 9)  # Ada, Hopper and later have fp8 matrix units
KERNEL_MULTIPLE = 16  # both sides of a matrix for the scaled products
TOLERANCE = 2e-2  # RMS error of a product in bf16, by its RMS value
STEP = 0.07  # of a rounded number, by itself: a kernel may round the other way than PyTorch, by one code


@cache
def why_not_fp8(device: torch.device) -> str | None:
    """The reason why linear layers cannot be in 8 bits on this device, None when they can. A small product is tried, once."""
    if device.type != "cuda":
        return f"model.fp8 needs an NVIDIA GPU, not the {device.type}: set it to false"
    capability = torch.cuda.get_device_capability(device)
    if capability < CAPABILITY:
        has = "{}.{}".format(*capability)
        return f"model.fp8 needs compute capability 8.9 (Ada, Hopper) or more, this GPU has {has}: set it to false"
    try:
        check_product(device)
    except (RuntimeError, ValueError, NotImplementedError, EngineError) as error:
        if sys.platform == "win32":
            return "model.fp8 needs a matrix product that PyTorch's builds for Windows do not hold: set it to false, or use Linux"
        return f"model.fp8 does not work with PyTorch {torch.__version__} on this GPU ({error}): set it to false"
    return None


@torch.inference_mode()
def check_product(device: torch.device) -> None:
    """Raise EngineError where the product of 8-bit rows is wrong; PyTorch raises errors of its own where it has none."""
    generator = torch.Generator().manual_seed(0)
    x, weight = (rounded(torch.randn(n, 256, generator=generator)) for n in (48, 64))
    bias = torch.randn(64, generator=generator).bfloat16()
    there = [Rows8(rows.codes.to(device), rows.scales.to(device)) for rows in (x, weight)]
    found, expected = product(there[0], there[1], bias.to(device)).cpu(), product(x, weight, bias)
    _require(found.float(), expected.float(), TOLERANCE, f"the product in 8 bits on {device}")


@torch.inference_mode()
def check_rows8(ops: Ops, config: DitConfig, device: torch.device) -> None:
    """Raise EngineError unless the operations round rows of the model's widths as PyTorch does."""
    generator = torch.Generator().manual_seed(0)
    x, h = (torch.randn(1, 1, 4, n, generator=generator).to(device, torch.bfloat16) for n in (config.dim, config.ffn))
    vectors = torch.randn(2, 1, 1, config.dim, generator=generator).to(device)
    found: list[list[Tensor]] = []
    for each in (ops, TorchOps()):
        outputs = each.add_norm(x.clone(), None, None, *vectors, eight=True)[1], each.rows8(x)
        gelu = each.linear_gelu(nn.Identity(), h, eight=True)
        found.append([rows.wide() for rows in (*outputs, gelu) if isinstance(rows, Rows8)])
    for mine, theirs in zip(*found, strict=True):
        _require(mine, theirs, STEP, f"the {ops.name} operations that round to 8 bits on {device}")


def _require(found: Tensor, expected: Tensor, tolerance: float, what: str) -> None:
    error = float((found - expected).norm() / expected.norm())
    if not error < tolerance:
        raise EngineError(f"{what} are wrong by {error:.2g} of their results: report this")


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
    ops = find_ops(device, dit.config.heads, dit.config.head_dim)
    check_rows8(ops, dit.config, device)
    count = round_layers(dit, ops, device)
    dit.to(device)
    return count


@torch.no_grad()
def round_layers(dit: CausalDiT, ops: Ops, device: torch.device) -> int:
    """Put layers in 8 bits, on `device`, in place of those of the blocks that fit; return how many."""
    names = [name for name, module in dit.named_modules() if name.startswith("blocks.") and fits(module)]
    for name in names:
        dit.set_submodule(name, Linear8(dit.get_submodule(name).to(device), ops.rows8))  # type: ignore[arg-type]
    return len(names)


def fits(module: Any) -> bool:
    """True for a linear layer that fp8 kernels take."""
    if not isinstance(module, nn.Linear):
        return False
    return module.in_features % KERNEL_MULTIPLE == 0 and module.out_features % KERNEL_MULTIPLE == 0
