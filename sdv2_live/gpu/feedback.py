"""Feedback: the last painted picture, moved a little more with each frame, in the input of the next chunk.

`Move` says how a picture moves from one frame to the next; after n frames it has moved n times so. `Feedback` blends it in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

from sdv2_live.frame import ColorMatrix
from sdv2_live.gpu.color import Affine, turned
from sdv2_live.gpu.geometry import Size
from sdv2_live.gpu.resample import change_color

Border = Literal["black", "clamp", "mirror", "wrap"]
_PADDING = {"black": "zeros", "clamp": "border", "mirror": "reflection"}  # as PyTorch calls them


@dataclass(frozen=True, slots=True)
class Move:
    """The movement of a picture from one frame to the next, about its middle.

    Attributes:
        zoom: factor of its size.
        rotate: degrees, above 0 clockwise.
        x, y: shares of its width to the right, of its height down; after zoom and rotation.
        hue: degrees.
        border: what lies beyond its edges.
    """

    zoom: float = 1.0
    rotate: float = 0.0
    x: float = 0.0
    y: float = 0.0
    hue: float = 0.0
    border: Border = "mirror"

    def places(self, size: Size, times: range) -> np.ndarray:
        """float64 (T, 2, 3): after so many times, the place (x, y) in the picture that pixel (x, y) shows, from (x, y, 1)."""
        height, width = size
        angle = math.radians(self.rotate)
        sine, cosine = self.zoom * math.sin(angle), self.zoom * math.cos(angle)
        step = np.array([[cosine, -sine, self.x * width], [sine, cosine, self.y * height], [0, 0, 1]])
        middle = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
        back = np.linalg.inv(middle)
        return np.stack([(middle @ np.linalg.inv(np.linalg.matrix_power(step, n)) @ back)[:2] for n in times])

    def colors(self, times: range) -> list[Affine]:
        """The change of R'G'B' after so many times."""
        return [turned(self.hue * n, 1.0, ColorMatrix.BT709) for n in times]


class Feedback:
    """PyTorch's own operations; resampled by linear interpolation, which the next painting sharpens."""

    backend = "torch"

    def __call__(self, pixels: torch.Tensor, last: torch.Tensor, move: Move, share: float, times: range) -> torch.Tensor:
        """The chunk's pixels with a share (0..1) of the moved picture in them, in memory of their own.

        Args:
            pixels: (1, 3, T, H, W) in [-1, 1].
            last: (3, H, W), the picture.
            move: its movement.
            share: how much of it.
            times: how often it has moved, for each of the T frames.
        """
        picture, size = last.float()[None].clamp(-1, 1), (int(last.shape[1]), int(last.shape[2]))
        out = torch.empty(pixels.shape, dtype=pixels.dtype, device=pixels.device)
        colors, places = move.colors(times), move.places(size, times)
        for i, (color, place) in enumerate(zip(colors, places, strict=True)):
            moved = sampled(picture, place.tolist(), move.border)
            if move.hue:
                moved = change_color(moved, color).clamp_(-1, 1)
            out[:, :, i] = torch.lerp(pixels[:, :, i].float(), moved, share).to(pixels.dtype)
        return out


def sampled(picture: torch.Tensor, place: Sequence[Sequence[float]], border: Border) -> torch.Tensor:
    """A picture (1, 3, H, W) in [-1, 1] as it is seen at other places: see `Move.places`."""
    height, width = picture.shape[2:]
    x = torch.arange(width, device=picture.device, dtype=torch.float64)
    y = torch.arange(height, device=picture.device, dtype=torch.float64)[:, None]
    at_x, at_y = (row[0] * x + row[1] * y + row[2] for row in place)
    if border == "wrap":
        at_x, at_y = at_x.remainder(width), at_y.remainder(height)
        picture = F.pad(picture, (0, 1, 0, 1), mode="circular")
        height, width = height + 1, width + 1
    grid = torch.stack([(2 * at_x + 1) / width - 1, (2 * at_y + 1) / height - 1], -1).float()[None]
    # Beyond the edges black is -1, and PyTorch's is 0.
    black = 1.0 if border == "black" else 0.0
    padding = _PADDING.get(border, "border")
    return F.grid_sample(picture + black, grid, mode="bilinear", padding_mode=padding, align_corners=False).sub_(black)
