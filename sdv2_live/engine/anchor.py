"""What stands for a stream's first latent where the cache is refilled from a context: a picture, encoded anew.

It is the oldest of the last pictures painted, so that pixels come back into the past: that stops a drift of the latents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class Anchor:
    """The anchor of one stream.

    Attributes:
        frames: pictures of which it is the oldest.
        memory: of an encoder that sees that picture alone.
        pictures: the last ones, (1, 3, at most `frames`, H, W) in [-1, 1].
        latent: (1, 1, 16, h, w), normalised; None until so many pictures are there.
    """

    frames: int
    memory: Any
    pictures: Tensor | None = None
    latent: Tensor | None = None

    def reset_(self) -> None:
        """Forget the pictures."""
        self.pictures = self.latent = None

    def see(self, pixels_1CTHW: Tensor) -> Tensor | None:
        """Note pictures. Returns the one to encode, (1, 3, 1, H, W); None while there are too few."""
        before = () if self.pictures is None else (self.pictures,)
        self.pictures = torch.cat((*before, pixels_1CTHW), dim=2)[:, :, -self.frames :].clone()
        return self.pictures[:, :, :1] if self.pictures.shape[2] == self.frames else None
