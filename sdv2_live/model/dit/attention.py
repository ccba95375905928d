"""Attention without a mask, by the fastest kernel of the card: PyTorch's own, FlashAttention-3 or SageAttention."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from sdv2_live.errors import EngineError
from sdv2_live.model.cpu import fuses_bf16

Choice = Literal["auto", "sdpa", "flash3", "sage"]
HOPPER = (9, 0)
FLASH3, SAGE = "flash_attn_interface", "sageattention"  # the modules
INSTALL = {
    "flash3": "FlashAttention-3 (built from the folder hopper of its repository, for compute capability 9.0)",
    "sage": "SageAttention (pip install sageattention)",
}


def sdpa(q_BSHd: Tensor, k_BNHd: Tensor, v_BNHd: Tensor, bias: Tensor | None = None) -> Tensor:
    """PyTorch's scaled dot product attention, (B, S, H, d). bias: (1, 1, 1, N), added to the scores."""
    q, k, v = (x.transpose(1, 2) for x in (q_BSHd, k_BNHd, v_BNHd))
    return attention(q, k, v, bias).transpose(1, 2)


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """PyTorch's attention, (..., S, d), on every processor: in bf16 on a CPU where the fused kernel fails, without it."""
    unfused = q.device.type == "cpu" and q.dtype == torch.bfloat16 and not fuses_bf16()
    with sdpa_kernel(SDPBackend.MATH) if unfused else nullcontext():
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


@dataclass(frozen=True, slots=True)
class Attend:
    """An attention kernel.

    Attributes:
        name: as the log has it.
        backends: of PyTorch's attention, the preferred first; () leaves it to PyTorch.
    """

    name: str
    run: Callable[[Tensor, Tensor, Tensor], Tensor] = sdpa
    backends: tuple[SDPBackend, ...] = ()

    def __call__(self, q_BSHd: Tensor, k_BNHd: Tensor, v_BNHd: Tensor, bias: Tensor | None = None) -> Tensor:
        """Queries (B, S, H, d) over keys and values (B, N, H, d), which may be views. bias: on a CPU alone, see `sdpa`."""
        return self.run(q_BSHd, k_BNHd, v_BNHd) if bias is None else sdpa(q_BSHd, k_BNHd, v_BNHd, bias)

    def preferred(self) -> AbstractContextManager[Any]:
        """Make PyTorch's attention take the first of `backends` that can, while entered."""
        return sdpa_kernel(list(self.backends), set_priority=True) if self.backends else nullcontext()


def choose_attention(choice: Choice, device: torch.device, dtype: torch.dtype) -> Attend:
    """The kernel to use. auto: FlashAttention-3 on Hopper where it is installed, else PyTorch's.

    SageAttention computes in 8 bits and is only taken on request. Raises EngineError when the requested kernel is missing.
    """
    if device.type != "cuda" or dtype not in (torch.float16, torch.bfloat16):
        if choice in INSTALL:
            raise EngineError(f"engine.attention = {choice} needs a GPU and bf16 or fp16, not {device.type}: set it to auto")
        return Attend("sdpa")
    capability = torch.cuda.get_device_capability(device)
    if choice == "flash3" or (choice == "auto" and capability == HOPPER and _there(FLASH3)):
        return Attend("flash3", _flash3(_module(FLASH3, "flash3")))
    if choice == "sage":
        return Attend("sage", _sage(_module(SAGE, "sage")))
    flash = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)
    if capability >= HOPPER:  # there cuDNN's kernels use the newer matrix units, PyTorch's FlashAttention-2 does not
        return Attend("sdpa (cuDNN)", backends=(SDPBackend.CUDNN_ATTENTION, *flash))
    return Attend("sdpa (flash)", backends=flash)


def _there(module: str) -> bool:
    try:
        importlib.import_module(module)
    except (ImportError, OSError):  # absent, or built for another torch
        return False
    return True


def _module(name: str, choice: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise EngineError(f"engine.attention = {choice} needs {INSTALL[choice]}: {error}; or set it to auto") from error


def _flash3(module: Any) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        found = module.flash_attn_func(q, k, v)
        out: Tensor = found[0] if isinstance(found, tuple) else found  # older builds also give the softmax's normaliser
        return out

    return run


def _sage(module: Any) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out: Tensor = module.sageattn(q, k, v, tensor_layout="NHD", is_causal=False)
        return out

    return run
