"""This processor's support of bfloat16."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F


def multiplies_bf16() -> bool:
    """True when it has instructions for products of bf16 matrices. Without them bf16 is the slowest choice of all."""
    return _has("amx_bf16", "avx512_bf16", "bf16")


def has_bf16_tiles() -> bool:
    """True when these are AMX's, on whole tiles (Xeons of 2023 and later).

    Convolutions need them: with AVX-512's instructions alone they take several times as long as in float32.
    """
    return _has("amx_bf16")


@cache
def fuses_bf16() -> bool:
    """True when PyTorch's fused attention computes in bf16 here.

    It asks oneDNN how to lay matrices out, and then fails where ATen was built for, or told to use (ATEN_CPU_CAPABILITY), fewer
    of the processor's instructions than oneDNN.
    """
    x = torch.zeros(1, 1, 64, 32, dtype=torch.bfloat16, device="cpu")  # from 64 queries on they are laid out anew
    try:
        F.scaled_dot_product_attention(x, x, x)
    except RuntimeError:
        return False
    return True


def _has(*names: str) -> bool:
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # since torch 2.10
    return any(capabilities.get(name) for name in names)
