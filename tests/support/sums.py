"""Attention that tells the sums of its exponentials, as the fast kernels do."""

from __future__ import annotations

from torch import Tensor


def normalised(q_BSHd: Tensor, k_BNHd: Tensor, v_BNHd: Tensor) -> tuple[Tensor, Tensor]:
    """As `Attend.normalised`."""
    q, k, v = (x.transpose(1, 2) for x in (q_BSHd, k_BNHd, v_BNHd))
    scores = q.float() @ k.float().transpose(-1, -2) * q.shape[-1] ** -0.5
    return (scores.softmax(-1) @ v.float()).type_as(q).transpose(1, 2), scores.logsumexp(-1)
