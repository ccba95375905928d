"""A picture of nothing that never stands still: what the engine paints from where there is no input."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.base import Source
from sdv2_live.io.playback import PlaybackClock
from sdv2_live.system.clock import monotonic_ns

HEIGHT, WIDTH = 144, 256  # soft as it is, it may be scaled to any size
WAVES = 12  # of each colour
SPEED = 0.4  # pixels a frame
MIDDLE, SWING = 118.0, 70.0  # of 0..255: neither black nor glaring


class TextureSource(Source):
    """Soft clouds of colour, RGBX, drifting slowly in real time. The picture is a function of the frame's index alone."""

    def __init__(self, rate: Fraction = Fraction(30)) -> None:
        self.name = "texture"
        self._rate = rate
        self._layers = _layers()
        self._clock = PlaybackClock()
        self._index = 0
        self._closed = False

    def read(self, timeout: float) -> Frame | None:
        if self._closed or not self._clock.wait(float(self._index / self._rate), timeout):
            return None
        index, self._index = self._index, self._index + 1
        return Frame(drawn(self._layers, index), WIDTH, HEIGHT, PixelFormat.RGBX, self._rate, monotonic_ns(), index)

    @property
    def ended(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._clock.interrupt()


def drawn(layers: np.ndarray, index: int) -> np.ndarray:
    """Rows (HEIGHT, 4 * WIDTH) of one index: layers (2, HEIGHT, WIDTH, 3) that drift against each other."""
    shift = int(index * SPEED)
    picture = np.roll(layers[0], shift, axis=1) + np.roll(layers[1], -shift, axis=0)
    rgbx = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    rgbx[..., :3] = picture
    return rgbx.reshape(HEIGHT, 4 * WIDTH)


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
