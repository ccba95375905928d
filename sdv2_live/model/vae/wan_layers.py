"""Layers of the Wan2.1 VAE, streamed: causal 3-d convolutions that keep their last two input frames.

Legend: N samples, C channels, T frames; channels are innermost in memory (channels_last_3d). Streaming state is a list of
tensors, one per temporal convolution, passed in and updated in place; zeros mean "no past", which is exactly the causal
padding of the first frame. Between layers goes a `Pending`: what a convolution gave, which the next operation finishes while
it writes the input of the next convolution, behind that one's past frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.model.dit.attention import attention
from sdv2_live.model.vae.backend import convolve, norm_ops_of, ops_of
from sdv2_live.model.vae.ops import Pending, unfolded, upsampled

Triple = tuple[int, int, int]  # (time, height, width)


@dataclass
class ConvMemory:
    """The frames that one half of the VAE (encoder or decoder) remembers.

    Attributes:
        past: one tensor (N, C, frames, h, w) per temporal convolution, allocated at its first use and then kept in place.
        first: True until the very first frame has passed; it skips the strided and the growing time convolutions.
        waiting: by slot, frames that a strided time convolution has been given and cannot use before a later one has come.
    """

    past: list[Tensor | None] = field(default_factory=list)
    first: bool = True
    waiting: dict[int, Tensor] = field(default_factory=dict)

    def reset_(self) -> None:
        """Forget, in place: zeroed memory equals fresh memory."""
        self.first = True
        self.waiting.clear()
        for tensor in self.past:
            if tensor is not None:
                tensor.zero_()

    def before(self, conv: CausalConv3d, pending: Pending) -> Tensor:
        """The frames that the convolution sees before those of `pending`, its input; to be replaced in place."""
        assert conv.slot is not None
        past = self.past[conv.slot]
        if past is None:
            x = pending.x
            frames, scale = conv.kernel_size[0] - conv.stride[0], 2 if pending.phased else 1
            height, width = (side * scale - 2 * pending.phased for side in x.shape[-2:])
            past = x.new_zeros(x.shape[0], frames, height, width, conv.in_channels).permute(0, 4, 1, 2, 3)
            self.past[conv.slot] = past
        return past


class CausalConv3d(nn.Conv3d):
    """A 3-d convolution whose temporal padding is the stream's own past. `slot` names its place in the ConvMemory."""

    slot: int | None = None

    def __init__(self, c_in: int, c_out: int, kernel: int | Triple, stride: Triple = (1, 1, 1)) -> None:
        kernel = (kernel, kernel, kernel) if isinstance(kernel, int) else kernel
        super().__init__(c_in, c_out, kernel, stride=stride, padding=(0, kernel[1] // 2, kernel[2] // 2))

    def stream(self, pending: Pending, memory: ConvMemory) -> Pending:
        """Convolve the next frames of the stream."""
        return convolve(ops_of(pending.x).joined(pending, memory.before(self, pending)), self)


class RMSNorm(nn.Module):
    """Channel-wise L2 norm times sqrt(C) times gamma; computed by `VaeOps.normed`."""

    def __init__(self, dim: int, spatial_dims: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim, *(1,) * spatial_dims))


class NormedConv(nn.Sequential):
    """norm, SiLU, convolution."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(RMSNorm(c_in, 3), nn.SiLU(), CausalConv3d(c_in, c_out, 3))

    def stream(self, pending: Pending, memory: ConvMemory) -> Pending:
        return normed_conv(self[0], self[2], pending, memory)[0]


def normed_conv(
    norm: nn.Module, conv: nn.Module, pending: Pending, memory: ConvMemory, *, keep: bool = False
) -> tuple[Pending, Tensor | None]:
    """The convolution of the norm's and SiLU's output, and, if kept, what the norm was taken of."""
    assert isinstance(norm, RMSNorm)
    assert isinstance(conv, CausalConv3d)
    past = memory.before(conv, pending)
    gamma = norm.gamma.flatten()
    joined, x = norm_ops_of(pending.x, len(gamma)).normed(pending, gamma, silu=True, past=past, keep=keep)
    return convolve(joined, conv), x


class ResidualBlock(nn.Module):
    """norm, SiLU, conv, twice, plus a shortcut."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            RMSNorm(c_in, 3), nn.SiLU(), CausalConv3d(c_in, c_out, 3),
            RMSNorm(c_out, 3), nn.SiLU(), nn.Identity(), CausalConv3d(c_out, c_out, 3),
        )  # fmt: skip
        self.shortcut = CausalConv3d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def stream(self, pending: Pending, memory: ConvMemory) -> Pending:
        norm1, _, conv1, norm2, _, _, conv2 = self.residual
        inner, x = normed_conv(norm1, conv1, pending, memory, keep=True)
        outer, _ = normed_conv(norm2, conv2, inner, memory)
        assert x is not None
        if isinstance(self.shortcut, nn.Identity):
            return replace(outer, skip=x)
        shortcut = convolve(x, self.shortcut)
        bias = outer.bias if shortcut.bias is None or outer.bias is None else outer.bias + shortcut.bias
        return replace(outer, skip=shortcut.x, bias=bias)


class AttentionBlock(nn.Module):
    """Single-head spatial self-attention within each frame."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = RMSNorm(dim, 2)
        self.to_qkv = nn.Conv2d(dim, dim * 3, 1)
        self.proj = nn.Conv2d(dim, dim, 1)

    def stream(self, pending: Pending, memory: ConvMemory) -> Pending:
        gamma = self.norm.gamma.flatten()
        normal, x = norm_ops_of(pending.x, len(gamma)).normed(pending, gamma, silu=False, keep=True)
        n, c, t, h, w = normal.shape
        pixels = normal.permute(0, 2, 3, 4, 1).reshape(n * t, 1, h * w, c)  # a view: channels are innermost already
        q, k, v = F.linear(pixels, self.to_qkv.weight.flatten(1), self.to_qkv.bias).chunk(3, dim=-1)
        out = F.linear(attention(q, k, v), self.proj.weight.flatten(1), self.proj.bias)
        return Pending(out.view(n, t, h, w, c).permute(0, 4, 1, 2, 3), skip=x)


class Downsample(nn.Module):
    """Halve height and width, and time too when `temporal` (not on a stream's very first frame)."""

    def __init__(self, dim: int, temporal: bool) -> None:
        super().__init__()
        self.resample = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(dim, dim, 3, stride=2))
        self.time_conv = CausalConv3d(dim, dim, (3, 1, 1), stride=(2, 1, 1)) if temporal else None

    def stream(self, pending: Pending, memory: ConvMemory) -> Pending | None:
        """None when time is halved and the frames given so far wait for the next one."""
        halved = self._halved(ops_of(pending.x).value(pending))
        if self.time_conv is None:
            return halved
        if memory.first:  # remembered, but not convolved
            x = ops_of(pending.x).value(halved)
            memory.before(self.time_conv, halved).copy_(x)
            return Pending(x)
        whole = self._whole_pairs(halved, memory)
        return None if whole is None else self.time_conv.stream(whole, memory)

    def _halved(self, x: Tensor) -> Pending:
        """Padded by one pixel below and on the right: by two on all sides, without the output's first row and column."""
        conv = self.resample[1]
        assert isinstance(conv, nn.Conv2d)
        deferred = ops_of(x).defers_bias
        n = x.shape[0]
        y = F.conv2d(as_frames(x), conv.weight, None if deferred else conv.bias, stride=2, padding=2)[..., 1:, 1:]
        return Pending(as_clip(y, n), conv.bias if deferred else None)

    def _whole_pairs(self, pending: Pending, memory: ConvMemory) -> Pending | None:
        """The frames that make whole pairs, including those that waited; a left-over frame waits."""
        assert self.time_conv is not None
        assert self.time_conv.slot is not None
        waited = memory.waiting.pop(self.time_conv.slot, None)
        if waited is None and pending.x.shape[2] % 2 == 0:
            return pending
        x = ops_of(pending.x).value(pending)
        x = x if waited is None else torch.cat((waited, x), dim=2)
        even = x.shape[2] // 2 * 2
        if even < x.shape[2]:
            memory.waiting[self.time_conv.slot] = x[:, :, even:]
        return Pending(x[:, :, :even]) if even else None


class Upsample(nn.Module):
    """Double height and width and halve the channels; double time first when `temporal` (not on the first frame)."""

    def __init__(self, dim: int, temporal: bool) -> None:
        super().__init__()
        self.resample = nn.Sequential(nn.Upsample(scale_factor=2.0, mode="nearest-exact"), nn.Conv2d(dim, dim // 2, 3, padding=1))
        self.time_conv = CausalConv3d(dim, dim * 2, (3, 1, 1)) if temporal else None

    def stream(self, pending: Pending, memory: ConvMemory) -> Pending:
        # The first frame neither grows nor is remembered: the second one still sees zeros as its past.
        ops = ops_of(pending.x)
        grown = self.time_conv is not None and not memory.first
        if grown:
            assert self.time_conv is not None
            pending = self.time_conv.stream(pending, memory)
        x = ops.value(pending)
        frames = unfolded(as_frames(x), 2) if grown else as_frames(x)
        conv = self.resample[1]
        assert isinstance(conv, nn.Conv2d)
        y = upsampled(frames, conv)
        return replace(y, x=as_clip(y.x, x.shape[0]))


def as_frames(x: Tensor) -> Tensor:
    """(N, C, T, H, W) as (N * T, C, H, W)."""
    return x.transpose(1, 2).flatten(0, 1)


def as_clip(frames: Tensor, samples: int) -> Tensor:
    """(N * T, C, H, W) as (N, C, T, H, W)."""
    x: Tensor = frames.unflatten(0, (samples, -1))
    return x.transpose(1, 2)


def stream_through(modules: nn.Sequential, pending: Pending, memory: ConvMemory) -> Pending | None:
    """The layers in turn; None as soon as one of them waits for later frames."""
    result: Pending | None = pending
    for module in modules:
        if result is None:
            return None
        result = module.stream(result, memory)  # type: ignore[operator]
    return result


def middle(dim: int) -> nn.Sequential:
    """The layers between the downsampling and upsampling halves, at the smallest size."""
    return nn.Sequential(ResidualBlock(dim, dim), AttentionBlock(dim), ResidualBlock(dim, dim))


def number_slots(half: nn.Module) -> int:
    """Give every convolution that looks back a slot; return how many there are."""
    count = 0
    for module in half.modules():
        if isinstance(module, CausalConv3d) and module.kernel_size[0] > 1:
            module.slot = count
            count += 1
    return count
