"""The Wan2.1 VAE as a stream: 1 + 4k pixel frames in, 1 + k latent frames out, and back.

Parameter names are those of Wan2.1_VAE.pth (LightVAE is the same at other widths).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from sdv2_live.model.latents import LATENT_MEAN, LATENT_STD
from sdv2_live.model.vae_layers import (
    CausalConv3d,
    ConvMemory,
    Downsample,
    ResidualBlock,
    RMSNorm,
    Upsample,
    middle,
    number_slots,
    stream_through,
)


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
        self.middle = middle(c_out)
        self.head = nn.Sequential(RMSNorm(c_out, 3), nn.SiLU(), CausalConv3d(c_out, config.z_dim * 2, 3))

    def stream(self, x: Tensor, memory: ConvMemory) -> Tensor:
        x = self.conv1.stream(x, memory)
        for part in (self.downsamples, self.middle, self.head):
            x = stream_through(part, x, memory)
        memory.first = False
        return x


class Decoder(nn.Module):
    """Latents (N, z_dim, 1, h, w) to pixels at 8x size and 4x rate."""

    def __init__(self, config: WanVaeConfig) -> None:
        super().__init__()
        widths = [config.dim * m for m in (config.dim_mult[-1], *reversed(config.dim_mult))]
        upsample_time = tuple(reversed(config.temporal_downsample))
        self.conv1 = CausalConv3d(config.z_dim, widths[0], 3)
        self.middle = middle(widths[0])
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
            x = stream_through(part, x, memory)
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
        self._slots = (number_slots(self.encoder), number_slots(self.decoder))
        # Constants, in no file: on the CPU, so that they have their values in a model on meta too.
        self.register_buffer("mean", torch.tensor(LATENT_MEAN, device="cpu").view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(LATENT_STD, device="cpu").view(-1, 1, 1), persistent=False)

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
