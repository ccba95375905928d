"""The Wan2.1 VAE as a stream: 1 + 4k pixel frames in, 1 + k latent frames out, and back.

Parameter names are those of Wan2.1_VAE.pth (LightVAE is the same at other widths).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn

from sdv2_live.model.sizes import WanVaeConfig
from sdv2_live.model.vae.backend import ops_of
from sdv2_live.model.vae.latents import LATENT_MEAN, LATENT_STD
from sdv2_live.model.vae.ops import Pending
from sdv2_live.model.vae.wan_layers import (
    CausalConv3d,
    ConvMemory,
    Downsample,
    NormedConv,
    ResidualBlock,
    Upsample,
    middle,
    number_slots,
    stream_through,
)


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
        self.head = NormedConv(c_out, config.z_dim * 2)

    def stream(self, x: Tensor, memory: ConvMemory) -> Tensor | None:
        """The next moments, None while the frames given wait for later ones. At first, exactly one frame."""
        pending = stream_through(self.downsamples, self.conv1.stream(Pending(x), memory), memory)
        memory.first = False
        if pending is None or (inner := stream_through(self.middle, pending, memory)) is None:
            return None
        return ops_of(x).value(self.head.stream(inner, memory))


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
        self.head = NormedConv(c_out, 3)

    def stream(self, z: Tensor, memory: ConvMemory) -> Tensor:
        pending = self.conv1.stream(Pending(z), memory)
        for part in (self.middle, self.upsamples):
            passed = stream_through(part, pending, memory)
            assert passed is not None  # only halving time waits
            pending = passed
        memory.first = False
        return ops_of(z).value(self.head.stream(pending, memory))


@dataclass
class VaeMemory:
    """Streaming state of a whole autoencoder.

    Attributes:
        moments: of latents that are ready and not fetched yet.
        ahead: frames pushed since the last of these latents.
    """

    encoder: ConvMemory
    decoder: ConvMemory
    moments: list[Tensor] = field(default_factory=list)
    ahead: int = 0

    def reset_(self) -> None:
        """Forget the stream, in place."""
        self.moments.clear()
        self.ahead = 0
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
        """The state of a stream that has not begun."""
        encoder, decoder = (ConvMemory([None] * slots) for slots in self._slots)
        return VaeMemory(encoder, decoder)

    def push(self, pixels_NCTHW: Tensor, memory: VaeMemory) -> None:
        """Take the next frames in and compute everything that does not depend on later ones; `encode` does the rest.

        Pixels in [-1, 1], any number of frames. The division into calls does not change the result.
        """
        step = self.config.time_factor
        if memory.encoder.first and pixels_NCTHW.shape[2]:
            self._push(pixels_NCTHW[:, :, :1], memory)
            pixels_NCTHW = pixels_NCTHW[:, :, 1:]
        while pixels_NCTHW.shape[2]:
            group, pixels_NCTHW = pixels_NCTHW.tensor_split([step - memory.ahead], dim=2)
            memory.ahead = (memory.ahead + group.shape[2]) % step
            self._push(group, memory)

    def _push(self, frames: Tensor, memory: VaeMemory) -> None:
        moments = self.encoder.stream(frames, memory.encoder)
        if moments is not None:
            memory.moments.append(moments)

    def encode(self, pixels_NCTHW: Tensor, memory: VaeMemory, *, normalize: bool = False) -> Tensor:
        """Mean latents (N, F, 16, h, w) of the next pixels in [-1, 1], including those pushed before.

        1 + 4k frames at first, then multiples of 4. Not normalised per channel unless asked: the public checkpoint was trained
        so.
        """
        step, count = self.config.time_factor, pixels_NCTHW.shape[2]
        if (memory.ahead + count - memory.encoder.first) % step:
            first = "1 + " if memory.encoder.first else ""
            raise ValueError(f"{count} frames after {memory.ahead} do not make whole chunks of {first}k*{step}")
        self.push(pixels_NCTHW, memory)
        moments = joined(memory.moments)
        memory.moments.clear()
        latent: Tensor = self.conv1(moments).chunk(2, dim=1)[0].transpose(1, 2)
        return (latent - self.mean) / self.std if normalize else latent

    def decode(self, latent_NFCHW: Tensor, memory: VaeMemory) -> Tensor:
        """Pixels (N, 3, T, H, W), not clamped, of the next normalised latents (N, F, 16, h, w), one latent at a time."""
        z = self.conv2((latent_NFCHW * self.std + self.mean).transpose(1, 2))
        return joined([self.decoder.stream(frame, memory.decoder) for frame in z.split(1, dim=2)])


def joined(clips: Sequence[Tensor]) -> Tensor:
    """Clips (N, C, T, H, W) as one; a single one stays as it is."""
    return clips[0] if len(clips) == 1 else torch.cat(list(clips), dim=2)
