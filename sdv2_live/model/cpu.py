"""What this processor computes fastest: measured where it depends on more than the instructions that it has."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

from sdv2_live.system.clock import COARSE_THREAD_TIME


def multiplies_bf16() -> bool:
    """True when it has instructions for products of bf16 matrices. Without them bf16 is the slowest choice of all."""
    return _has("amx_bf16", "avx512_bf16", "bf16")


@cache
def faster_in_bf16() -> bool:
    """True when a small model's layers take clearly less time in bfloat16 than in float32, its more exact alternative.

    It takes a hundredth of a second, and up to a tenth where bfloat16 is emulated. Processor time is measured: other programs'
    share of the cores does not count.
    """
    clock = time.perf_counter if COARSE_THREAD_TIME else time.thread_time
    return 1.25 * _seconds(torch.bfloat16, clock) < _seconds(torch.float32, clock)


@cache
def cores() -> int:
    """The processors that this process may use for a model, as PyTorch found them at its start."""
    return torch.get_num_threads()


@cache
def lane_threads() -> int:
    """The number of threads for each operation of a model whose stages have a thread each (see `gpu.lanes`): see `threads_of`."""

    def seconds(threads: int) -> float:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return _seconds(torch.float32, time.perf_counter)
        finally:
            torch.set_num_threads(before)

    return threads_of(cores(), seconds)


def threads_of(cores: int, seconds: Callable[[int], float]) -> int:
    """The number of threads for each operation: two stages at once, and a core for other programs.

    One, where more do not save a quarter of the time: threads that share an operation wait for the slowest of them.

    Args:
        cores: processors that there are for the model.
        seconds: measures operations on so many threads.
    """
    threads = (cores - 1) // 2
    return threads if threads > 1 and seconds(threads) < 0.75 * seconds(1) else 1


@torch.inference_mode()
def _seconds(dtype: torch.dtype, clock: Callable[[], float]) -> float:
    """The least time of three for a convolution and a matrix product of the small model's sizes."""
    picture = torch.zeros(1, 192, 32, 32, dtype=dtype).contiguous(memory_format=torch.channels_last)
    kernel = torch.zeros(96, 192, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    rows, matrix = torch.zeros(1024, 192, dtype=dtype), torch.zeros(384, 192, dtype=dtype)
    times = []
    for _ in range(3):
        begin = clock()
        F.conv2d(picture, kernel, padding=1)
        F.linear(rows, matrix)
        times.append(clock() - begin)
    return min(times)


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
