"""Noise on a plane, and how pictures are mixed and looked up: what the landscape is drawn with."""

from __future__ import annotations

from typing import Any, overload

import numpy as np


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@overload
def mix(a: float, b: float, t: float) -> float: ...
@overload
def mix(a: np.ndarray, b: np.ndarray, t: np.ndarray | np.floating | float) -> np.ndarray: ...
def mix(a: Any, b: Any, t: Any) -> Any:
    return a + (b - a) * t


def rgb(red: float, green: float, blue: float) -> np.ndarray:
    return np.array((red, green, blue), np.float32)


def bilinear(texture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Texture (height, width, ...) at columns x and rows y; columns and rows beyond the border repeat it."""
    height, width = texture.shape[:2]
    x, y = np.clip(x, 0, width - 1.001), np.clip(y, 0, height - 1.001)
    column, row = x.astype(np.int32), y.astype(np.int32)
    fx, fy = (x - column).astype(np.float32), (y - row).astype(np.float32)
    if texture.ndim == 3:
        fx, fy = fx[..., None], fy[..., None]
    top = mix(texture[row, column], texture[row, column + 1], fx)
    return mix(top, mix(texture[row + 1, column], texture[row + 1, column + 1], fx), fy)


class Noise:
    """Value noise on an endless plane, repeating every 256 cells."""

    def __init__(self, seed: int) -> None:
        self.lattice = np.random.default_rng(seed).random((256, 256), dtype=np.float32)

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        column, row = np.floor(x), np.floor(y)
        fx, fy = (x - column).astype(np.float32), (y - row).astype(np.float32)
        fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
        left, top = column.astype(np.int32) & 255, row.astype(np.int32) & 255
        right, bottom = (left + 1) & 255, (top + 1) & 255
        upper = mix(self.lattice[top, left], self.lattice[top, right], fx)
        return mix(upper, mix(self.lattice[bottom, left], self.lattice[bottom, right], fx), fy)

    def fractal(self, x: np.ndarray, y: np.ndarray, octaves: int, *, ridged: bool = False) -> np.ndarray:
        """Octaves of half the size and half the height each, about 0..1; `ridged` folds them into crests."""
        total, height = np.zeros(np.broadcast(x, y).shape, np.float32), 0.5
        for _ in range(octaves):
            octave = self(x, y)
            total += height * ((1 - np.abs(2 * octave - 1)) ** 2 if ridged else octave)
            x, y, height = 1.6 * x + 1.2 * y + 7.3, -1.2 * x + 1.6 * y + 3.1, height / 2
        return total
