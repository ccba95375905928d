"""The weight of the past in self-attention: keys of earlier calls may count less than a stream's first latent and the call's own.

A weight m in (0, 1) adds log(m) to the scaled scores of the past: the slots that are neither the first in place nor of the call.
PyTorch's attention takes that as a bias, which defines it, and which a CPU computes. The fast kernels of a GPU take no bias;
so there two attentions are merged by the logarithms of their sums of exponentials: over all keys, which counts m times, and over
those that keep their weight, which counts 1 - m times more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from sdv2_live.model.dit.layers import Call


def attend_cache(q_BSHd: Tensor, layer: int, call: Call, levels: slice, filled: int) -> Tensor:
    """Attention of some levels' queries to the filled slots of their cache, (B, S, H, d).

    Args:
        q_BSHd: queries of these levels, rotated.
        layer: index of the layer.
        call: the call, whose keys and values the cache holds already.
        levels: of the cache.
        filled: slots that each of them has filled.
    """
    cache, frames, memory = call.cache, call.plan.frames, call.memory
    k, v = cache.filled_keys_values(layer, levels, filled)
    if memory is None or filled <= frames:  # all that is there is the call's own
        return call.attend(q_BSHd, k, v)
    kept = cache.kept(layer, levels, frames)
    if call.attend.normalised is None:
        return call.attend(q_BSHd, k, v, past_bias(kept, filled, memory, k).type_as(q_BSHd))
    twice = kept[:, :1] == kept[:, 1:2] if cache.spec.adaptive else None
    whole, part = call.attend.normalised(q_BSHd, k, v), call.attend.normalised(q_BSHd, *cache.keys_values(layer, levels, kept))
    return merged(*whole, *part, memory, twice)


def past_bias(kept_BK: Tensor, filled: int, memory: Tensor, k_BNHd: Tensor) -> Tensor:
    """The bias (B, 1, 1, N), float32: log(memory) for the tokens of slots that are not kept, 0 for the others."""
    slots = torch.arange(filled, device=kept_BK.device)
    past = (slots[None, :, None] != kept_BK[:, None]).all(-1)
    bias = torch.where(past, memory.log(), torch.zeros_like(memory)).float()
    return bias.repeat_interleave(k_BNHd.shape[1] // filled, dim=1)[:, None, None]


def merged(
    whole_BSHd: Tensor,
    whole_lse_BHS: Tensor,
    part_BSHd: Tensor,
    part_lse_BHS: Tensor,
    memory: Tensor,
    twice_B1: Tensor | None = None,
) -> Tensor:
    """Attention to all keys and to a part of them as one, in which keys outside that part count `memory` times.

    Args:
        whole_BSHd: attention to all keys.
        whole_lse_BHS: logarithm of the sum of its exponentials.
        part_BSHd: attention to the keys that keep their weight.
        part_lse_BHS: logarithm of the sum of its exponentials.
        memory: the weight of the others, one number in (0, 1].
        twice_B1: levels that have each key of the part in it twice.
    """
    if twice_B1 is not None:
        part_lse_BHS = part_lse_BHS - math.log(2) * twice_B1[..., None]
    more = (1 - memory).float() * (part_lse_BHS - whole_lse_BHS).float().exp()
    share_BHS = more / (memory.float() + more)
    return torch.lerp(whole_BSHd, part_BSHd, share_BHS.transpose(1, 2)[..., None].type_as(whole_BSHd))
