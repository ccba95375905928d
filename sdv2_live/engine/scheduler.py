"""Flow matching with a shifted noise schedule: what a timestep means, how to add noise, how to read the clean latent."""

from __future__ import annotations

import torch
from torch import Tensor

SHIFT = 8.0
TRAIN_STEPS = 1000


class FlowSchedule:
    """sigma(t) of the training grid: base b = linspace(1, 0, 1001)[:-1], sigma = shift*b / (1 + (shift-1)*b), t = 1000*sigma."""

    def __init__(self, shift: float = SHIFT, train_steps: int = TRAIN_STEPS) -> None:
        base = torch.linspace(1.0, 0.0, train_steps + 1)[:-1]
        self.sigmas = shift * base / (1 + (shift - 1) * base)
        self.timesteps = self.sigmas * train_steps

    def sigma(self, timestep: float) -> float:
        """Noise share in 0..1 at a timestep in 0..1000: that of the nearest grid timestep. Host only, no device access."""
        return float(self.sigmas[(self.timesteps - timestep).abs().argmin()])

    def add_noise(self, clean: Tensor, noise: Tensor, timestep: float) -> Tensor:
        """(1 - sigma) * clean + sigma * noise."""
        sigma = self.sigma(timestep)
        return (1 - sigma) * clean + sigma * noise

    def clean(self, noisy: Tensor, flow: Tensor, timestep: float) -> Tensor:
        """x0 = x - sigma * flow, in float64, returned in the dtype of `noisy`."""
        return (noisy.double() - self.sigma(timestep) * flow.double()).type_as(noisy)
