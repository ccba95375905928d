"""The movement between painted pictures, and pictures between them.

Movement is found on small pictures, by Lucas and Kanade's method at every pixel, from coarse to fine: each step linearises the
difference that is left and solves it over a window, regularised where the window is even. A picture between two others is both
of them, moved by their share of the way, as in Jiang et al., Super SloMo (2018); where the two ways do not agree, as at edges
that cover and uncover, the nearer one counts alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

LONGEST = 128  # pixels: the longer side of the small pictures
LEVELS = 4
STEPS = 2  # at each level
WINDOW = 2  # passes of a 3x3 mean
EVEN = 2e-4  # of squared gradients: below that a window is even
FARTHEST = 1.5  # pixels, of one step
CUT = 0.11  # mean difference that movement does not explain, of 0..1, from which two pictures are a cut


@dataclass(frozen=True, slots=True)
class Movement:
    """The movement from each picture to the next.

    Attributes:
        there: (N, 2, h, w), x and y in shares of the size, where each pixel of the first goes.
        back: the same of the second.
        sure: (N, 1, h, w), 0..1: how well the two ways agree.
        cut: of each, True where the second is another scene.
    """

    there: Tensor
    back: Tensor
    sure: Tensor
    cut: Tensor


def movement(luma: Tensor) -> Movement:
    """The N movements between N + 1 pictures of luma, float32 (N + 1, 1, H, W) in 0..1."""
    small = _small(luma)
    first, second = small[:-1], small[1:]
    both = _flow(torch.cat([first, second]), torch.cat([second, first]))
    there, back = both.chunk(2)
    off = (there + _warped(back, there)).square().sum(1, keepdim=True)
    long = 0.5 + 0.05 * (there.square() + back.square()).sum(1, keepdim=True)
    sure = _mean((off < long).float())
    left = torch.minimum((_warped(second, there) - first).abs().mean((1, 2, 3)), (second - first).abs().mean((1, 2, 3)))
    cut = left > CUT
    goes_on = (~cut).float().view(-1, 1, 1, 1)  # on the device: nobody waits for it
    height, width = small.shape[2:]
    return Movement(
        _scaled(there * goes_on, 1 / width, 1 / height), _scaled(back * goes_on, 1 / width, 1 / height), sure * goes_on, cut
    )


def between(first: Tensor, second: Tensor, move: Movement, index: int, share: float) -> Tensor:
    """The planes at a share (0..1) of the way from one picture to the next, float32 (C, H, W) of any size; of a cut the nearer.

    Args:
        first: planes (C, H, W).
        second: the same of the next picture.
        move: in which their movement is.
        index: of their movement.
        share: of the way.
    """
    size = first.shape[-2:]
    there, back, sure = (
        F.interpolate(each[index : index + 1], size, mode="bilinear", align_corners=False)
        for each in (move.there, move.back, move.sure)
    )
    there, back = (_scaled(each, size[1], size[0]) for each in (there, back))
    from_first = -(1 - share) * share * there + share * share * back
    from_second = (1 - share) * (1 - share) * there - share * (1 - share) * back
    one, other = _warped(first[None].float(), from_first), _warped(second[None].float(), from_second)
    weight = share * sure + (1 - sure) * float(share >= 0.5)
    return torch.lerp(one, other, weight)[0]


def _scaled(flow: Tensor, x: float, y: float) -> Tensor:
    return torch.cat([flow[:, :1] * x, flow[:, 1:] * y], 1)


def _small(luma: Tensor) -> Tensor:
    """The same of sides that halve LEVELS - 1 times."""
    height, width = luma.shape[-2:]
    scale, unit = min(LONGEST / max(height, width), 1.0), 1 << (LEVELS - 1)
    size = [max(round(side * scale / unit), 1) * unit for side in (height, width)]
    return F.interpolate(luma, size, mode="bilinear", antialias=True)


def _flow(first: Tensor, second: Tensor) -> Tensor:
    """(N, 2, h, w): pixels to go from each place in the first to its own in the second."""
    pyramid = [(first, second)]
    for _ in range(LEVELS - 1):
        pyramid.append((F.avg_pool2d(pyramid[-1][0], 2), F.avg_pool2d(pyramid[-1][1], 2)))
    flow = torch.zeros(len(first), 2, *pyramid[-1][0].shape[-2:], device=first.device)
    for level, (one, other) in enumerate(reversed(pyramid)):
        if level:
            flow = F.interpolate(flow, one.shape[-2:], mode="bilinear", align_corners=False) * 2
        for _ in range(STEPS):
            moved = _warped(other, flow)
            across, down = _gradients((one + moved) * 0.5)
            left = one - moved
            products = torch.cat([across * across, down * down, across * down, across * left, down * left], 1)
            xx, yy, xy, xt, yt = _mean(products).split(1, 1)
            xx, yy = xx + EVEN, yy + EVEN
            scale = 1 / (xx * yy - xy * xy)
            step = torch.cat([(yy * xt - xy * yt) * scale, (xx * yt - xy * xt) * scale], 1)
            flow = _mean(flow + step.clamp_(-FARTHEST, FARTHEST))
    return flow


def _gradients(planes: Tensor) -> tuple[Tensor, Tensor]:
    padded = F.pad(planes, (1, 1, 1, 1), mode="replicate")
    return (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) * 0.5, (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) * 0.5


def _mean(planes: Tensor) -> Tensor:
    """The mean over a window."""
    for _ in range(WINDOW):
        planes = F.avg_pool2d(F.pad(planes, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return planes


def _warped(pictures: Tensor, flow: Tensor) -> Tensor:
    """Each pixel from where the flow, in pixels, leads."""
    height, width = pictures.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    grid = torch.stack([(2 * (flow[:, 0] + x) + 1) / width - 1, (2 * (flow[:, 1] + y) + 1) / height - 1], -1)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
