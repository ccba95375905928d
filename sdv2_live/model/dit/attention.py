"""Attention without a mask, by the fastest kernel of the card: PyTorch's own, FlashAttention-3 or SageAttention."""

from __future__ import annotations

import importlib
import logging
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
from sdv2_live.model.dit.tiles import best_splits

log = logging.getLogger("sdv2_live.model")

Choice = Literal["auto", "sdpa", "flash3", "sage"]
HOPPER = (9, 0)
FLASH3, SAGE = "flash_attn_interface", "sageattention"  # the modules
INSTALL = {
    "flash3": "FlashAttention-3 (built from the folder hopper of its repository, for compute capability 9.0)",
    "sage": "SageAttention 2.2 (pip install git+https://github.com/thu-ml/SageAttention; PyPI has version 1 alone)",
}
WRONG = {"flash3": 0.02, "sage": 0.1}  # RMS error against PyTorch's, by its RMS value, beyond which a kernel is not used
QUERIES, KEYS = 1560, 5 * 1560  # of the check: a latent frame of 480x832 over five


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
        processors = torch.cuda.get_device_properties(device).multi_processor_count
        return Attend("flash3", _flash3(_module(FLASH3, "flash3"), processors))
    if choice == "sage":
        return Attend("sage", _sage(_module(SAGE, "sage")))
    flash = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)
    if capability >= HOPPER:  # there cuDNN's kernels use the newer matrix units, PyTorch's FlashAttention-2 does not
        return Attend("sdpa (cuDNN)", backends=(SDPBackend.CUDNN_ATTENTION, *flash))
    return Attend("sdpa (flash)", backends=flash)


@torch.inference_mode()
def checked(attend: Attend, choice: Choice, heads: int, head_dim: int, device: torch.device) -> Attend:
    """Compare a library's kernel with PyTorch's attention at the model's shapes before it is used.

    Returns the kernel, or, where `auto` chose one that fails, PyTorch's, with a warning. Raises EngineError when one that was
    asked for fails or is wrong.
    """
    if attend.name not in WRONG:
        return attend
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, n, heads, head_dim, generator=generator).to(device, torch.bfloat16) for n in (QUERIES, KEYS, KEYS))
    try:
        right = sdpa(q, k, v).float()
        error = float((attend(q, k, v).float() - right).norm() / right.norm())
        problem = (
            ""
            if error <= WRONG[attend.name]
            else f"it differs from PyTorch's by {error:.2g}, {WRONG[attend.name]} at most is right"
        )
    except Exception as failure:  # noqa: BLE001 (a fallback: libraries fail in kinds of their own)
        problem = f"{type(failure).__name__}: {failure}"
    if not problem:
        return attend
    if choice != "auto":
        raise EngineError(
            f"engine.attention = {choice} does not work here ({problem}): install {INSTALL[choice]}, or set it to auto"
        )
    log.warning("attention by %s does not work here, PyTorch's runs instead (%s)", attend.name, problem)
    return choose_attention("sdpa", device, torch.bfloat16)


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


def _flash3(module: Any, processors: int) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        splits = best_splits(q.shape[1], k.shape[1], q.shape[0] * q.shape[2], q.shape[3], processors)
        found = module.flash_attn_func(q, k, v, num_splits=splits)
        out: Tensor = found[0] if isinstance(found, tuple) else found  # older builds also give the softmax's normaliser
        return out

    return run


def _sage(module: Any) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out: Tensor = module.sageattn(q, k, v, tensor_layout="NHD", is_causal=False)
        return out

    return run
