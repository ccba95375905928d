"""The layers of TAEHV, streamed: each takes and gives a `Pending`, and keeps what it must remember in a `FrameMemory`.

Legend: N samples, T frames, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.model.vae.backend import convolve, ops_of
from sdv2_live.model.vae.ops import Pending, unfolded, upsampled


@dataclass
class FrameMemory:
    """The one frame each memory block keeps, (N, C, h, w); allocated at first use, then kept in place. None is zeros.

    waiting: by slot, frames (N, T, C, h, w) that a TPool has been given and cannot fold before a later one has come.
    """

    past: list[Tensor | None]
    waiting: dict[int, Tensor] = field(default_factory=dict)

    def reset_(self) -> None:
        """Forget, in place."""
        self.waiting.clear()
        for tensor in self.past:
            if tensor is not None:
                tensor.zero_()

    def before(self, slot: int, pending: Pending, samples: int) -> Tensor:
        """The frame before the first of `pending`; to be replaced in place."""
        past = self.past[slot]
        if past is None:
            x = pending.x
            (height, width), channels = x.shape[-2:], x.shape[1]
            if pending.phased:
                height, width, channels = 2 * (height - 1), 2 * (width - 1), channels // 4
            past = self.past[slot] = x.new_zeros(samples, height, width, channels).permute(0, 3, 1, 2)
        return past


def conv(c_in: int, c_out: int, *, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size."""
    return nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=bias)


class MemBlock(nn.Module):
    """A residual block that sees each frame beside the frame before it."""

    slot: int

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(conv(width * 2, width), nn.ReLU(), conv(width, width), nn.ReLU(), conv(width, width))

    def stream(self, pending: Pending, memory: FrameMemory, samples: int) -> Pending:
        ops, (first, _, second, _, third) = ops_of(pending.x), self.conv
        x, pairs = ops.beside(pending, memory.before(self.slot, pending, samples))
        inner = ops.value(replace(convolve(pairs, _conv(first)), relu=True))
        inner = ops.value(replace(convolve(inner, _conv(second)), relu=True))
        return replace(convolve(inner, _conv(third)), skip=x, relu=True)


class TPool(nn.Module):
    """Fold `stride` neighbouring frames into one."""

    slot: int

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(width * stride, width, 1, bias=False)

    def stream(self, pending: Pending, memory: FrameMemory, samples: int) -> Pending | None:
        """None when the frames given so far wait for later ones."""
        ops, waited = ops_of(pending.x), memory.waiting.pop(self.slot, None)
        if waited is None and pending.x.shape[0] // samples % self.stride == 0:
            return convolve(ops.value(pending, fold=self.stride), self.conv)
        frames = ops.value(pending).unflatten(0, (samples, -1))
        frames = frames if waited is None else torch.cat((waited, frames), dim=1)
        whole = frames.shape[1] // self.stride * self.stride
        if whole < frames.shape[1]:
            memory.waiting[self.slot] = frames[:, whole:]
        if not whole:
            return None
        return convolve(ops.value(Pending(frames[:, :whole].flatten(0, 1)), fold=self.stride), self.conv)


class TGrow(nn.Module):
    """Unfold one frame into `stride` frames."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(width, width * stride, 1, bias=False)

    def stream(self, pending: Pending) -> Pending:
        x = self.conv(ops_of(pending.x).value(pending))
        return Pending(x if self.stride == 1 else unfolded(x, self.stride))


class UpConv(nn.Conv2d):
    """A 3x3 convolution of frames enlarged `scale` times by repeating pixels."""

    def __init__(self, c_in: int, c_out: int, scale: int) -> None:
        super().__init__(c_in, c_out, 3, padding=1, bias=False)
        self.scale = scale

    def stream(self, pending: Pending) -> Pending:
        x = ops_of(pending.x).value(pending)
        if self.scale == 2:
            return upsampled(x, self)
        return convolve(x if self.scale == 1 else F.interpolate(x, scale_factor=self.scale), self)


class SoftClamp(nn.Module):
    """Keep latents within (-3, 3)."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3) * 3


def _conv(module: nn.Module) -> nn.Conv2d:
    assert isinstance(module, nn.Conv2d)
    return module
