"""The DiT on a whole clip at once, differentiable: each call attends to what the rolling cache would hold.

The sequence lists every latent frame twice: first as the last denoising step sees it (its keys and values are what stays in
the cache), then as the first step sees it. Legend: B clips, F latent frames, G = 2F groups, L tokens of a group, D width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.dit import TEXT_TOKENS, CausalDiT, timestep_features
from sdv2_live.model.dit.layers import PATCH, Attention, layer_norm, modulate
from sdv2_live.model.dit.ops import EPS
from sdv2_live.model.dit.rope import RopeTable


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


Calls = Sequence[tuple[list[int], list[int]]]  # groups that a call brings, groups that it attends to


def cache_calls(frames: int, spec: CacheSpec, own_level: bool = False) -> Calls:
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
    calls: Calls,
    contexts: Sequence[tuple[Context, list[int]]],
) -> Tensor:
    """Flow (B, G, 16, h, w) of all groups. contexts: each prompt batch with the groups that it conditions."""
    rows, columns = x_BGCHW.shape[3] // PATCH, x_BGCHW.shape[4] // PATCH
    tokens = rows * columns
    time = rope.time[positions_BG][:, :, None].expand(-1, -1, tokens, -1)
    space = rope._grid(rows, columns).expand(*positions_BG.shape, -1, -1)
    turns = torch.cat((time, space), -1).flatten(1, 2).unsqueeze(2)  # (B, S, 1, d/2), complex
    e = dit.time_embedding(timestep_features(t_BG, dit.config.freq_dim).float())
    e6 = dit.time_projection(e).unflatten(-1, (6, -1))
    text = [(dit.text_embedding(prompts.rows), prompts.bias, groups) for prompts, groups in contexts]
    x = dit._patchify(x_BGCHW)
    dtype = x.dtype  # bfloat16 under autocast
    bias = visible(calls, x.shape[1], tokens, x.device)
    for block in dit.blocks:
        parts = (block.modulation + e6).unsqueeze(-2).unbind(2)
        shift0, scale0, gate0, shift1, scale1, gate1 = (part.contiguous() for part in parts)  # compiled code asks for it
        attended = _self(block.self_attn, norm_modulate(x, shift0, scale0, dtype), turns, bias)
        x = gated_add(x, attended, gate0)
        x = x + _cross(block.cross_attn, block.norm3(x), text)
        x = gated_add(x, block.ffn[2](gelu(block.ffn[0](norm_modulate(x, shift1, scale1, dtype)))), gate1)
    return dit._unpatchify(dit.head(x, e), rows, columns).float()


def fuse() -> None:
    """Compile the pointwise parts: a fifth less time on a CPU, more on a GPU. Needs a C++ compiler."""
    torch._dynamo.config.recompile_limit = 64  # one of each for every kind of shape that the batches have
    for function in (norm_modulate, gated_add, normed, gelu, masked_softmax):
        globals()[function.__name__] = torch.compile(function, dynamic=True)


def norm_modulate(x: Tensor, shift: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """Layer norm, then x * (1 + scale) + shift, in the dtype of the linear that follows."""
    return modulate(layer_norm(x.float()), shift, scale).to(dtype)


def gated_add(x: Tensor, branch: Tensor, gate: Tensor) -> Tensor:
    """The residual stream stays float32."""
    return x.float() + branch.float() * gate.float()


def normed(x_BSD: Tensor, weight_D: Tensor) -> Tensor:
    """RMS norm over the full width, float32."""
    x = x_BSD.float()
    return x * (x.square().mean(-1, keepdim=True) + EPS).rsqrt() * weight_D


def gelu(x: Tensor) -> Tensor:
    """The feed-forward's activation."""
    return F.gelu(x, approximate="tanh")


def masked_softmax(score: Tensor, bias: Tensor) -> Tensor:
    """Softmax over the last axis in float32, back in the dtype of the scores."""
    return (score.float() + bias).softmax(-1).to(score.dtype)


def rotated(x_BSD: Tensor, turns: Tensor, heads: int, dtype: torch.dtype) -> Tensor:
    """Heads (B, H, S, d), adjacent pairs turned by their positions' angles."""
    pairs = torch.view_as_complex(x_BSD.unflatten(-1, (heads, -1, 2)))
    return torch.view_as_real(pairs * turns).flatten(-2).to(dtype).transpose(1, 2)


def _attend(q_BHSd: Tensor, k_BHNd: Tensor, v_BHNd: Tensor, bias: Tensor) -> Tensor:
    """Plain attention, (B, S, D): on a CPU its backward pass is several times faster than the fused one's."""
    weight = masked_softmax(q_BHSd @ k_BHNd.transpose(-1, -2), bias)
    return (weight @ v_BHNd).transpose(1, 2).flatten(2)


def visible(calls: Calls, groups: int, tokens: int, device: torch.device) -> Tensor:
    """Bias (S, S) added to the attention scores: 0 where a token's call attends to another token, -inf elsewhere."""
    bias = torch.full((groups, groups), -math.inf)
    for new, seen in calls:
        for group in new:
            bias[group, seen] = 0.0
    return bias.repeat_interleave(tokens, 0).repeat_interleave(tokens, 1).to(device)


def _self(attn: Attention, x_BGLD: Tensor, turns: Tensor, bias_SS: Tensor) -> Tensor:
    """The first half of the tokens, those of the last step, attend only among themselves: half the keys are enough."""
    x, half = x_BGLD.flatten(1, 2), len(bias_SS) // 2
    q = rotated(normed(attn.q(x), scaled(attn)), turns, attn.heads, x.dtype)
    k = rotated(normed(attn.k(x), attn.norm_k.weight), turns, attn.heads, x.dtype)
    v = attn.split(attn.v(x)).transpose(1, 2)
    last = _attend(q[:, :, :half], k[:, :, :half], v[:, :, :half], bias_SS[:half, :half])
    first = _attend(q[:, :, half:], k, v, bias_SS[half:])
    return attn.o(torch.cat((last, first), 1)).unflatten(1, x_BGLD.shape[1:3])


def scaled(attn: Attention) -> Tensor:
    """The query norm's weight with the attention's 1/sqrt(d) in it."""
    return attn.norm_q.weight * (len(attn.norm_q.weight) // attn.heads) ** -0.5


def _cross(attn: Attention, x_BGLD: Tensor, text: list[tuple[Tensor, Tensor, list[int]]]) -> Tensor:
    parts, order = [], []
    for rows, bias, groups in text:
        x = x_BGLD[:, groups] if len(text) > 1 else x_BGLD
        q = attn.split(normed(attn.q(x.flatten(1, 2)), scaled(attn)).to(rows.dtype)).transpose(1, 2)
        k = attn.split(normed(attn.k(rows), attn.norm_k.weight).to(rows.dtype)).transpose(1, 2)
        v = attn.split(attn.v(rows)).transpose(1, 2)
        parts.append(attn.o(_attend(q, k, v, bias)).view_as(x))
        order += groups
    if len(text) == 1:
        return parts[0]
    return torch.cat(parts, 1)[:, torch.tensor(order, device=x_BGLD.device).argsort()]
