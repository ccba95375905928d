"""The crossfade from the input to the painting, of pixels that are finished: it costs no painting to move at every frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sdv2_live.control.modulation import with_swing
from sdv2_live.engine.transfer import upload


def mixed(seen: Tensor, painted: Tensor, mix: float, swing: Sequence[float]) -> Tensor:
    """The input's pixels (1, 3, T, H, W) crossfaded to the painted ones: by `mix`, and by what moves it at each frame."""
    if not swing:
        return torch.lerp(seen.type_as(painted), painted, mix) if mix < 1 else painted
    shares = with_swing(mix, swing)
    weight = upload(torch.tensor(shares, dtype=painted.dtype), painted.device).view(1, 1, -1, 1, 1)
    return torch.lerp(seen.type_as(painted), painted, weight) if min(shares) < 1 else painted
