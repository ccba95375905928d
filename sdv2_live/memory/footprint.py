"""Memory of a model's parts at some size and schedule, from runs on the meta device: exact in shapes, and without memory.

Legend: all figures are bytes. A stage's peak is its need while it runs, beyond weights and everything that is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from sdv2_live.config.profiles import TINY
from sdv2_live.config.stream_spec import spec_of
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import ChunkPlan, Schedule, StreamSpec, frames_of
from sdv2_live.memory.live_bytes import FusedAttention, peak_of, seen_of
from sdv2_live.model.checkpoints.assign import on_meta
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.layers import CrossKV
from sdv2_live.model.profiles import Profile
from sdv2_live.model.sizes import DitConfig
from sdv2_live.model.vae_choice import make_vae

CHUNKS = 3  # the first one is larger, the second allocates what the first did not use, the third changes nothing any more
LAYERS = 2  # of the DiT that is run: activations of one layer are gone before those of the next but one
WORKSPACE = 32 << 20  # of cuBLAS for one stream, as PyTorch sets it on Hopper; a quarter of it on other GPUs
META = torch.device("meta")


@dataclass(frozen=True, slots=True)
class FixedNeed:
    """Memory of a DiT that is the same at any size.

    Attributes:
        weights: all weights.
        linear: of these, the ones that fp8 makes smaller.
        cross: keys and values of a prompt.
        prompt: the peak of computing them.
    """

    weights: int = 0
    linear: int = 0
    cross: int = 0
    prompt: int = 0


@dataclass(frozen=True, slots=True)
class VaeNeed:
    """Memory of an autoencoder.

    Attributes:
        weights: all weights.
        memory: the state of a stream.
        encode: peak of encoding a chunk.
        decode: peak of decoding a chunk.
        steady: the most that tensors of both directions take past the first chunks.
    """

    weights: int = 0
    memory: int = 0
    encode: int = 0
    decode: int = 0
    steady: int = 0


def fixed_need(profile: Profile, dtype: torch.dtype) -> FixedNeed:
    """The causal DiT, and a prompt's keys and values."""
    few, layers = range(1, LAYERS + 2), profile.dit.layers
    some = [_fixed_need(replace(profile.dit, layers=count), dtype) for count in few]
    if layers in few:
        return some[layers - 1]
    # From LAYERS on each layer takes as much as the one before it.
    a, b = ((each.weights, each.linear, each.cross, each.prompt) for each in some[-2:])
    return FixedNeed(*(one + (layers - LAYERS) * (more - one) for one, more in zip(a, b, strict=True)))


@lru_cache(maxsize=64)
def _fixed_need(config: DitConfig, dtype: torch.dtype) -> FixedNeed:
    with FusedAttention(), torch.inference_mode():
        dit = on_meta(lambda: CausalDiT(config)).to(dtype)
        prompt, cross = peak_of(lambda: _condition(dit), dit.parameters())
        return FixedNeed(_bytes(dit), sum(map(_bytes, block_linears(dit))), cross, prompt)


def cache_bytes(profile: Profile, dtype: torch.dtype, spec: StreamSpec) -> int:
    """Keys, values and sink means of all layers, slots and levels; stream_batch has one cache more, for its first chunk."""
    levels = 1 if spec.schedule is Schedule.SEQUENTIAL else 1 + spec.levels
    return profile.dit.layers * levels * _layer_cache_bytes(replace(profile.dit, layers=1), dtype, spec)


@lru_cache(maxsize=256)
def _layer_cache_bytes(config: DitConfig, dtype: torch.dtype, spec: StreamSpec) -> int:
    return _size(on_meta(lambda: CausalDiT(config)).to(dtype).new_cache(spec.cache, spec.latent_hw))


def denoise_peak(profile: Profile, dtype: torch.dtype, spec: StreamSpec, steps: tuple[int, ...]) -> int:
    """The most that a chunk's denoising needs beyond the cache, whose length makes no difference but with relative positions."""
    return _denoising(profile, dtype, spec, steps)[0]


def denoise_kept(profile: Profile, dtype: torch.dtype, spec: StreamSpec, steps: tuple[int, ...]) -> int:
    """The most that was alive while a steady chunk's denoising was captured: what its CUDA graphs keep."""
    return _denoising(profile, dtype, spec, steps)[1]


def _denoising(profile: Profile, dtype: torch.dtype, spec: StreamSpec, steps: tuple[int, ...]) -> tuple[int, int]:
    frames, sinks = spec.block + (spec.recompute or spec.block), 0 if spec.clean_past else 1
    least = CacheSpec(max(frames, 3), sinks, spec.cache.adapt_sink_threshold)
    few = replace(spec, cache=spec.cache if spec.positions == "relative" else least)
    return _denoise(
        replace(profile.dit, layers=LAYERS), dtype, few, steps if few.schedule is Schedule.STREAM_BATCH else steps[:2]
    )


@lru_cache(maxsize=256)
def _denoise(config: DitConfig, dtype: torch.dtype, spec: StreamSpec, steps: tuple[int, ...]) -> tuple[int, int]:
    """The highest peak of the first chunks, and the tensors of the last of them, a steady one, at their most."""
    with FusedAttention(), torch.inference_mode():
        dit = on_meta(lambda: CausalDiT(config)).to(dtype)
        engine = Engine(dit, _NoVae())
        state, cross = engine.new_state(spec), _condition(dit)
        there = [*dit.parameters(), *dit.buffers(), *_tensors(state), *_tensors(cross)]
        if state.anchor is not None:
            state.anchor.latent = torch.zeros(1, 1, config.channels, *spec.latent_hw, device=META)
        peak = tensors = 0
        for chunk in range(CHUNKS):
            latent = torch.zeros(1, spec.latents(first=chunk == 0), config.channels, *spec.latent_hw, device=META)
            plan = ChunkPlan(0.7, steps)
            seen, _ = seen_of(partial(engine.denoise, latent, cross, plan, 0, state), there)
            peak, tensors = max(peak, seen.peak), seen.tensors
        return peak, tensors


def vae_need(profile: Profile, kind: str, dtype: torch.dtype, size: tuple[int, int]) -> VaeNeed:
    """An autoencoder that streams pictures of `size` (height, width)."""
    return _vae_need(replace(profile, name="any", dit=TINY.dit), kind, dtype, size)  # the same beside every DiT


@lru_cache(maxsize=256)
def _vae_need(profile: Profile, kind: str, dtype: torch.dtype, size: tuple[int, int]) -> VaeNeed:
    with FusedAttention(), torch.inference_mode():
        vae = on_meta(lambda: make_vae(profile, kind)).to(META, dtype)
        weights = [*vae.parameters(), *vae.buffers()]
        memory: Any = vae.new_memory()
        peaks, steady = {"encode": 0, "decode": 0}, {"encode": 0, "decode": 0}
        spec = spec_of(profile.stream, size, CacheSpec(64, 0))
        for chunk in range(CHUNKS):
            pixels = torch.zeros(1, 3, spec.frames_needed(first=chunk == 0), *size, device=META)
            latent = torch.zeros(1, spec.latents(first=chunk == 0), 16, *spec.latent_hw, device=META)
            runs = {
                "encode": lambda x=pixels: vae.encode(x.to(dtype), memory).float(),
                "decode": lambda x=latent: vae.decode(x.to(dtype), memory).clamp(-1, 1),
            }
            for name, run in runs.items():
                before = _size(memory)
                seen, _ = seen_of(run, [*weights, *_tensors(memory)])
                kept = _size(memory) - before  # is counted as memory
                peaks[name], steady[name] = max(peaks[name], seen.peak - kept), seen.tensors - kept
        kept = _size(memory)
        if spec.recompute is not None:  # the last pictures, and an encoder for the oldest of them
            alone: Any = vae.new_memory()
            vae.encode(torch.zeros(1, 3, 1, *size, dtype=dtype, device=META), alone)
            kept += _size(alone) + frames_of(spec.recompute, first=True) * 3 * math.prod(size) * dtype.itemsize
        return VaeNeed(_bytes(vae), kept, peaks["encode"], peaks["decode"], sum(steady.values()))


def block_linears(dit: CausalDiT) -> list[nn.Linear]:
    """The matrices of the transformer blocks: nearly all of its weights and its time."""
    return [module for module in dit.blocks.modules() if isinstance(module, nn.Linear)]


def _condition(dit: CausalDiT) -> CrossKV:
    return dit.condition(torch.zeros(1, 512, dit.config.text_dim, device=META))


class _NoVae:
    """In place of an autoencoder where none is run."""

    def new_memory(self) -> None:
        return None

    def push(self, pixels_NCTHW: Tensor, memory: Any) -> None:
        raise NotImplementedError

    def encode(self, pixels_NCTHW: Tensor, memory: Any, *, normalize: bool = False) -> Tensor:
        raise NotImplementedError

    def decode(self, latent_NFCHW: Tensor, memory: Any) -> Tensor:
        raise NotImplementedError


def _bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))


def _size(holder: Any) -> int:
    return sum(tensor.nbytes for tensor in _tensors(holder))


def _tensors(holder: Any) -> list[Tensor]:
    """Every tensor that an object holds, in its attributes, lists and dicts, at any depth."""
    if isinstance(holder, Tensor):
        return [holder]
    if isinstance(holder, dict):
        return [tensor for value in holder.values() for tensor in _tensors(value)]
    if isinstance(holder, list | tuple):
        return [tensor for value in holder for tensor in _tensors(value)]
    names = getattr(holder, "__dict__", None) or {name: 0 for name in getattr(holder, "__slots__", ())}
    if isinstance(holder, type) or not type(holder).__module__.startswith("sdv2_live"):
        return []
    return [tensor for name in names for tensor in _tensors(getattr(holder, name))]
