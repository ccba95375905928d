"""The choice of the DiT's operations: the fastest that a device computes correctly, checked against PyTorch's own."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from sdv2_live.errors import EngineError
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.kv_cache import KVCache
from sdv2_live.model.dit.ops import Ops, TorchOps
from sdv2_live.model.dit.rope import RopeTable
from sdv2_live.model.kernels import working


@cache
def find_ops(device: torch.device, heads: int = 3, head_dim: int = 64) -> Ops:
    """Find the fastest operations that work on a device for a model of this width; once. Else PyTorch's own, with a warning."""
    if device.type != "cuda":
        return TorchOps()

    def triton() -> Ops:
        from sdv2_live.model.dit.triton_ops import TritonOps  # triton is there with PyTorch for CUDA

        return TritonOps()

    def right(ops: Ops) -> None:
        check(ops, device, heads=heads, head_dim=head_dim)

    return working(triton, right, TorchOps(), f"the model's fused kernels on {device}")


@torch.inference_mode()
def check(ops: Ops, device: torch.device, tolerance: float = 2e-2, *, heads: int = 3, head_dim: int = 64) -> None:
    """Raise EngineError unless the operations do on a few tokens of this width what PyTorch does: drivers and compilers vary."""
    width = heads * head_dim
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device, torch.bfloat16)

    x, branch, vectors = random(1, 1, 6, width), random(1, 6, width), random(3, 1, 1, width).float()
    qkv, norms = random(1, 6, 3 * width), (random(width), random(width))
    layer = nn.Linear(width, 2 * width, device="meta")
    layer.weight, layer.bias = nn.Parameter(random(2 * width, width)), nn.Parameter(random(2 * width))
    rotations = RopeTable(head_dim, device).rotations(torch.zeros(1, device=device).long(), 1, 2, 3)
    found: list[list[Tensor]] = []
    for each in (ops, TorchOps()):
        kv = KVCache(
            CacheSpec(3, 1), layers=1, levels=1, tokens=6, heads=heads, head_dim=head_dim, dtype=torch.bfloat16, device=device
        )
        outputs: list[Any] = [*each.add_norm(x.clone(), branch, *vectors), each.rms_norm(branch, norms[0])]
        outputs.append(each.linear_gelu(layer, branch))
        for start in range(4):  # the last one may adapt
            kv.begin(plan := kv.plan([start], 1))
            outputs.append(each.remember(qkv.clone() * (start - 1.5), norms, rotations, kv, 0, plan))
        found.append([*outputs, kv.k, kv.v, kv.slots, kv.ring])
    for mine, theirs in zip(*found, strict=True):
        error = float((mine.float() - theirs.float()).norm() / theirs.float().norm().clamp_min(1e-6))
        if not error < tolerance:
            raise EngineError(f"the {ops.name} operations on {device} are wrong by {error:.2g} of their results: report this")
