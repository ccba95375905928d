"""How near a measured chunk is to the least that the card's arithmetic and memory allow. Used by bench.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch

from sdv2_live.model.profiles import Profile

from .traffic import dit_work, floor_ms, vae_work


def card_peaks(device: torch.device, dtype: torch.dtype) -> tuple[float, float]:
    """TFLOP/s of a large matrix product and TB/s of a copy, measured: what the floor is reckoned with unless it is given."""
    cuda = device.type == "cuda"
    side, numbers = (8192, 1 << 28) if cuda else (1024, 1 << 24)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    source = torch.zeros(numbers, device=device, dtype=dtype)
    target = torch.empty_like(source)

    def best(run: Callable[[], Any], times: int = 10) -> float:
        found = float("inf")
        for _ in range(times):
            if cuda:
                torch.cuda.synchronize()
            begin = time.perf_counter()
            for _ in range(4):
                run()
            if cuda:
                torch.cuda.synchronize()
            found = min(found, (time.perf_counter() - begin) / 4)
        return found

    tflops = 2 * side**3 / best(lambda: torch.mm(a, b)) / 1e12
    return tflops, 2 * source.nbytes / best(lambda: target.copy_(source)) / 1e12


def floor(
    chosen: Profile, kind: str, size: tuple[int, int], steps: int, peaks: tuple[float, float], result: dict[str, Any]
) -> dict[str, Any]:
    """The least a chunk can take on this card, and how near to it the measured chunk is."""
    vae = vae_work(chosen, kind, size, ops="fused" if find_spec("triton") else "torch")
    parts = [vae["encode"], *[dit_work(chosen.dit, size)] * steps, vae["decode"]]
    least, mean = floor_ms(parts, *peaks), result["chunk_ms"]["mean"]
    tflop = sum(part.flops for part in parts) / 1e12
    return {
        "tflop_a_chunk": round(tflop, 4),
        "tflop_s": round(tflop / mean * 1e3, 3),
        "peak_tflop_s": round(peaks[0], 2),
        "peak_tb_s": round(peaks[1], 3),
        "floor_ms": round(least, 3),
        "share_of_floor": round(least / mean, 3),
    }
