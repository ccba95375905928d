"""The autoencoders' computations between convolutions, as a few operations that each read and write memory once.

A convolution's output is finished by its reader: bias, shortcut, norm and activation are applied on the way into the next
convolution's input (a `Pending`), in that input's own layout. These PyTorch versions define the operations, run on a CPU,
and let gradients through. `triton_ops` has them as a kernel for NVIDIA GPUs.

Legend: N samples, C channels, T frames, P frames that a layer remembers. Channels are innermost in memory everywhere
(channels_last, channels_last_3d): a frame is then one piece of memory, and frames follow each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Pending:
    """A deferred relu(x + bias + skip). Without a bias, a skip or `relu`, that part is left out.

    Attributes:
        x: (N, C, T, H, W), or (N * T, C, H, W) where frames are convolved one by one.
        skip: the same shape.
        bias: (C,).
        phased: x is `upsampled`'s convolution, of 4 * C channels, H / 2 + 1 rows and W / 2 + 1 columns.
    """

    x: Tensor
    bias: Tensor | None = None
    skip: Tensor | None = None
    relu: bool = False
    phased: bool = False

    @property
    def plain(self) -> bool:
        """True when no work is deferred: the value is `x`."""
        return self.bias is None and self.skip is None and not self.relu and not self.phased


class VaeOps(Protocol):
    """The operations on one kind of device. Their results have channels innermost."""

    name: str
    defers_bias: bool  # a convolution's bias is cheaper in the operation after it
    multiple: int  # of the channels on both sides of a convolution; `convolve` and `entered` add zero channels up to it

    def value(self, pending: Pending, fold: int = 1) -> Tensor:
        """The sum, computed. fold: number of neighbouring frames (of N * T) that become channels of one, first frame first."""

    def normed(
        self, pending: Pending, gamma: Tensor, *, silu: bool, past: Tensor | None = None, keep: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """RMS norm over the channels times gamma (C,), then SiLU or not, after the past frames; and, if kept, the sum itself.

        past: (N, C, P, H, W), the frames before; replaced, in place, by the last P frames. Returns (N, C, P + T, H, W).
        """

    def joined(self, pending: Pending, past: Tensor) -> Tensor:
        """The sum after the past frames; `past` as in `normed`. What comes in as pixels may get zero channels (`multiple`)."""

    def beside(self, pending: Pending, past: Tensor) -> tuple[Tensor, Tensor]:
        """The sum, and each frame with the one before it in further channels.

        Args:
            pending: the sum (N * T, C, H, W).
            past: (N, C, H, W), the frame before the first; replaced, in place, by the last.

        Returns:
            The sum (N * T, C, H, W), maybe a view, and (N * T, 2 * C, H, W).
        """


class TorchVaeOps:
    """The reference implementation, in PyTorch's own operations."""

    name = "torch"
    defers_bias = False
    multiple = 1

    def value(self, pending: Pending, fold: int = 1) -> Tensor:
        x = interleaved(pending.x) if pending.phased else pending.x
        if pending.bias is not None:
            x = x + pending.bias.to(x.dtype).view(-1, *(1,) * (x.ndim - 2))
        if pending.skip is not None:
            x = x + pending.skip
        if pending.relu:
            x = F.relu(x)
        return x if fold == 1 else x.reshape(-1, fold * x.shape[1], *x.shape[2:])

    def normed(
        self, pending: Pending, gamma: Tensor, *, silu: bool, past: Tensor | None = None, keep: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        total = self.value(pending)
        normal = F.normalize(total, dim=1) * (gamma * gamma.shape[0] ** 0.5).view(-1, 1, 1, 1)
        if silu:
            normal = F.silu(normal)
        return (normal if past is None else _after(past, normal)), (total if keep else None)

    def joined(self, pending: Pending, past: Tensor) -> Tensor:
        return _after(past, self.value(pending))

    def beside(self, pending: Pending, past: Tensor) -> tuple[Tensor, Tensor]:
        total = self.value(pending)
        frames = total.unflatten(0, (past.shape[0], -1))
        before = torch.cat((past[:, None], frames[:, :-1]), dim=1).flatten(0, 1)
        past.copy_(frames[:, -1])
        return total, torch.cat((total, before), dim=1)


def _after(past: Tensor, frames: Tensor) -> Tensor:
    joined = torch.cat((past, frames), dim=2)
    past.copy_(joined[:, :, -past.shape[2] :])
    return joined


def entered(x: Tensor, multiple: int) -> Tensor:
    """Pixels or latents (B, C, H, W) with channels innermost, zero channels added up to a multiple."""
    lacking = -x.shape[1] % multiple
    if not lacking:
        return x.contiguous(memory_format=torch.channels_last)
    padded = x.new_zeros(x.shape[0], *x.shape[2:], x.shape[1] + lacking).permute(0, 3, 1, 2)
    padded[:, : x.shape[1]] = x
    return padded


def upsampled(x: Tensor, conv: nn.Conv2d) -> Pending:
    """A 3x3 convolution of frames (B, C, h, w) enlarged to twice their size by repeating pixels, without enlarging them.

    Of the nine taps of an output pixel, those on the same input pixel are one: 2x2 taps, whose weights are sums, differing
    with the output pixel's row and column being even or odd. All four kinds together are one 2x2 convolution with 4 times
    the channels and 4/9 of the arithmetic; `interleaved` puts them in their places.
    """
    rows = _taps(conv.weight.float(), 2)  # (2 kinds of row, O, C, 2, 3)
    both = _taps(rows, 4)  # (2 kinds of column, 2 kinds of row, O, C, 2, 2)
    weight = both.transpose(0, 1).flatten(0, 2).to(conv.weight.dtype, memory_format=torch.channels_last)
    y = F.conv2d(x, weight, padding=1)
    return Pending(y, conv.bias, phased=True)


def _taps(weight: Tensor, dim: int) -> Tensor:
    """Three taps along `dim` as two, of the even outputs and of the odd ones, stacked in front."""
    before, at, after = weight.unbind(dim)
    return torch.stack((torch.stack((before, at + after), dim), torch.stack((before + at, after), dim)))


def interleaved(y: Tensor) -> Tensor:
    """Pictures (B, C, 2h, 2w), or (N, C, T, 2h, 2w), of `upsampled`'s convolution (B, 4 * C, h + 1, w + 1)."""
    if y.ndim == 5:
        clip: Tensor = interleaved(y.transpose(1, 2).flatten(0, 1)).unflatten(0, (y.shape[0], -1))
        return clip.transpose(1, 2)
    y = y.contiguous(memory_format=torch.channels_last)
    (count, channels, height, width), c = y.shape, y.shape[1] // 4
    row, column = width * channels, channels
    shape = (count, height - 1, 2, width - 1, 2, c)  # output row 2i + a is found in row i + a, with the channels of kind a
    strides = (height * row, row, row + 2 * c, column, column + c, 1)
    picture = y.as_strided(shape, strides, y.storage_offset()).reshape(count, 2 * (height - 1), 2 * (width - 1), c)
    return picture.permute(0, 3, 1, 2)


def unfolded(x: Tensor, count: int) -> Tensor:
    """Frames (B * count, C, H, W) of frames (B, count * C, H, W), unpacked from their channels."""
    frames: Tensor = x.permute(0, 2, 3, 1).unflatten(3, (count, -1)).permute(0, 3, 1, 2, 4)
    return frames.flatten(0, 1).contiguous().permute(0, 3, 1, 2)


def layout(x: Tensor) -> torch.memory_format:
    """Channels innermost, for a tensor of so many dimensions."""
    return torch.channels_last_3d if x.ndim == 5 else torch.channels_last


@torch.no_grad()
def channels_last(model: nn.Module) -> None:
    """Lay the weights of all convolutions out with channels innermost, in place: as their inputs are."""
    for conv in model.modules():
        if isinstance(conv, nn.Conv2d | nn.Conv3d):
            conv.weight.data = conv.weight.data.contiguous(memory_format=layout(conv.weight))
