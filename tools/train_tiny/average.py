"""The running average of a model's weights: what a training run keeps and ships."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


class Average(Generic[M]):
    """Exponential moving average. `model` holds it; its horizon grows with the steps made, up to `decay`."""

    def __init__(self, source: M, decay: float) -> None:
        self.model: M = copy.deepcopy(source).requires_grad_(False)
        self._source, self._decay, self._steps = source, decay, 0

    @torch.no_grad()
    def update(self) -> None:
        """Take the source's weights in, once a training step."""
        self._steps += 1
        share = 1 - min(self._decay, 1 - 10 / (self._steps + 10))
        for mine, new in zip(self.model.parameters(), self._source.parameters(), strict=True):
            mine.lerp_(new, share)
