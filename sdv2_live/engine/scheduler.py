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
        self.shift = shift
        base = torch.linspace(1.0, 0.0, train_steps + 1)[:-1]
        self.sigmas = shift * base / (1 + (shift - 1) * base)
        self.timesteps = self.sigmas * train_steps

    def sigma(self, timestep: float) -> float:
        """Noise share in 0..1 of the grid timestep nearest to a timestep in 0..1000. Host only, no device access."""
        return float(self.sigmas[(self.timesteps - timestep).abs().argmin()])

    def warped(self, step: float) -> float:
        """The timestep of a nominal step in 0..1000, which is entry 1000 - step of the grid. Never rounded."""
        share = step / TRAIN_STEPS
        return TRAIN_STEPS * self.shift * share / (1 + (self.shift - 1) * share)

    def nominal(self, timestep: float) -> float:
        """The nominal step of a timestep: `warped` backwards."""
        sigma = timestep / TRAIN_STEPS
        return TRAIN_STEPS * sigma / (self.shift - (self.shift - 1) * sigma)

    def numbers(self, noise_scale: float, timesteps: Sequence[float], starts: Sequence[int], memory: float = 1.0) -> Tensor:
        """The host's rows for `steps`, one a step. The first mixes noise into the input, later ones into clean x."""
        sigmas = [self.sigma(timestep) for timestep in timesteps]
        shares = [noise_scale, *sigmas[1:]][: len(sigmas)]
        rows = [
            (timestep, sigma, share, 1 - share, start, memory)
            for timestep, sigma, share, start in zip(timesteps, sigmas, shares, starts, strict=True)
        ]
        return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), 6)


def as_they_are(timestep: float, starts: Sequence[int]) -> Tensor:
    """The host's rows for calls with latents as they are, which leave only their keys and values."""
    return torch.tensor([(timestep, 0.0, 0.0, 1.0, start, 1.0) for start in starts], dtype=torch.float64).reshape(len(starts), 6)


@cache
def schedule_of(shift: float) -> FlowSchedule:
    """The schedule of a shift, made once."""
    return FlowSchedule(shift)
