"""Layers of the Wan2.1 VAE, streamed: causal 3-d convolutions that keep their last two input frames.

Legend: N samples, C channels, T frames. Streaming state is a list of tensors, one per temporal convolution, passed in and
updated in place; zeros mean "no past", which is exactly the causal padding of the first frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Triple = tuple[int, int, int]  # (time, height, width)


@dataclass
class ConvMemory:
    """What one half of the VAE (encoder or decoder) remembers between frames.

    past: one tensor (N, C, frames, h, w) per temporal convolution, allocated at its first use and then kept in place.
    first: True until the very first frame has passed; it skips the strided and the growing time convolutions.
    """

    past: list[Tensor | None] = field(default_factory=list)
    first: bool = True

    def reset_(self) -> None:
        """Forget, in place: zeroed memory equals fresh memory."""
        self.first = True
        for tensor in self.past:
            if tensor is not None:
                tensor.zero_()

    def exchange(self, slot: int, x: Tensor, frames: int) -> Tensor:
        """Return x with the slot's past frames before it, and remember the last `frames` frames of the two."""
        past = self.past[slot]
        if past is None:
            past = self.past[slot] = x.new_zeros(x.shape[0], x.shape[1], frames, x.shape[3], x.shape[4])
        joined = torch.cat((past, x), dim=2)
        past.copy_(joined[:, :, -frames:])
        return joined


class CausalConv3d(nn.Conv3d):
    """A 3-d convolution whose temporal padding is the stream's own past. `slot` names its place in the ConvMemory."""

    slot: int | None = None

    def __init__(self, c_in: int, c_out: int, kernel: int | Triple, stride: Triple = (1, 1, 1)) -> None:
        kernel = (kernel, kernel, kernel) if isinstance(kernel, int) else kernel
        super().__init__(c_in, c_out, kernel, stride=stride, padding=(0, kernel[1] // 2, kernel[2] // 2))

    def stream(self, x: Tensor, memory: ConvMemory) -> Tensor:
        """Convolve the next frames of the stream."""
        if self.slot is not None:
            x = memory.exchange(self.slot, x, self.kernel_size[0] - self.stride[0])
        return self(x)


class RMSNorm(nn.Module):
    """Channel-wise L2 norm times sqrt(C) times gamma."""

    def __init__(self, dim: int, spatial_dims: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim, *(1,) * spatial_dims))
        self.scale = dim**0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=1) * self.scale * self.gamma


class ResidualBlock(nn.Module):
    """norm, SiLU, conv, twice, plus a shortcut."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            RMSNorm(c_in, 3), nn.SiLU(), CausalConv3d(c_in, c_out, 3),
            RMSNorm(c_out, 3), nn.SiLU(), nn.Identity(), CausalConv3d(c_out, c_out, 3),
        )  # fmt: skip
        self.shortcut = CausalConv3d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def stream(self, x: Tensor, memory: ConvMemory) -> Tensor:
        shortcut = self.shortcut(x)
        return shortcut + stream_through(self.residual, x, memory)


class AttentionBlock(nn.Module):
    """Single-head spatial self-attention within each frame."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = RMSNorm(dim, 2)
        self.to_qkv = nn.Conv2d(dim, dim * 3, 1)
        self.proj = nn.Conv2d(dim, dim, 1)

    def stream(self, x: Tensor, memory: ConvMemory) -> Tensor:
        n, c, t, h, w = x.shape
        frames = x.transpose(1, 2).flatten(0, 1)
        q, k, v = self.to_qkv(self.norm(frames)).reshape(n * t, 1, c * 3, h * w).transpose(2, 3).chunk(3, dim=-1)
        out = F.scaled_dot_product_attention(q, k, v).squeeze(1).transpose(1, 2).reshape(n * t, c, h, w)
        return x + self.proj(out).unflatten(0, (n, t)).transpose(1, 2)


class Downsample(nn.Module):
    """Halve height and width, and time too when `temporal` (not on a stream's very first frame)."""

    def __init__(self, dim: int, temporal: bool) -> None:
        super().__init__()
        self.resample = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(dim, dim, 3, stride=2))
        self.time_conv = CausalConv3d(dim, dim, (3, 1, 1), stride=(2, 1, 1)) if temporal else None

    def stream(self, x: Tensor, memory: ConvMemory) -> Tensor:
        x = per_frame(self.resample, x)
        if self.time_conv is None:
            return x
        if memory.first:
            assert self.time_conv.slot is not None
            memory.exchange(self.time_conv.slot, x, 1)  # remembered, but not convolved
            return x
        return self.time_conv.stream(x, memory)


class Upsample(nn.Module):
    """Double height and width and halve the channels; double time first when `temporal` (not on the first frame)."""

    def __init__(self, dim: int, temporal: bool) -> None:
        super().__init__()
        self.resample = nn.Sequential(nn.Upsample(scale_factor=2.0, mode="nearest-exact"), nn.Conv2d(dim, dim // 2, 3, padding=1))
        self.time_conv = CausalConv3d(dim, dim * 2, (3, 1, 1)) if temporal else None

    def stream(self, x: Tensor, memory: ConvMemory) -> Tensor:
        # The first frame neither grows nor is remembered: the second one still sees zeros as its past.
        if self.time_conv is not None and not memory.first:
            grown = self.time_conv.stream(x, memory).unflatten(1, (2, -1))  # (N, 2, C, T, h, w)
            x = grown.permute(0, 2, 3, 1, 4, 5).flatten(2, 3)
        return per_frame(self.resample, x)


def per_frame(module: nn.Module, x: Tensor) -> Tensor:
    """Apply a 2-d module to every frame of (N, C, T, H, W)."""
    n, t = x.shape[0], x.shape[2]
    y: Tensor = module(x.transpose(1, 2).flatten(0, 1))
    return y.unflatten(0, (n, t)).transpose(1, 2)


@runtime_checkable
class Streaming(Protocol):
    """A module that carries memory from frame to frame, or holds modules that do."""

    def stream(self, x: Tensor, memory: ConvMemory) -> Tensor:
        """Process the next frames of the stream."""


def stream_through(modules: nn.Sequential, x: Tensor, memory: ConvMemory) -> Tensor:
    for module in modules:
        x = module.stream(x, memory) if isinstance(module, Streaming) else module(x)
    return x


def middle(dim: int) -> nn.Sequential:
    return nn.Sequential(ResidualBlock(dim, dim), AttentionBlock(dim), ResidualBlock(dim, dim))


def number_slots(half: nn.Module) -> int:
    """Give every convolution that looks back a slot; return how many there are."""
    count = 0
    for module in half.modules():
        if isinstance(module, CausalConv3d) and module.kernel_size[0] > 1:
            module.slot = count
            count += 1
    return count
