"""The calls of one chunk as functions of device memory alone, so that a CUDA graph can hold them whole.

What changes from chunk to chunk comes in tensors. `numbers` (n, 6), float64, has a row for each call: its timestep; its
sigma; the shares of noise and of the clean latent in what it denoises; the temporal position of its (first) latent frame; the
weight of the past in its self-attention, which is read where `weighed` says that it is not 1.
Legend: n calls or steps, F latent frames, h, w: height and width of a latent.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.kv_cache import CachePlan, KVCache
from sdv2_live.model.dit.layers import PATCH, CrossKV
from sdv2_live.model.dit.rope import RopeTable


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls that a chunk makes, in order. Chunks with equal ones do the same on the device.

    Attributes:
        refill: over the latents of a context; only their keys and values matter, which fill an empty cache.
        steps: the denoising steps. Each rewrites the slots of the one before, so that the last one's keys and values stay.
        last: the context pass, a call with the clean latents, of which only the keys and values matter; None: there is none.
        weighed: the past has another weight than 1 in the steps.
    """

    refill: tuple[CachePlan, ...]
    steps: tuple[CachePlan, ...]
    last: CachePlan | None = None
    weighed: bool = False


def sequential(
    dit: CausalDiT,
    rope: RopeTable,
    cache: KVCache,
    calls: Calls,
    cross: CrossKV,
    latent_1FCHW: Tensor,
    noise_n1FCHW: Tensor,
    numbers: Tensor,
    context_1FCHW: Tensor | None = None,
) -> Tensor:
    """Clean latents (1, F, 16, h, w): all calls in turn. context_1FCHW: latents that refill the cache first."""
    timestep, sigma, noise_share, clean_share, start, memory = numbers.unbind(1)
    times, grid, done = dit.times(timestep[:, None]), _grid(latent_1FCHW), len(calls.refill)
    if context_1FCHW is not None:
        parts = context_1FCHW.split([plan.frames for plan in calls.refill], dim=1)
        for i, (part, plan) in enumerate(zip(parts, calls.refill, strict=True)):
            rotations = _rotations(rope, cache, start[i : i + 1], plan.frames, grid)
            dit.remember(part, times.of(i, plan.frames), dit.call(rotations, cache, plan, cross))
    x, frames = latent_1FCHW, latent_1FCHW.shape[1]
    rotations = _rotations(rope, cache, start[done : done + 1], frames, grid)
    for i, plan in enumerate(calls.steps, done):
        x = noised(x, noise_n1FCHW[i - done], clean_share[i], noise_share[i])
        flow = dit.flow(x, times.of(i, frames), dit.call(rotations, cache, plan, cross, memory[i] if calls.weighed else None))
        x = clean(x, flow, sigma[i])
    if calls.last is not None:
        dit.remember(x, times.of(len(numbers) - 1, frames), dit.call(rotations, cache, calls.last, cross))
    return x


def stream_batch(
    dit: CausalDiT,
    rope: RopeTable,
    cache: KVCache,
    plan: CachePlan,
    weighed: bool,
    latents_n1CHW: Tensor,
    cross: CrossKV,
    latent_11CHW: Tensor,
    noise_n11CHW: Tensor,
    numbers: Tensor,
) -> Tensor:
    """Every level one step on: a new latent enters at level 0, the last level's is finished and returned, (1, 1, 16, h, w).

    latents_n1CHW: those in flight, of which level i takes step i; written in place.
    """
    timestep, sigma, noise_share, clean_share, start, memory = (column.view(-1, 1, 1, 1, 1) for column in numbers.unbind(1))
    noise = noise_n11CHW[:, 0]
    latents_n1CHW[0] = noised(latent_11CHW[0], noise[0], clean_share[0, 0], noise_share[0, 0])
    rotations = rope.rotations(start.flatten().long(), 1, *_grid(latent_11CHW))
    weight = memory.flatten()[0] if weighed else None
    flow = dit.flow(latents_n1CHW, dit.times(timestep.view(-1, 1)), dit.call(rotations, cache, plan, cross, weight))
    x0 = clean(latents_n1CHW, flow, sigma)
    latents_n1CHW[1:] = noised(x0[:-1], noise[1:], clean_share[1:], noise_share[1:])
    return x0[-1:]


def recache(
    dit: CausalDiT,
    rope: RopeTable,
    cache: KVCache,
    plan: CachePlan,
    cross: CrossKV,
    latents_1FCHW: Tensor,
    numbers: Tensor,
) -> None:
    """Write the keys and values of clean latents anew, in one call in which each sees all that is cached.

    numbers: a row a latent. Their positions need not follow one another.
    """
    timestep, start, grid, frames = numbers[:1, 0], numbers[:, 4].long(), _grid(latents_1FCHW), latents_1FCHW.shape[1]
    rotations = rope.timeless(frames, *grid) if cache.by_place else rope.rotations(start, 1, *grid).flatten(0, 1)[None]
    dit.remember(latents_1FCHW, dit.times(timestep[:, None]).of(0, frames), dit.call(rotations, cache, plan, cross))


def noised(x: Tensor, noise: Tensor, clean_share: Tensor, noise_share: Tensor) -> Tensor:
    """clean_share * x + noise_share * noise, in the type of `x`; the shares are broadcast."""
    return clean_share.type_as(x) * x + noise_share.type_as(x) * noise


def clean(noisy: Tensor, flow: Tensor, sigma: Tensor) -> Tensor:
    """x0 = noisy - sigma * flow, computed in float64, in the type of `noisy`; sigma is broadcast."""
    return (noisy.double() - sigma * flow.double()).type_as(noisy)


def _rotations(rope: RopeTable, cache: KVCache, start: Tensor, frames: int, grid: tuple[int, int]) -> Tensor:
    """Rotations of a call at a temporal position (1,); with relative positions the cache adds those of time."""
    return rope.timeless(frames, *grid) if cache.by_place else rope.rotations(start.long(), frames, *grid)


def _grid(latent: Tensor) -> tuple[int, int]:
    """Rows and columns of a latent frame's tokens."""
    return latent.shape[-2] // PATCH, latent.shape[-1] // PATCH
