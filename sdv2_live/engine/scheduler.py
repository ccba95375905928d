"""Flow matching with a shifted noise schedule: the meaning of a timestep, and the numbers of the denoising steps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from sdv2_live.engine.spec import SHIFT

TRAIN_STEPS = 1000


class FlowSchedule:
    """sigma(t) of the training grid: base b = linspace(1, 0, 1001)[:-1], sigma = shift*b / (1 + (shift-1)*b), t = 1000*sigma."""

    def __init__(self, shift: float = SHIFT, train_steps: int = TRAIN_STEPS) -> None:
        base = torch.linspace(1.0, 0.0, train_steps + 1)[:-1]
        self.sigmas = shift * base / (1 + (shift - 1) * base)
        self.timesteps = self.sigmas * train_steps

    def sigma(self, timestep: float) -> float:
        """Noise share in 0..1 of the grid timestep nearest to a timestep in 0..1000. Host only, no device access."""
        return float(self.sigmas[(self.timesteps - timestep).abs().argmin()])

    def warped(self, steps: Sequence[int]) -> tuple[float, ...]:
        """Timesteps of nominal steps in 0..1000: step k is entry 1000 - k of the grid, with a 0 after its end. Never rounded."""
        grid = [*self.timesteps.tolist(), 0.0]
        return tuple(grid[len(grid) - 1 - step] for step in steps)

    def numbers(self, noise_scale: float, timesteps: Sequence[float], starts: Sequence[int]) -> Tensor:
        """The host's input for `steps`: one row a step. The first mixes noise into the input, later ones into clean x."""
        sigmas = [self.sigma(timestep) for timestep in timesteps]
        shares = [noise_scale, *sigmas[1:]]
        rows = [
            (timestep, sigma, share, 1 - share, start)
            for timestep, sigma, share, start in zip(timesteps, sigmas, shares, starts, strict=True)
        ]
        return torch.tensor(rows, dtype=torch.float64)


@cache
def schedule_of(shift: float) -> FlowSchedule:
    """The schedule of a shift, made once."""
    return FlowSchedule(shift)
