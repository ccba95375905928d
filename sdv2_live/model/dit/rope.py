"""Rotary position embedding over time, height and width (Wan2.1; base 10000, complex multiply of adjacent pairs)."""

from __future__ import annotations

import torch
from torch import Tensor

from sdv2_live.model.dit.cache_spec import TIME_ROWS


def axis_pairs(head_dim: int) -> tuple[int, int, int]:
    """Complex pairs of one head given to (time, height, width)."""
    pairs = head_dim // 2
    return pairs - 2 * (pairs // 3), pairs // 3, pairs // 3


class RopeTable:
    """Unit complex rotations per axis, computed once in float64 and kept in complex64.

    Each axis owns `n` pairs whose frequencies are 10000^(-i/n), i = 0..n-1, as if the axis were a whole head of width 2n.
    """

    def __init__(self, head_dim: int, device: torch.device | str = "cpu") -> None:
        if head_dim % 2:
            raise ValueError(f"a head needs an even width to be rotated in pairs, not {head_dim}")
        self.time, self.height, self.width = (self._axis(n).to(device) for n in axis_pairs(head_dim))
        self._grids: dict[tuple[int, int], Tensor] = {}

    @staticmethod
    def _axis(pairs: int) -> Tensor:
        position = torch.arange(TIME_ROWS, dtype=torch.float64)
        frequency = 10000.0 ** (-torch.arange(pairs, dtype=torch.float64) / max(pairs, 1))
        angle = torch.outer(position, frequency)
        return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)

    def _grid(self, rows: int, columns: int) -> Tensor:
        """Spatial rotations of one latent frame, (rows * columns, height pairs + width pairs); the same for every frame."""
        key = (rows, columns)
        if key not in self._grids:
            height = self.height[:rows, None].expand(-1, columns, -1)
            width = self.width[None, :columns].expand(rows, -1, -1)
            self._grids[key] = torch.cat((height, width), dim=-1).flatten(0, 1)
        return self._grids[key]

    def rotations(self, starts_B: Tensor, frames: int, rows: int, columns: int) -> Tensor:
        """Rotations for a call: (B, F*L, d/2) complex64, level b beginning at temporal position starts_B[b] (int64).

        The positions are read on the device alone, so that a captured graph follows them.
        """
        position = starts_B[:, None] + torch.arange(frames, device=starts_B.device)
        grid = self._grid(rows, columns)
        time = self.time[position][:, :, None].expand(-1, -1, grid.shape[0], -1)  # (B, F, L, time pairs)
        space = grid.expand(len(starts_B), frames, -1, -1)
        return torch.cat((time, space), dim=-1).flatten(1, 2)

    def timeless(self, frames: int, rows: int, columns: int) -> Tensor:
        """Rotations for a call whose frames all lie at position 0, (1, F*L, d/2): height and width alone."""
        grid = self._grid(rows, columns)
        time = torch.ones(len(grid), self.time.shape[1], dtype=grid.dtype, device=grid.device)
        return torch.cat((time, grid), dim=-1).repeat(frames, 1)[None]


def rotate_time(x_BFLHd: Tensor, times_BFp: Tensor) -> Tensor:
    """Rotate the pairs of time alone, in float32; those of height and width, the last of a head, stay. Dtype as x's."""
    width = 2 * times_BFp.shape[-1]
    frames = x_BFLHd[..., :width].flatten(2, 3)  # (B, F, L*H, 2p): one rotation for all of a frame
    pairs = torch.view_as_complex(frames.float().unflatten(-1, (-1, 2)))
    turned = torch.view_as_real(pairs * times_BFp.unsqueeze(2)).flatten(-2).type_as(x_BFLHd)
    return torch.cat((turned.unflatten(2, x_BFLHd.shape[2:4]), x_BFLHd[..., width:]), dim=-1)


def rotate(x_BSHd: Tensor, rotations_BSp: Tensor) -> Tensor:
    """Rotate adjacent pairs of the last axis in float32; the result has x's dtype."""
    pairs = torch.view_as_complex(x_BSHd.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * rotations_BSp.unsqueeze(2)).flatten(-2).type_as(x_BSHd)
