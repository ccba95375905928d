"""Attention without a mask, by the fastest kernel of the card: PyTorch's own, FlashAttention-3 or SageAttention."""

from __future__ import annotations

import importlib
import inspect
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
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
Normalised = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
HOPPER, AMPERE = (9, 0), (8, 0)
FLASH3, SAGE = "flash_attn_interface", "sageattention"  # the modules
INSTALL = {
    "flash3": "FlashAttention-3 (built from the folder hopper of its repository, for compute capability 9.0)",
    "sage": "SageAttention 2.2 (pip install git+https://github.com/thu-ml/SageAttention; PyPI has version 1 alone)",
}
WRONG = {"flash3": 0.02, "sage": 0.1}  # RMS error against PyTorch's, by its RMS value, beyond which a kernel is not used
WRONG_SUM = 0.1  # RMS error of a kernel's logarithms of sums of exponentials, beyond which they are not used
QUERIES, KEYS = 1560, 5 * 1560  # of the check: a latent frame of 480x832 over five
FEW = 128  # queries whose sums are checked, over eight times as many keys


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
        normalised: the same with the logarithm of the sum of each row's exponentials, (B, H, S); None where there is no kernel.
    """

    name: str
    run: Callable[[Tensor, Tensor, Tensor], Tensor] = sdpa
    backends: tuple[SDPBackend, ...] = ()
    normalised: Normalised | None = None

    def __call__(self, q_BSHd: Tensor, k_BNHd: Tensor, v_BNHd: Tensor, bias: Tensor | None = None) -> Tensor:
        """Queries (B, S, H, d) over keys and values (B, N, H, d), which may be views. bias: see `sdpa`."""
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
        return _flash3(_module(FLASH3, "flash3"), processors)
    if choice == "sage":
        return _sage(_module(SAGE, "sage"))
    normalised = _flash2 if capability >= AMPERE else _efficient
    flash = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)
    if capability >= HOPPER:  # there cuDNN's kernels use the newer matrix units, PyTorch's FlashAttention-2 does not
        return Attend("sdpa (cuDNN)", backends=(SDPBackend.CUDNN_ATTENTION, *flash), normalised=normalised)
    return Attend("sdpa (flash)", backends=flash, normalised=normalised)


@torch.inference_mode()
def checked(attend: Attend, choice: Choice, heads: int, head_dim: int, device: torch.device) -> Attend:
    """Compare a library's kernel with PyTorch's attention at the model's shapes before it is used.

    Returns the kernel, or, where `auto` chose one that fails, PyTorch's, with a warning. Raises EngineError when one that was
    asked for fails or is wrong.
    """
    if attend.name not in WRONG:
        return _with_right_sums(attend, heads, head_dim, device)
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
        return _with_right_sums(attend, heads, head_dim, device)
    if choice != "auto":
        raise EngineError(
            f"engine.attention = {choice} does not work here ({problem}): install {INSTALL[choice]}, or set it to auto"
        )
    log.warning("attention by %s does not work here, PyTorch's runs instead (%s)", attend.name, problem)
    return _with_right_sums(choose_attention("sdpa", device, torch.bfloat16), heads, head_dim, device)


def _with_right_sums(attend: Attend, heads: int, head_dim: int, device: torch.device) -> Attend:
    """The kernel, with a warning without `normalised` where that fails or is wrong: a biased attention then takes its place."""
    if attend.normalised is None:
        return attend
    generator = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(1, n, heads, head_dim, generator=generator).to(device, torch.bfloat16) for n in (FEW, 8 * FEW, 8 * FEW)
    )
    try:
        out, sums = attend.normalised(q, k, v)
        scores = torch.einsum("bshd,bnhd->bhsn", q.float(), k.float()) * head_dim**-0.5
        error = float((sums.float() - scores.logsumexp(-1)).square().mean().sqrt())
        right = sdpa(q, k, v).float()
        other = float((out.float() - right).norm() / right.norm())
        if error <= WRONG_SUM and other <= WRONG.get(attend.name, WRONG["flash3"]):
            return attend
        problem = f"its sums differ by {error:.2g} and its results by {other:.2g} of theirs"
    except Exception as failure:  # noqa: BLE001 (a fallback: libraries fail in kinds of their own)
        problem = f"{type(failure).__name__}: {failure}"
    log.warning("a memory below 1 runs by PyTorch's attention with a bias, not by %s (%s)", attend.name, problem)
    return replace(attend, normalised=None)


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


def _flash2(q_BSHd: Tensor, k_BNHd: Tensor, v_BNHd: Tensor) -> tuple[Tensor, Tensor]:
    """PyTorch's FlashAttention-2; see `Attend.normalised`."""
    q, k, v = (x.transpose(1, 2) for x in (q_BSHd, k_BNHd, v_BNHd))
    out, sums = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v)[:2]
    return out.transpose(1, 2), sums


def _efficient(q_BSHd: Tensor, k_BNHd: Tensor, v_BNHd: Tensor) -> tuple[Tensor, Tensor]:
    """PyTorch's memory-efficient attention, for cards before Ampere; see `Attend.normalised`."""
    q, k, v = (x.transpose(1, 2) for x in (q_BSHd, k_BNHd, v_BNHd))
    out, sums = torch.ops.aten._scaled_dot_product_efficient_attention(q, k, v, None, True)[:2]
    return out.transpose(1, 2), sums[..., : q.shape[2]]  # it pads the rows


def _flash3(module: Any, processors: int) -> Attend:
    asked = {"return_attn_probs": True} if "return_attn_probs" in inspect.signature(module.flash_attn_func).parameters else {}

    def run(q: Tensor, k: Tensor, v: Tensor, **more: bool) -> Any:
        splits = best_splits(q.shape[1], k.shape[1], q.shape[0] * q.shape[2], q.shape[3], processors)
        return module.flash_attn_func(q, k, v, num_splits=splits, **more)

    def plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        found = run(q, k, v)
        out: Tensor = found[0] if isinstance(found, tuple) else found  # older builds give the sums unasked
        return out

    return Attend("flash3", plain, normalised=lambda q, k, v: run(q, k, v, **asked)[:2])


def _sage(module: Any) -> Attend:
    run = partial(module.sageattn, tensor_layout="NHD", is_causal=False)
    return Attend("sage", run, normalised=partial(run, return_lse=True))
