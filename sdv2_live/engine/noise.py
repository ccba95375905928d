"""The noise of a stream: its source and its amount."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from sdv2_live.engine.transfer import Fetched

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
        self._seen: Tensor | None = None  # the pixels that `look` measured and `update` has not taken in
        self._rms: Fetched | None = None  # of them; None for a stream's first chunk

    def reset_(self) -> None:
        """Forget the previous frame and scale."""
        self._last_frame = self._scale = self._seen = self._rms = None

    @property
    def fresh(self) -> bool:
        """True until the first chunk has been taken in."""
        return self._scale is None

    def look(self, pixels_1CTHW: Tensor) -> None:
        """Launch the measurement of a chunk that `update` will take in; `update` then waits for nothing launched after this."""
        frames = pixels_1CTHW[0].transpose(0, 1).float()
        self._rms = None
        if self._last_frame is not None:
            previous = torch.cat((self._last_frame, frames[:-1]))
            self._rms = Fetched((frames - previous).square().mean(dim=(1, 2, 3)).sqrt().max())
        self._last_frame = frames[-1:].clone()
        self._seen = pixels_1CTHW

    def update(self, pixels_1CTHW: Tensor, chosen: float, enabled: bool) -> float:
        """Noise scale of the chunk with these pixels in [-1, 1]. A stream's first chunk takes the chosen scale unchanged."""
        if self._seen is not pixels_1CTHW:
            self.look(pixels_1CTHW)
        rms, self._seen, self._rms = self._rms, None, None
        if self._scale is None or rms is None or not enabled:
            self._scale = chosen
        else:
            motion = min(max(rms.read() / MOTION_FULL, 0.0), 1.0)
            self._scale = 0.9 * (chosen - 0.1 * motion) + 0.1 * self._scale
        return self._scale
