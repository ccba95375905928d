"""Moving clips from still pictures: camera pans, zooms and turns, and a cut-out that moves by itself in front.

A painted clip is the same camera move over a picture and over its paintings: paint sticks to what it paints, as it should.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .paintings import Paintings
from .pictures import drawn, photos

DRAWN = 96  # drawn scenes in the pool
LEVELS = (0.3, 0.45, 0.7, 1.0)  # scales of every picture, so that sampling does not alias


class ClipMaker:
    """Endless clips from a seed."""

    def __init__(self, seed: int, *, held_out: bool = False, paintings: Paintings | None = None) -> None:
        self._random = np.random.default_rng(seed)
        self._photos, self._drawn = _pictures(held_out)
        self._paintings = paintings

    def clip(self, size: int, frames: int) -> Tensor:
        """A clip (frames, 3, size, size) in [0, 1]."""
        random = self._random
        out = self._composed(lambda: self._view(self._picture(size), size, frames), size, frames)
        out = self._sharpened(out)
        return grade(random, out) if random.random() < 0.6 else out

    def painted(self, size: int, frames: int, looks: list[str]) -> list[Tensor]:
        """A clip and, of each of some painting looks, the same clip painted, all (frames, 3, size, size)."""
        assert self._paintings is not None
        paintings = self._paintings
        stack = self._composed(lambda: self._view(paintings.draw(self._random, looks), size, frames, 0.15), size, frames)
        plain, *painted = stack.split(3, dim=1)
        return [self._sharpened(plain), *painted]

    def batch(self, count: int, size: int, frames: int) -> Tensor:
        """Clips (count, frames, 3, size, size)."""
        return torch.stack([self.clip(size, frames) for _ in range(count)])

    def _composed(self, view: Callable[[], Tensor], size: int, frames: int) -> Tensor:
        """A view, in nearly half of the clips with a cut-out of another in front that moves by itself."""
        out = view()
        if self._random.random() < 0.45:
            out = torch.lerp(out, view(), self._mask(size, frames))
        return out

    def _sharpened(self, clip: Tensor) -> Tensor:
        """Often sharpened, as cameras do: a picture shown small is sharper than one shown large."""
        random = self._random
        if random.random() >= 0.6:
            return clip
        soft = F.avg_pool2d(F.pad(clip, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        return (clip + float(random.uniform(0.2, 1.4)) * (clip - soft)).clamp(0, 1)

    def _picture(self, size: int) -> Tensor:
        random = self._random
        pool = self._photos if random.random() < 0.7 else self._drawn
        levels = pool[random.integers(len(pool))]
        fitting = [level for level in levels if min(level.shape[1:]) >= size * 0.9] or [levels[-1]]
        return fitting[random.integers(len(fitting))]

    def _view(self, picture: Tensor, size: int, frames: int, spread: float = 0.34) -> Tensor:
        """A picture (C, H, W) seen by a moving camera. spread: of its zoom, as a logarithm: strokes are to keep their width."""
        random = self._random
        channels, height, width = picture.shape
        t = torch.linspace(0, 1, frames)
        speed = random.choice([0.0, 0.12, 0.35, 1.0], p=[0.15, 0.3, 0.35, 0.2]) * frames / 16
        zoom = math.exp(random.uniform(-spread, spread)) * torch.exp(t * random.normal(0, 0.15) * speed)
        angle = random.normal(0, 0.1) + t * random.normal(0, 0.12) * speed
        centre = torch.from_numpy(random.uniform(-0.5, 0.5, (1, 2)).astype(np.float32))
        drift = torch.from_numpy(random.normal(0, 0.25, (1, 2)).astype(np.float32)) * speed * size / min(height, width)
        shake = torch.from_numpy(random.normal(0, 0.004, (frames, 2)).astype(np.float32)) * (random.random() < 0.3)
        path = centre + t[:, None] * drift + 0.05 * speed * torch.sin(2 * math.pi * (t[:, None] * random.uniform(0, 1.5))) + shake
        theta = torch.zeros(frames, 2, 3)
        sx, sy = size / width * zoom, size / height * zoom
        theta[:, 0, 0], theta[:, 0, 1] = sx * angle.cos(), -sx * angle.sin()
        theta[:, 1, 0], theta[:, 1, 1] = sy * angle.sin(), sy * angle.cos()
        theta[:, :, 2] = path
        flip = -1.0 if random.random() < 0.5 else 1.0
        theta[:, 0] *= flip
        grid = F.affine_grid(theta, [frames, channels, size, size], align_corners=False)
        source = picture[None].expand(frames, -1, -1, -1)
        return F.grid_sample(source, grid, mode="bilinear", padding_mode="reflection", align_corners=False).clamp(0, 1)

    def _mask(self, size: int, frames: int) -> Tensor:
        """A moving soft ellipse, (frames, 1, size, size)."""
        random = self._random
        axis = torch.linspace(-1, 1, size)
        t = torch.linspace(0, 1, frames)[:, None, None]
        x0, y0 = random.uniform(-0.6, 0.6, 2)
        vx, vy = random.normal(0, 0.6, 2) * frames / 16 * random.choice([0.2, 1.0])
        rx, ry = random.uniform(0.2, 0.7, 2)
        distance = ((axis[None, None] - x0 - vx * t) / rx) ** 2 + ((axis[None, :, None] - y0 - vy * t) / ry) ** 2
        return torch.sigmoid((1 - distance) * random.uniform(4, 40))[:, None]


def grade(random: np.random.Generator, clip: Tensor) -> Tensor:
    """Random gain, gamma, channel order and saturation of (..., 3, H, W): few pictures must stand for many."""
    if random.random() < 0.4:
        clip = clip[..., torch.from_numpy(random.permutation(3)), :, :]
    grey = clip.mean(-3, keepdim=True)
    clip = torch.lerp(grey, clip, float(random.uniform(0.3, 1.6))).clamp(0, 1)
    clip = clip ** float(np.exp(random.normal(0, 0.35)))
    return ((clip - 0.5) * float(random.uniform(0.6, 1.3)) + 0.5 + float(random.normal(0, 0.06))).clamp(0, 1)


@cache
def _pictures(held_out: bool) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Photographs, each as often as it weighs, and drawn scenes, all at every scale."""
    scenes = [drawn(1000 * held_out + i) for i in range(4 if held_out else DRAWN)]
    weighed = [pyramid for picture, weight in photos(held_out) for pyramid in [_pyramid(picture)] * weight]
    return weighed, [_pyramid(picture) for picture in scenes]


def _pyramid(picture: Tensor) -> list[Tensor]:
    """The picture at several scales; the largest is at most 512 pixels on its short side."""
    largest = min(1.0, 512 / min(picture.shape[1:]))
    return [
        F.interpolate(picture[None], scale_factor=largest * level, mode="bilinear", antialias=True)[0].clamp(0, 1)
        for level in LEVELS
    ]
