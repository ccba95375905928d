"""TAEHV: a tiny convolutional video autoencoder with one-frame memory blocks (madebyollin/taehv), streamed.

Parameter names are those of taew2_1.pth and of lighttaew2_1.pth, its distilled sister. Every block keeps one frame of memory
instead of decoding old latents again, so streamed output equals whole-clip output. Legend: N samples, T frames, C channels.
Between layers (taehv_layers) goes a `Pending`: what a convolution gave, which the next operation finishes (see `ops`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdv2_live.model.sizes import TaehvConfig
from sdv2_live.model.vae.backend import convolve, ops_of
from sdv2_live.model.vae.latents import LATENT_MEAN, LATENT_STD
from sdv2_live.model.vae.ops import Pending, entered
from sdv2_live.model.vae.taehv_layers import FrameMemory, MemBlock, SoftClamp, TGrow, TPool, UpConv, conv

TIME_FACTOR = 4


@dataclass
class TaehvMemory:
    """Streaming state of both directions.

    Attributes:
        trimmed: the decoder's first three frames have been dropped.
        encoded: the first frame has come.
        latents: ready and not fetched yet.
        ahead: frames pushed since the last of these latents.
    """

    encoder: FrameMemory
    decoder: FrameMemory
    encoded: bool = False
    trimmed: bool = False
    latents: list[Tensor] = field(default_factory=list)
    ahead: int = 0

    def reset_(self) -> None:
        """Forget the stream, in place."""
        self.encoder.reset_()
        self.decoder.reset_()
        self.encoded = self.trimmed = False
        self.latents.clear()
        self.ahead = 0


def _encoder(config: TaehvConfig) -> nn.Sequential:
    width = config.encoder[0].width
    layers: list[nn.Module] = [conv(3 * config.patch**2, width), nn.ReLU()]
    for stage in config.encoder:
        layers += [TPool(width, stage.time), conv(width, stage.width, stride=stage.space, bias=False)]
        width = stage.width
        layers += [MemBlock(width) for _ in range(stage.blocks)]
    return nn.Sequential(*layers, conv(width, config.latent))


def _decoder(config: TaehvConfig) -> nn.Sequential:
    widths = [stage.width for stage in config.decoder] + [config.final_width]
    layers: list[nn.Module] = [SoftClamp(), conv(config.latent, widths[0]), nn.ReLU()]
    for stage, (width, following) in zip(config.decoder, pairwise(widths), strict=True):
        layers += [MemBlock(width) for _ in range(stage.blocks)]
        # In the place of the identity stands an enlargement: it may as well come after TGrow, which looks at single pixels.
        layers += [nn.Identity(), TGrow(width, stage.time), UpConv(width, following, stage.space)]
    return nn.Sequential(*layers, nn.ReLU(), conv(widths[-1], 3 * config.patch**2))


def _number_slots(half: nn.Sequential) -> int:
    blocks = [module for module in half if isinstance(module, MemBlock | TPool)]
    for slot, block in enumerate(blocks):
        block.slot = slot
    return len(blocks)


class TAEHV(nn.Module):
    """The autoencoder as a stream, with the WanVAE's interface: 1 + 4k pixel frames in, 1 + k latents out, and back."""

    def __init__(self, config: TaehvConfig | None = None) -> None:
        super().__init__()
        self.config = config or TaehvConfig()
        self.encoder = _encoder(self.config)
        self.decoder = _decoder(self.config)
        self._slots = (_number_slots(self.encoder), _number_slots(self.decoder))
        # Constants, in no file: on the CPU, so that they have their values in a model on meta too.
        self.register_buffer("mean", torch.tensor(LATENT_MEAN, device="cpu").view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(LATENT_STD, device="cpu").view(-1, 1, 1), persistent=False)

    mean: Tensor
    std: Tensor

    def own_rows(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A file's state dict with this model's rows: of a TGrow that makes more frames in the file, the last ones are taken.

        Some TAEHV files were trained with time growing at every level, and are used with less.
        """
        own = dict(state)
        for i, module in enumerate(self.decoder):
            key = f"decoder.{i}.conv.weight"
            if isinstance(module, TGrow) and key in own and own[key].ndim == 4:
                rows, width = own[key].shape[:2]
                if rows > width * module.stride and rows % width == 0:
                    own[key] = own[key][-width * module.stride :]
        return own

    def new_memory(self) -> TaehvMemory:
        """The state of a stream that has not begun."""
        encoder, decoder = (FrameMemory([None] * slots) for slots in self._slots)
        return TaehvMemory(encoder, decoder)

    def encode_frames(self, frames_NTCHW: Tensor, memory: TaehvMemory) -> Tensor:
        """Normalised latents (N, T/4, 16, h, w) of frames in [0, 1]; T is a multiple of 4."""
        latent = self._encode(frames_NTCHW, memory)
        assert latent is not None
        return latent

    def _encode(self, frames_NTCHW: Tensor, memory: TaehvMemory) -> Tensor | None:
        x = F.pixel_unshuffle(frames_NTCHW.flatten(0, 1), self.config.patch)
        return self._run(self.encoder, x, memory.encoder, frames_NTCHW.shape[0])

    def decode_frames(self, latent_NFCHW: Tensor, memory: TaehvMemory) -> Tensor:
        """Frames (N, 4F, 3, H, W), neither clamped to [0, 1] nor trimmed, of normalised latents."""
        x = self._run(self.decoder, latent_NFCHW.flatten(0, 1), memory.decoder, latent_NFCHW.shape[0])
        assert x is not None  # only folding time waits
        frames: Tensor = F.pixel_shuffle(x.flatten(0, 1), self.config.patch).unflatten(0, x.shape[:2])
        return frames

    @staticmethod
    def _run(half: nn.Sequential, x: Tensor, memory: FrameMemory, samples: int) -> Tensor | None:
        """(N, T', C', H', W') of frames (N * T, C, H, W); None when they wait for later ones."""
        pending: Pending | None = Pending(entered(x, ops_of(x).multiple))
        for module in half:
            if pending is None:
                return None
            match module:
                case MemBlock() | TPool():
                    pending = module.stream(pending, memory, samples)
                case TGrow() | UpConv():
                    pending = module.stream(pending)
                case nn.Conv2d():
                    pending = convolve(ops_of(x).value(pending), module)
                case nn.ReLU():
                    pending = replace(pending, relu=True)
                case SoftClamp():
                    pending = Pending(module(pending.x))
        return None if pending is None else ops_of(x).value(pending).unflatten(0, (samples, -1))

    def push(self, pixels_NCTHW: Tensor, memory: TaehvMemory) -> None:
        """Take the next frames in and compute everything that does not depend on later ones; `encode` does the rest.

        Pixels in [-1, 1], any number of frames. The division into calls does not change the result.
        """
        if not pixels_NCTHW.shape[2]:
            return
        frames = pixels_NCTHW.transpose(1, 2) * 0.5 + 0.5
        memory.ahead += frames.shape[1]
        if not memory.encoded:
            frames = torch.cat((frames[:, :1].expand(-1, TIME_FACTOR - 1, -1, -1, -1), frames), dim=1)
            memory.encoded = True
            memory.ahead -= 1
        memory.ahead %= TIME_FACTOR
        latent = self._encode(frames, memory)
        if latent is not None:
            memory.latents.append(latent)

    def encode(self, pixels_NCTHW: Tensor, memory: TaehvMemory, *, normalize: bool = False) -> Tensor:
        """Latents (N, F, 16, h, w) of the next pixels in [-1, 1], including those pushed before.

        1 + 4k frames at first, then multiples of 4. The first frame of a stream is repeated to fill the first latent's four.
        Un-normalised unless asked, as WanVAE.
        """
        count = pixels_NCTHW.shape[2]
        if (memory.ahead + count - (not memory.encoded)) % TIME_FACTOR:
            raise ValueError(f"{count} frames after {memory.ahead} do not make whole chunks of {TIME_FACTOR} (1 + 4k at first)")
        self.push(pixels_NCTHW, memory)
        latent = memory.latents[0] if len(memory.latents) == 1 else torch.cat(memory.latents, dim=1)
        memory.latents.clear()
        return latent if normalize else latent * self.std + self.mean

    def decode(self, latent_NFCHW: Tensor, memory: TaehvMemory) -> Tensor:
        """Pixels (N, 3, T, H, W) in the range of [-1, 1], not clamped, of the next normalised latents."""
        frames = self.decode_frames(latent_NFCHW, memory)
        if not memory.trimmed:
            frames = frames[:, TIME_FACTOR - 1 :]
            memory.trimmed = True
        return (frames * 2 - 1).transpose(1, 2)
