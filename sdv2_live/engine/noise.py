"""Where a stream's noise comes from, and how much of it there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

MOTION_FULL = 0.2  # RMS difference of neighbouring frames, pixels in [-1, 1], that counts as full motion


class NoiseSource(Protocol):
    """Gives a stream its noise, chunk by chunk."""

    def begin(self, chunk: int, seed: int) -> None:
        """Start the draws of one chunk."""

    def draw(self, shape: Sequence[int]) -> Tensor:
        """The chunk's next standard normal noise, float32 on the CPU."""


class SeededNoise:
    """Noise of chunk c comes from a CPU generator seeded by (seed, c) alone: not from device, timing or dropped frames."""

    def __init__(self) -> None:
        self._generator = torch.Generator("cpu")

    def begin(self, chunk: int, seed: int) -> None:
        """Start the draws of chunk `chunk` (0, 1, ...) of seed `seed` (0 .. 2**63 - 1)."""
        state = np.random.SeedSequence((seed, chunk)).generate_state(1, np.uint64)[0]
        self._generator.manual_seed(int(state >> np.uint64(1)))

    def draw(self, shape: Sequence[int]) -> Tensor:
        """The chunk's next noise."""
        return torch.randn(tuple(shape), generator=self._generator)


class MotionController:
    """Lowers the noise scale when the picture moves, so that motion survives (StreamDiffusionV2's noise controller).

    d = largest RMS difference between neighbouring frames of the chunk (the frame before it included) / 0.2, in 0..1;
    scale = 0.9 * (chosen - 0.1 * d) + 0.1 * previous scale.
    """

    def __init__(self) -> None:
        self._last_frame: Tensor | None = None
        self._scale: float | None = None

    def reset_(self) -> None:
        """Forget the previous frame and scale."""
        self._last_frame = None
        self._scale = None

    @property
    def fresh(self) -> bool:
        """No chunk has been seen yet."""
        return self._last_frame is None

    def update(self, pixels_1CTHW: Tensor, chosen: float, enabled: bool) -> float:
        """Noise scale of the chunk with these pixels in [-1, 1]. A stream's first chunk takes the chosen scale as it is."""
        frames = pixels_1CTHW[0].transpose(0, 1).float()
        if self.fresh or not enabled:
            self._scale = chosen
        else:
            assert self._last_frame is not None
            assert self._scale is not None
            previous = torch.cat((self._last_frame, frames[:-1]))
            rms = (frames - previous).square().mean(dim=(1, 2, 3)).sqrt().max().item()
            motion = min(max(rms / MOTION_FULL, 0.0), 1.0)
            self._scale = 0.9 * (chosen - 0.1 * motion) + 0.1 * self._scale
        self._last_frame = frames[-1:].clone()
        return self._scale
