"""The denoising steps of one chunk as functions of device memory alone, so that a CUDA graph can hold them whole.

What changes from chunk to chunk comes in tensors. `numbers` (n, 5), float64, has a row for each step: its timestep; its
sigma; the shares of noise and of the clean latent in what it denoises; the temporal position of its (first) latent frame.
Legend: n steps, F latent frames, h, w: height and width of a latent.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.kv_cache import CachePlan, KVCache
from sdv2_live.model.dit.layers import PATCH, CrossKV
from sdv2_live.model.dit.rope import RopeTable


def sequential(
    dit: CausalDiT,
    rope: RopeTable,
    cache: KVCache,
    plans: Sequence[CachePlan],
    cross: CrossKV,
    latent_1FCHW: Tensor,
    noise_n1FCHW: Tensor,
    numbers: Tensor,
) -> Tensor:
    """Clean latents (1, F, 16, h, w): all steps in turn; each rewrites the same cache slots, so the least noisy stays."""
    timestep, sigma, noise_share, clean_share, start = numbers.unbind(1)
    times = dit.times(timestep[:, None])
    rotations = rope.rotations(start[:1].long(), latent_1FCHW.shape[1], *_grid(latent_1FCHW))
    x = latent_1FCHW
    for i, plan in enumerate(plans):
        x = noised(x, noise_n1FCHW[i], clean_share[i], noise_share[i])
        flow = dit.flow(x, times.of(i, x.shape[1]), dit.call(rotations, cache, plan, cross))
        x = clean(x, flow, sigma[i])
    return x


def stream_batch(
    dit: CausalDiT,
    rope: RopeTable,
    cache: KVCache,
    plan: CachePlan,
    latents_n1CHW: Tensor,
    cross: CrossKV,
    latent_11CHW: Tensor,
    noise_n11CHW: Tensor,
    numbers: Tensor,
) -> Tensor:
    """Every level one step on: a new latent enters at level 0, the last level's is finished and returned, (1, 1, 16, h, w).

    latents_n1CHW: those in flight, of which level i takes step i; written in place.
    """
    timestep, sigma, noise_share, clean_share, start = (column.view(-1, 1, 1, 1, 1) for column in numbers.unbind(1))
    noise = noise_n11CHW[:, 0]
    latents_n1CHW[0] = noised(latent_11CHW[0], noise[0], clean_share[0, 0], noise_share[0, 0])
    rotations = rope.rotations(start.flatten().long(), 1, *_grid(latent_11CHW))
    flow = dit.flow(latents_n1CHW, dit.times(timestep.view(-1, 1)), dit.call(rotations, cache, plan, cross))
    x0 = clean(latents_n1CHW, flow, sigma)
    latents_n1CHW[1:] = noised(x0[:-1], noise[1:], clean_share[1:], noise_share[1:])
    return x0[-1:]


def noised(x: Tensor, noise: Tensor, clean_share: Tensor, noise_share: Tensor) -> Tensor:
    """clean_share * x + noise_share * noise, in the type of `x`; the shares are broadcast."""
    return clean_share.type_as(x) * x + noise_share.type_as(x) * noise


def clean(noisy: Tensor, flow: Tensor, sigma: Tensor) -> Tensor:
    """x0 = noisy - sigma * flow, computed in float64, in the type of `noisy`; sigma is broadcast."""
    return (noisy.double() - sigma * flow.double()).type_as(noisy)


def _grid(latent: Tensor) -> tuple[int, int]:
    """Rows and columns of a latent frame's tokens."""
    return latent.shape[-2] // PATCH, latent.shape[-1] // PATCH
