"""The Wan2.1 VAE, streamed: causal 3-d convolutions that keep their last two input frames.

Parameter names are those of Wan2.1_VAE.pth (LightVAE is the same at other widths). Legend: N samples, C channels, T frames.
Streaming state is a list of tensors, one per temporal convolution, passed in and updated in place; zeros mean "no past",
which is exactly the causal padding of the first frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Triple = tuple[int, int, int]  # (time, height, width)
LATENT_MEAN = (
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
    0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
)  # fmt: skip
LATENT_STD = (
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
    3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WanVaeConfig:
    """Sizes of a Wan VAE. temporal_downsample: whether each of the three halvings also halves time."""

    dim: int = 96
    z_dim: int = 16
    dim_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    temporal_downsample: tuple[bool, ...] = (False, True, True)

    @property
    def time_factor(self) -> int:
        """Pixel frames per latent frame after the first."""
        return int(2 ** sum(self.temporal_downsample))


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
        return shortcut + _stream(self.residual, x, memory)


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
        x = _per_frame(self.resample, x)
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
        return _per_frame(self.resample, x)


def _per_frame(module: nn.Module, x: Tensor) -> Tensor:
    """Apply a 2-d module to every frame of (N, C, T, H, W)."""
    n, t = x.shape[0], x.shape[2]
    y: Tensor = module(x.transpose(1, 2).flatten(0, 1))
    return y.unflatten(0, (n, t)).transpose(1, 2)


@runtime_checkable
class Streaming(Protocol):
    """A module that carries memory from frame to frame, or holds modules that do."""

    def stream(self, x: Tensor, memory: ConvMemory) -> Tensor:
        """Process the next frames of the stream."""


def _stream(modules: nn.Sequential, x: Tensor, memory: ConvMemory) -> Tensor:
    for module in modules:
        x = module.stream(x, memory) if isinstance(module, Streaming) else module(x)
    return x


def _middle(dim: int) -> nn.Sequential:
    return nn.Sequential(ResidualBlock(dim, dim), AttentionBlock(dim), ResidualBlock(dim, dim))


def _number_slots(half: nn.Module) -> int:
    """Give every convolution that looks back a slot; return how many there are."""
    count = 0
    for module in half.modules():
        if isinstance(module, CausalConv3d) and module.kernel_size[0] > 1:
            module.slot = count
            count += 1
    return count


class Encoder(nn.Module):
    """Pixels (N, 3, T, H, W) to 2*z_dim channels at 1/8 size and 1/4 rate."""

    def __init__(self, config: WanVaeConfig) -> None:
        super().__init__()
        widths = [config.dim * m for m in (1, *config.dim_mult)]
        self.conv1 = CausalConv3d(3, widths[0], 3)
        layers: list[nn.Module] = []
        for level, (c_in, c_out) in enumerate(pairwise(widths)):
            layers += [ResidualBlock(c_in if i == 0 else c_out, c_out) for i in range(config.num_res_blocks)]
            if level < len(config.dim_mult) - 1:
                layers.append(Downsample(c_out, config.temporal_downsample[level]))
        self.downsamples = nn.Sequential(*layers)
        self.middle = _middle(c_out)
        self.head = nn.Sequential(RMSNorm(c_out, 3), nn.SiLU(), CausalConv3d(c_out, config.z_dim * 2, 3))

    def stream(self, x: Tensor, memory: ConvMemory) -> Tensor:
        x = self.conv1.stream(x, memory)
        for part in (self.downsamples, self.middle, self.head):
            x = _stream(part, x, memory)
        memory.first = False
        return x


class Decoder(nn.Module):
    """Latents (N, z_dim, 1, h, w) to pixels at 8x size and 4x rate."""

    def __init__(self, config: WanVaeConfig) -> None:
        super().__init__()
        widths = [config.dim * m for m in (config.dim_mult[-1], *reversed(config.dim_mult))]
        upsample_time = tuple(reversed(config.temporal_downsample))
        self.conv1 = CausalConv3d(config.z_dim, widths[0], 3)
        self.middle = _middle(widths[0])
        layers: list[nn.Module] = []
        for level, (c_in, c_out) in enumerate(pairwise(widths)):
            c_in = c_in // 2 if level > 0 else c_in  # the upsampling before this level halved the channels
            layers += [ResidualBlock(c_in if i == 0 else c_out, c_out) for i in range(config.num_res_blocks + 1)]
            if level < len(config.dim_mult) - 1:
                layers.append(Upsample(c_out, upsample_time[level]))
        self.upsamples = nn.Sequential(*layers)
        self.head = nn.Sequential(RMSNorm(c_out, 3), nn.SiLU(), CausalConv3d(c_out, 3, 3))

    def stream(self, z: Tensor, memory: ConvMemory) -> Tensor:
        x = self.conv1.stream(z, memory)
        for part in (self.middle, self.upsamples, self.head):
            x = _stream(part, x, memory)
        memory.first = False
        return x


@dataclass
class VaeMemory:
    """Streaming state of a whole autoencoder."""

    encoder: ConvMemory
    decoder: ConvMemory

    def reset_(self) -> None:
        """Forget the stream, in place."""
        self.encoder.reset_()
        self.decoder.reset_()


class WanVAE(nn.Module):
    """The autoencoder as a stream: 1 + 4k pixel frames in, 1 + k latent frames out, and back."""

    def __init__(self, config: WanVaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.conv1 = CausalConv3d(config.z_dim * 2, config.z_dim * 2, 1)
        self.conv2 = CausalConv3d(config.z_dim, config.z_dim, 1)
        self.decoder = Decoder(config)
        self._slots = (_number_slots(self.encoder), _number_slots(self.decoder))
        self.register_buffer("mean", torch.tensor(LATENT_MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(LATENT_STD).view(-1, 1, 1), persistent=False)

    mean: Tensor
    std: Tensor

    def new_memory(self) -> VaeMemory:
        """State of a stream that has not begun."""
        encoder, decoder = (ConvMemory([None] * slots) for slots in self._slots)
        return VaeMemory(encoder, decoder)

    def encode(self, pixels_NCTHW: Tensor, memory: VaeMemory, *, normalize: bool = False) -> Tensor:
        """Mean latents (N, F, 16, h, w) of the next pixels in [-1, 1]: 1 + 4k frames at first, then multiples of 4.

        Not normalised per channel unless asked: the public checkpoint was trained so.
        """
        step = self.config.time_factor
        groups = _first_then(pixels_NCTHW, step, memory.encoder.first)
        moments = torch.cat([self.encoder.stream(group, memory.encoder) for group in groups], dim=2)
        latent = self.conv1(moments).chunk(2, dim=1)[0].transpose(1, 2)
        return (latent - self.mean) / self.std if normalize else latent

    def decode(self, latent_NFCHW: Tensor, memory: VaeMemory) -> Tensor:
        """Pixels (N, 3, T, H, W), not clamped, of the next normalised latents (N, F, 16, h, w), one latent at a time."""
        z = self.conv2((latent_NFCHW * self.std + self.mean).transpose(1, 2))
        return torch.cat([self.decoder.stream(frame, memory.decoder) for frame in z.split(1, dim=2)], dim=2)


def _first_then(x_NCTHW: Tensor, step: int, first: bool) -> list[Tensor]:
    """Split a stream's next frames into the groups the encoder takes: 1 at the very first, then `step` each."""
    head = [x_NCTHW[:, :, :1]] if first else []
    rest = x_NCTHW[:, :, 1:] if first else x_NCTHW
    if rest.shape[2] % step:
        raise ValueError(f"{x_NCTHW.shape[2]} frames do not make whole chunks of {'1 + ' if first else ''}k*{step}")
    return head + (list(rest.split(step, dim=2)) if rest.shape[2] else [])
