"""An abstract picture that never stands still, as input for the engine where there is none."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import numpy as np

from sdv2_live.io.synthetic import GeneratedSource

HEIGHT, WIDTH = 144, 256  # soft as it is, it may be scaled to any size
WAVES = 12  # of each colour
SPEED = 0.4  # pixels a frame
MIDDLE, SWING = 118.0, 70.0  # of 0..255: neither black nor glaring


class TextureSource(GeneratedSource):
    """Soft clouds of colour, drifting slowly in real time."""

    def __init__(self, rate: Fraction = Fraction(30)) -> None:
        super().__init__("texture", partial(drawn, _layers()), rate)


def drawn(layers: np.ndarray, index: int) -> np.ndarray:
    """RGBX (HEIGHT, WIDTH, 4) of one index: layers (2, HEIGHT, WIDTH, 3) that drift against each other."""
    shift = int(index * SPEED)
    picture = np.roll(layers[0], shift, axis=1) + np.roll(layers[1], -shift, axis=0)
    rgbx = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    rgbx[..., :3] = picture
    return rgbx


def _layers() -> np.ndarray:
    """uint8 (2, HEIGHT, WIDTH, 3), periodic in both directions, whose sum stays below 256."""
    random = np.random.default_rng(1)
    y = np.arange(HEIGHT)[:, None, None] / HEIGHT
    x = np.arange(WIDTH)[None, :, None] / WIDTH
    layers = np.zeros((2, HEIGHT, WIDTH, 3))
    for layer in layers:
        for _ in range(WAVES):
            across, down = random.integers(-4, 5, (2, 3))
            layer += np.sin(2 * np.pi * (across * x + down * y + random.random(3))) / (1 + np.hypot(across, down))
        layer *= SWING / 2 / np.abs(layer).max()
    return (layers + MIDDLE / 2).astype(np.uint8)
