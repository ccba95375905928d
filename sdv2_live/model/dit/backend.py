"""The choice of the DiT's operations: the fastest that a device computes correctly, checked against PyTorch's own."""

from __future__ import annotations

import logging
from functools import cache

import torch
from torch import Tensor

from sdv2_live.errors import EngineError
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.kv_cache import KVCache
from sdv2_live.model.dit.ops import Ops, TorchOps
from sdv2_live.model.dit.rope import RopeTable

log = logging.getLogger("sdv2_live.model")


@cache
def find_ops(device: torch.device) -> Ops:
    """The fastest operations that work on a device; found once. Where the kernels do not work, a warning says why."""
    if device.type != "cuda":
        return TorchOps()
    try:
        from sdv2_live.model.dit.triton_ops import TritonOps  # triton is there with PyTorch for CUDA

        check(ops := TritonOps(), device)
    except (ImportError, EngineError, RuntimeError) as problem:
        log.warning("the model's fused kernels do not work on %s, PyTorch's own operations run instead: %s", device, problem)
        return TorchOps()
    return ops


@torch.inference_mode()
def check(ops: Ops, device: torch.device, tolerance: float = 2e-2) -> None:
    """Raise EngineError unless the operations do on a small input what PyTorch does: drivers and compilers vary."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device, torch.bfloat16)

    x, branch, vectors, qkv = random(1, 1, 6, 192), random(1, 6, 192), random(3, 1, 1, 192).float(), random(1, 6, 3 * 192)
    norms, rotations = (random(192), random(192)), RopeTable(64, device).rotations(torch.zeros(1, device=device).long(), 1, 2, 3)
    found: list[list[Tensor]] = []
    for each in (ops, TorchOps()):
        kv = KVCache(CacheSpec(3, 1), layers=1, levels=1, tokens=6, heads=3, head_dim=64, dtype=torch.bfloat16, device=device)
        outputs = [*each.add_norm(x.clone(), branch, *vectors), each.rms_norm(branch, norms[0]), each.gelu(branch)]
        for start in range(4):  # the last one may adapt
            kv.begin(plan := kv.plan([start], 1))
            outputs.append(each.remember(qkv.clone() * (start - 1.5), norms, rotations, kv, 0, plan))
        found.append([*outputs, kv.k, kv.v, kv.slots, kv.ring])
    for mine, theirs in zip(*found, strict=True):
        error = float((mine.float() - theirs.float()).norm() / theirs.float().norm().clamp_min(1e-6))
        if not error < tolerance:
            raise EngineError(f"the {ops.name} operations on {device} are wrong by {error:.2g} of their results: report this")
