"""Moving clips from still pictures: camera pans, zooms and turns, and a cut-out that moves by itself in front."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .pictures import drawn, photos

DRAWN = 96  # drawn scenes in the pool
LEVELS = (0.3, 0.45, 0.7, 1.0)  # scales of every picture, so that sampling does not alias


class ClipMaker:
    """Endless clips from a seed."""

    def __init__(self, seed: int, *, held_out: bool = False) -> None:
        self._random = np.random.default_rng(seed)
        self._photos, self._drawn = _pictures(held_out)

    def clip(self, size: int, frames: int) -> Tensor:
        """A clip (frames, 3, size, size) in [0, 1]."""
        random = self._random
        out = self._view(size, frames)
        if random.random() < 0.45:  # a figure in front, with motion of its own
            front, mask = self._view(size, frames), self._mask(size, frames)
            out = torch.lerp(out, front, mask)
        if random.random() < 0.6:  # cameras sharpen, and a picture shown small is sharper than one shown large
            soft = F.avg_pool2d(F.pad(out, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
            out = (out + float(random.uniform(0.2, 1.4)) * (out - soft)).clamp(0, 1)
        return self._grade(out) if random.random() < 0.6 else out

    def batch(self, count: int, size: int, frames: int) -> Tensor:
        """Clips (count, frames, 3, size, size)."""
        return torch.stack([self.clip(size, frames) for _ in range(count)])

    def _view(self, size: int, frames: int) -> Tensor:
        """One picture seen by a moving camera."""
        random = self._random
        pool = self._photos if random.random() < 0.7 else self._drawn
        levels = pool[random.integers(len(pool))]
        fitting = [level for level in levels if min(level.shape[1:]) >= size * 0.9] or [levels[-1]]
        picture = fitting[random.integers(len(fitting))]
        height, width = picture.shape[1:]
        t = torch.linspace(0, 1, frames)
        speed = random.choice([0.0, 0.12, 0.35, 1.0], p=[0.15, 0.3, 0.35, 0.2]) * frames / 16
        zoom = random.uniform(0.7, 1.4) * torch.exp(t * random.normal(0, 0.15) * speed)
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
        grid = F.affine_grid(theta, [frames, 3, size, size], align_corners=False)
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

    def _grade(self, clip: Tensor) -> Tensor:
        """Random gain, gamma, channel order and saturation: few pictures must stand for many."""
        random = self._random
        if random.random() < 0.4:
            clip = clip[:, torch.from_numpy(random.permutation(3))]
        grey = clip.mean(1, keepdim=True)
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
