"""The choice of the autoencoders' operations: the fastest that a device computes correctly, checked against PyTorch's own."""

from __future__ import annotations

import logging
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.errors import EngineError
from sdv2_live.model.vae.ops import Pending, TorchVaeOps, VaeOps

log = logging.getLogger("sdv2_live.model")


@cache
def find_vae_ops(device: torch.device) -> VaeOps:
    """The fastest operations that work on a device; found once. Where the kernel does not work, a warning says why."""
    if device.type != "cuda":
        return TorchVaeOps()
    try:
        from sdv2_live.model.vae.triton_ops import TritonVaeOps

        check(ops := TritonVaeOps(), device)
    except (ImportError, EngineError, RuntimeError) as problem:
        log.warning("the autoencoder's kernel does not work on %s, PyTorch's own operations run instead: %s", device, problem)
        return TorchVaeOps()
    return ops


def ops_of(x: Tensor) -> VaeOps:
    """The operations for a tensor: PyTorch's, which gradients flow through, if it needs any."""
    return find_vae_ops(x.device if not (x.requires_grad and torch.is_grad_enabled()) else torch.device("cpu"))


@torch.inference_mode()
def check(ops: VaeOps, device: torch.device, dtype: torch.dtype = torch.bfloat16, tolerance: float = 2e-2) -> None:
    """Raise EngineError unless the operations do on small inputs what PyTorch does: drivers and compilers vary."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        x = torch.randn(*shape, generator=generator).to(device, dtype)
        return x if x.ndim == 1 else x.contiguous(memory_format=torch.channels_last_3d if x.ndim == 5 else torch.channels_last)

    bias, gamma = random(24), random(24)
    clip, wide, phased = random(2, 24, 3, 4, 6), random(1, 24, 1, 5, 7), random(6, 96, 3, 4)
    skip, pasts = random(2, 24, 3, 4, 6), [random(2, 24, frames, 4, 6) for frames in (1, 2)]
    one = random(1, 24, 2, 4, 6)
    frames = clip.transpose(1, 2).flatten(0, 1)
    full = Pending(clip, bias, skip)
    found: list[list[Tensor]] = []
    for each in (ops, TorchVaeOps()):
        outputs: list[Tensor] = [each.value(full), each.value(Pending(frames, bias, relu=True), fold=3)]
        outputs.append(each.value(Pending(phased, bias, frames, phased=True)))
        outputs += [x for x in each.normed(full, gamma, silu=False, keep=True) if x is not None]
        for past, pending in ((pasts[0], full), (pasts[1], full), (one, Pending(wide[..., 1:, 1:], bias))):
            memory = past.clone()  # 3 frames after 1 and 2, 1 after 2
            outputs += [each.normed(pending, gamma, silu=True, past=memory)[0], memory]
            outputs += [each.joined(pending, memory), memory]
        memory = random(2, 24, 4, 6) * 0
        for _ in range(2):
            outputs += [*each.beside(Pending(frames, bias, frames * 0.5, relu=True), memory), memory.clone()]
        found.append(outputs)
    for mine, theirs in zip(*found, strict=True):
        same = mine.shape == theirs.shape
        error = float((mine.float() - theirs.float()).norm() / theirs.float().norm().clamp_min(1e-6)) if same else float("inf")
        if not error < tolerance:
            raise EngineError(
                f"the autoencoder's {ops.name} kernel on {device} is wrong by {error:.2g} of its results: report this"
            )


def convolve(x: Tensor, conv: nn.Conv2d | nn.Conv3d) -> Pending:
    """A convolution, its bias left to the next operation where that is cheaper."""
    if conv.bias is None or not ops_of(x).defers_bias:
        return Pending(conv(x))
    convolution = F.conv3d if isinstance(conv, nn.Conv3d) else F.conv2d
    return Pending(convolution(x, conv.weight, None, conv.stride, conv.padding), conv.bias)
