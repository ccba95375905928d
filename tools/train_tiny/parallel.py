"""The DiT on a whole clip at once, differentiable: each call attends to what the rolling cache would hold.

The sequence lists every latent frame twice: first as the last denoising step sees it (its keys and values are what stays in
the cache), then as the first step sees it. Legend: B clips, F latent frames, G = 2F groups, L tokens of a group, D width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sdv2_live.model.cache import CacheSpec
from sdv2_live.model.dit import EPS, PATCH, TEXT_TOKENS, Attention, CausalDiT, layer_norm, modulate, timestep_features
from sdv2_live.model.rope import RopeTable


@dataclass(frozen=True, slots=True)
class Context:
    """Prompts of a batch: rows (B, N, text_dim), the last a zero row that stands for all the rows up to 512.

    bias: (B, 1, 1, N), added to the attention scores: log of how many rows a row stands for; -inf for padding.
    """

    rows: Tensor
    bias: Tensor


def context(prompts: Sequence[Tensor], device: torch.device) -> Context:
    """Pad prompt embeddings (n, text_dim) to one length. Equal to attending to all 512 rows, at a fraction of the work."""
    longest = max(len(rows) for rows in prompts)
    rows = torch.zeros(len(prompts), longest + 1, prompts[0].shape[1])
    bias = torch.full((len(prompts), 1, 1, longest + 1), -math.inf)
    for i, prompt in enumerate(prompts):
        rows[i, : len(prompt)] = prompt
        bias[i, ..., : len(prompt)] = 0
        if len(prompt) < TEXT_TOKENS:
            bias[i, ..., -1] = math.log(TEXT_TOKENS - len(prompt))
    return Context(rows.to(device), bias.to(device))


def cache_calls(frames: int, spec: CacheSpec, own_level: bool = False) -> list[tuple[list[int], list[int]]]:
    """For every call the groups it brings and the groups it attends to: frames in order, the first call bringing two.

    own_level: the first step remembers earlier frames as the first step saw them (the schedule `stream_batch`).
    """
    calls = []
    ring = spec.kv_frames - spec.sink_frames
    for call in ([0, 1], *([f] for f in range(2, frames))):
        newest = call[-1]
        held = sorted({*range(min(spec.sink_frames, newest)), *range(max(0, newest - ring + 1), newest)} - set(call))
        calls.append((call, [*held, *call]))
        first = [frames + g for g in call]
        calls.append((first, [*(frames + g if own_level else g for g in held), *first]))
    return calls


def flow(
    dit: CausalDiT,
    rope: RopeTable,
    x_BGCHW: Tensor,
    t_BG: Tensor,
    positions_BG: Tensor,
    calls: Sequence[tuple[list[int], list[int]]],
    contexts: Sequence[tuple[Context, list[int]]],
) -> Tensor:
    """Flow (B, G, 16, h, w) of all groups. contexts: each prompt batch with the groups that it conditions."""
    rows, columns = x_BGCHW.shape[3] // PATCH, x_BGCHW.shape[4] // PATCH
    tokens = rows * columns
    time = rope.time[positions_BG][:, :, None].expand(-1, -1, tokens, -1)
    space = rope._grid(rows, columns).expand(*positions_BG.shape, -1, -1)
    turns = torch.view_as_real(torch.cat((time, space), -1).flatten(1, 2).unsqueeze(2)).unbind(-1)
    e = dit.time_embedding(timestep_features(t_BG, dit.config.freq_dim).float())
    e6 = dit.time_projection(e).unflatten(-1, (6, -1))
    text = [(dit.text_embedding(prompts.rows), prompts.bias, groups) for prompts, groups in contexts]
    x = dit._patchify(x_BGCHW)
    dtype = x.dtype  # bfloat16 under autocast
    for block in dit.blocks:
        shift0, scale0, gate0, shift1, scale1, gate1 = (block.modulation + e6).unsqueeze(-2).unbind(2)
        attended = _self(block.self_attn, norm_modulate(x, shift0, scale0, dtype), turns, calls)
        x = gated_add(x, attended, gate0)
        x = x + _cross(block.cross_attn, block.norm3(x), text)
        x = gated_add(x, block.ffn(norm_modulate(x, shift1, scale1, dtype)), gate1)
    return dit._unpatchify(dit.head(x, e), rows, columns).float()


def fuse() -> None:
    """Compile the pointwise parts: a fifth less time on a CPU, more on a GPU. Needs a C++ compiler."""
    for function in (norm_modulate, gated_add, norm_heads, norm_rotate):
        globals()[function.__name__] = torch.compile(function, dynamic=True)


def norm_modulate(x: Tensor, shift: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """Layer norm, then x * (1 + scale) + shift, in the dtype of the linear that follows."""
    return modulate(layer_norm(x.float()), shift, scale).to(dtype)


def gated_add(x: Tensor, branch: Tensor, gate: Tensor) -> Tensor:
    """The residual stream stays float32."""
    return x.float() + branch.float() * gate.float()


def norm_heads(x_BSD: Tensor, weight_D: Tensor, heads: int, dtype: torch.dtype) -> Tensor:
    """RMS norm over the full width, split in heads."""
    x = x_BSD.float()
    x = x * (x.square().mean(-1, keepdim=True) + EPS).rsqrt() * weight_D
    return x.unflatten(-1, (heads, -1)).to(dtype)


def norm_rotate(x_BSD: Tensor, weight_D: Tensor, heads: int, dtype: torch.dtype, cosine: Tensor, sine: Tensor) -> Tensor:
    """RMS norm over the full width, split in heads, rotated in adjacent pairs."""
    x = x_BSD.float()
    x = x * (x.square().mean(-1, keepdim=True) + EPS).rsqrt() * weight_D
    a, b = x.unflatten(-1, (heads, -1, 2)).unbind(-1)
    return torch.stack((a * cosine - b * sine, a * sine + b * cosine), -1).flatten(-2).to(dtype)


def _attend(q_BSHd: Tensor, k_BNHd: Tensor, v_BNHd: Tensor, bias: Tensor | None = None) -> Tensor:
    """Plain attention, (B, S, D): on a CPU its backward pass is several times faster than the fused one's."""
    dtype = v_BNHd.dtype
    q, k, v = (x.to(dtype).transpose(1, 2) for x in (q_BSHd * q_BSHd.shape[-1] ** -0.5, k_BNHd, v_BNHd))
    score = q @ k.transpose(-1, -2)
    score = score if bias is None else score + bias.to(dtype)
    return (score.softmax(-1, dtype=torch.float32).to(dtype) @ v).transpose(1, 2).flatten(2)


def _self(attn: Attention, x_BGLD: Tensor, turns: tuple[Tensor, Tensor], calls: Sequence[tuple[list[int], list[int]]]) -> Tensor:
    x, groups = x_BGLD.flatten(1, 2), x_BGLD.shape[1]
    q = norm_rotate(attn.q(x), attn.norm_q.weight, attn.heads, x.dtype, *turns)
    k = norm_rotate(attn.k(x), attn.norm_k.weight, attn.heads, x.dtype, *turns)
    qs, ks, vs = (y.unflatten(1, (groups, -1)).unbind(1) for y in (q, k, attn.split(attn.v(x))))
    parts = {}
    for new, seen in calls:
        out = _attend(*(torch.cat([ys[g] for g in wanted], 1) for ys, wanted in ((qs, new), (ks, seen), (vs, seen))))
        parts.update(zip(new, out.chunk(len(new), 1), strict=True))
    out = torch.stack([parts[g] for g in range(groups)], 1)
    return attn.o(out)


def _cross(attn: Attention, x_BGLD: Tensor, text: list[tuple[Tensor, Tensor, list[int]]]) -> Tensor:
    parts, order = [], []
    for rows, bias, groups in text:
        x = x_BGLD[:, groups] if len(text) > 1 else x_BGLD
        q = norm_heads(attn.q(x.flatten(1, 2)), attn.norm_q.weight, attn.heads, rows.dtype)
        k = norm_heads(attn.k(rows), attn.norm_k.weight, attn.heads, rows.dtype)
        parts.append(attn.o(_attend(q, k, attn.split(attn.v(rows)), bias)).view_as(x))
        order += groups
    if len(text) == 1:
        return parts[0]
    return torch.cat(parts, 1)[:, torch.tensor(order, device=x_BGLD.device).argsort()]
