"""What squared error does not see: that edges are as strong, and surfaces as rough, as they should be."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .measures import edge_map
from .teacher import encoder_weights

TILE = 32  # pixels: the side of the squares whose texture is compared
EPS = 1e-5


class StyleEncoder(nn.Module):
    """The first three layers of the teacher, as they are for the mean of its styles: features at full, half and quarter size."""

    def __init__(self) -> None:
        super().__init__()
        for name, weight in encoder_weights().items():
            self.register_buffer(name, weight)

    def forward(self, made_NCHW: Tensor, wanted_NCHW: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Pairs of feature maps. Both are normalised by what is wanted: faint features stay fainter than they should be."""
        pairs, x = [], torch.cat((made_NCHW, wanted_NCHW))
        for layer in range(3):
            weight = getattr(self, f"weight_{layer}")
            x = F.conv2d(F.pad(x, (weight.shape[-1] // 2,) * 4, mode="reflect"), weight, stride=1 if layer == 0 else 2)
            wanted = x.detach()[len(made_NCHW) :].repeat(2, 1, 1, 1).float()
            mean, spread = wanted.mean((2, 3), keepdim=True), (wanted.var((2, 3), keepdim=True) + EPS).sqrt()
            x = F.relu((x - mean) / spread * getattr(self, f"gain_{layer}") + getattr(self, f"shift_{layer}"))
            made, right = x.chunk(2)
            pairs.append((made, right))
        return pairs


def gram(features_NCHW: Tensor, tile: int) -> Tensor:
    """Gram matrices (N, tiles, C, C) of squares of `tile` features; rows and columns that fill no square are left out."""
    count, channels = features_NCHW.shape[:2]
    down, across = (length // tile for length in features_NCHW.shape[2:])
    cut = features_NCHW[..., : down * tile, : across * tile].float()
    rows = (
        cut.view(count, channels, down, tile, across, tile).permute(0, 2, 4, 1, 3, 5).reshape(count, down * across, channels, -1)
    )
    return rows @ rows.transpose(-1, -2) / tile**2


class Crispness(nn.Module):
    """Difference of Gram matrices of the teacher's features, against their sum, and difference of edges, weighed."""

    def __init__(self, texture: float, edges: float) -> None:
        super().__init__()
        self.encoder, self.texture, self.edges = StyleEncoder(), texture, edges

    def forward(self, made_NCHW: Tensor, wanted_NCHW: Tensor) -> Tensor:
        loss = self.edges * ((edge_map(made_NCHW.float()) - edge_map(wanted_NCHW.float())).square() + 1e-3).sqrt().mean()
        return loss + self.texture * self.distance(made_NCHW, wanted_NCHW)

    def distance(self, made_NCHW: Tensor, wanted_NCHW: Tensor) -> Tensor:
        """Of texture, pictures and layers averaged: 0 for the same, 1 at most."""
        terms = []
        for layer, (made, wanted) in enumerate(self.encoder(made_NCHW, wanted_NCHW)):
            a, b = (gram(x, TILE >> layer) for x in (made, wanted))
            terms.append(((a - b).abs().sum((1, 2, 3)) / ((a + b).sum((1, 2, 3)) + EPS)).mean())
        return torch.stack(terms).mean()
