"""Simple measures of pictures, and which look they name: for tools/eval_tiny.py. The training compares edges by them too."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from . import styles


def measures(frames: Tensor) -> dict[str, float]:
    """Mean colour, contrast, saturation, edges, dark and light shares, and how much varies within blocks of 8 and 16 pixels."""
    y = styles.luma(frames)
    variance = float(y.var()) + 1e-4
    red, green, blue = frames.mean((0, 2, 3)).tolist()
    blocks = {
        f"within_{n}": float((y - F.interpolate(F.avg_pool2d(y, n), scale_factor=float(n))).var()) / variance for n in (8, 16)
    }
    return {
        "red": red, "green": green, "blue": blue, "contrast": variance**0.5,
        "saturation": float((frames.amax(1) - frames.amin(1)).mean()),
        "edges": float(styles.slope(y).mean()),
        "dark": float((y < 0.2).float().mean()), "light": float((y > 0.8).float().mean()),
        **blocks,
    }  # fmt: skip


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson correlation of two maps; 0 for a constant one."""
    a, b = a.flatten() - a.mean(), b.flatten() - b.mean()
    return float((a @ b) / (a.norm() * b.norm()).clamp_min(1e-6))


def edge_map(frames: Tensor) -> Tensor:
    """Luminance edge strength at half size."""
    return styles.slope(F.avg_pool2d(styles.luma(frames), 2))


def coarse(frames: Tensor) -> Tensor:
    """Luminance at a quarter of the size."""
    return styles.luma(F.avg_pool2d(frames, 4))


class References:
    """What some input frames look like untouched (`input`) and in every look, measured once."""

    def __init__(self, clip: Tensor) -> None:
        self.frames = {"input": clip, **{name: styles.apply(name, clip) for name in styles.STYLES}}
        self.names = list(self.frames)
        self._table = torch.tensor([list(measures(each).values()) for each in self.frames.values()])
        self._coarse = [coarse(each) for each in self.frames.values()]

    def nearest(self, out: Tensor) -> str:
        """The reference that measures most like `out`.

        Distances combine the measures (in units of their spread over the references) with the correlation of the coarse
        luminance, which tells looks of one colour apart.
        """
        mine = torch.tensor(list(measures(out).values()))
        distance = ((self._table - mine) / self._table.std(0).clamp_min(1e-3)).square().mean(1)
        picture = coarse(out)
        alike = torch.tensor([correlation(picture, each) for each in self._coarse])
        return self.names[int((distance + (1 - alike)).argmin())]
