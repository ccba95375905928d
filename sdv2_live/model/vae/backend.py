"""The choice of the autoencoders' operations: the fastest that a device computes correctly, checked against PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.errors import EngineError
from sdv2_live.model.kernels import working
from sdv2_live.model.vae.ops import Pending, TorchVaeOps, VaeOps, layout
from sdv2_live.model.vae.winograd import suits, winograd

TOLERANCE = 2e-2  # RMS error by RMS value, in bf16
SMALL = 24  # channels that every kernel is checked with; the model's own widths are checked where the kernel sums over them


@cache
def find_vae_ops(device: torch.device, channels: int = SMALL) -> VaeOps:
    """Find the fastest operations that work on a device for layers of this width; once. Else PyTorch's own, with a warning."""
    if device.type != "cuda":
        return TorchVaeOps()

    def triton() -> VaeOps:
        from sdv2_live.model.vae.triton_ops import TritonVaeOps

        return TritonVaeOps()

    def right(ops: VaeOps) -> None:
        if channels == SMALL:
            check(ops, device)
        else:
            check_norm(ops, device, channels)

    if channels != SMALL and isinstance(found := find_vae_ops(device), TorchVaeOps):
        return found  # it is known, and told, that none works
    return working(triton, right, TorchVaeOps(), f"the autoencoder's kernels for {channels} channels on {device}")


def ops_of(x: Tensor) -> VaeOps:
    """The operations for a tensor: PyTorch's, which gradients flow through, if it needs any."""
    return find_vae_ops(_where(x))


def norm_ops_of(x: Tensor, channels: int) -> VaeOps:
    """The operations for a norm over so many channels of a tensor, as `ops_of`."""
    return find_vae_ops(_where(x), channels)


def _where(x: Tensor) -> torch.device:
    return x.device if not (x.requires_grad and torch.is_grad_enabled()) else torch.device("cpu")


@torch.inference_mode()
def check(ops: VaeOps, device: torch.device, dtype: torch.dtype = torch.bfloat16, tolerance: float = TOLERANCE) -> None:
    """Raise EngineError unless the operations do on small inputs what PyTorch does: drivers and compilers vary."""
    random = _inputs(device, dtype)
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
    _compare(ops, device, found, tolerance)


@torch.inference_mode()
def check_norm(
    ops: VaeOps, device: torch.device, channels: int, dtype: torch.dtype = torch.bfloat16, tolerance: float = TOLERANCE
) -> None:
    """Raise EngineError unless the norm, which sums over the channels, is right for so many of them."""
    random = _inputs(device, dtype)
    pending, gamma = Pending(random(1, channels, 2, 4, 6), random(channels)), random(channels)
    past, found = random(1, channels, 2, 4, 6), list[list[Tensor]]()
    for each in (ops, TorchVaeOps()):
        memory = past.clone()
        found.append([each.normed(pending, gamma, silu=True, past=memory)[0], memory])
    _compare(ops, device, found, tolerance)


def _inputs(device: torch.device, dtype: torch.dtype) -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        x = torch.randn(*shape, generator=generator).to(device, dtype)
        return x if x.ndim == 1 else x.contiguous(memory_format=layout(x))

    return random


def _compare(ops: VaeOps, device: torch.device, found: list[list[Tensor]], tolerance: float) -> None:
    for mine, theirs in zip(*found, strict=True):
        same = mine.shape == theirs.shape
        error = float((mine.float() - theirs.float()).norm() / theirs.float().norm().clamp_min(1e-6)) if same else float("inf")
        if not error < tolerance:
            raise EngineError(
                f"the autoencoder's {ops.name} kernel on {device} is wrong by {error:.2g} of its results: report this"
            )


def convolve(x: Tensor, conv: nn.Conv2d | nn.Conv3d) -> Pending:
    """A convolution, its bias left to the next operation where that is cheaper.

    Large ones in float32 on a CPU go by `winograd`. x may have zero channels beyond the layer's. cuDNN uses matrix units where
    the channels on both sides are a multiple of 8: the weight of the few layers that take or give pixels grows by zeros for it.
    """
    ops, given = ops_of(x), conv.out_channels
    lacking = x.shape[1] - conv.in_channels, -given % ops.multiple
    if not any(lacking) and (conv.bias is None or not ops.defers_bias):
        return Pending(winograd(x, conv) if isinstance(conv, nn.Conv2d) and suits(x, conv) else conv(x))
    weight = conv.weight
    if any(lacking):
        sides = (0, 0) * (weight.ndim - 2)
        weight = F.pad(weight, (*sides, 0, lacking[0], 0, lacking[1])).contiguous(memory_format=layout(weight))
    convolution = F.conv3d if isinstance(conv, nn.Conv3d) else F.conv2d
    y = convolution(x, weight, None, conv.stride, conv.padding)
    return Pending(y[:, :given] if lacking[1] else y, conv.bias)
