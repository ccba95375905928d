"""The fused operations of `ops` as Triton kernels: each reads and writes its tensors once, and launches nothing else.

A program takes one token (a row of the model's width), in float32. Legend as in `ops`.
"""

# mypy: allow-untyped-defs
from __future__ import annotations

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor, nn

from sdv2_live.model.dit.eight import E4M3, Rows, Rows8
from sdv2_live.model.dit.kv_cache import CachePlan, KVCache
from sdv2_live.model.dit.ops import EPS


@triton.jit
def _store_row8(x, out_ptr, scale_ptr, row, at, inside):
    """One row in 8 bits, its largest number the format's largest; see `eight.rounded`. Columns that are not inside are zeros."""
    scale = tl.maximum(tl.max(tl.abs(x), 0), 1e-12) / 448.0
    tl.store(scale_ptr + row, scale)
    tl.store(out_ptr + at, (x * (1.0 / scale)).to(tl.float8e4nv), mask=inside)


@triton.jit
def _rows8(x_ptr, out_ptr, scale_ptr, width, GELU: tl.constexpr, BLOCK: tl.constexpr):
    """Rows in 8 bits; of their GELU in its tanh form, or of themselves."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    at = row * width + column
    x = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
    if GELU:
        x = x * tl.sigmoid(x * (1.5957691216057308 + 0.07135481282553542 * x * x))
    _store_row8(x, out_ptr, scale_ptr, row, at, inside)


@triton.jit
def _add_norm(
    x_ptr, branch_ptr, gate_ptr, weight_ptr, bias_ptr, sum_ptr, out_ptr, scale_ptr,
    gate_stride, weight_stride, bias_stride, tokens, width,
    HAS_BRANCH: tl.constexpr, HAS_GATE: tl.constexpr, EIGHT: tl.constexpr, EPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """sum = x + branch * gate; out = norm(sum) * weight + bias. Strides: from one frame's vector to the next, 0 where shared."""
    token = tl.program_id(0).to(tl.int64)
    frame = token // tokens
    column = tl.arange(0, BLOCK)
    inside = column < width
    at = token * width + column
    x = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
    if HAS_BRANCH:
        branch = tl.load(branch_ptr + at, mask=inside, other=0.0).to(tl.float32)
        if HAS_GATE:
            branch *= tl.load(gate_ptr + frame * gate_stride + column, mask=inside, other=0.0).to(tl.float32)
        x += branch
        x = x.to(sum_ptr.dtype.element_ty)
        tl.store(sum_ptr + at, x, mask=inside)
        x = x.to(tl.float32)
    mean = tl.sum(x, 0) / width
    centred = tl.where(inside, x - mean, 0.0)
    scale = tl.rsqrt(tl.sum(centred * centred, 0) / width + EPS)
    weight = tl.load(weight_ptr + frame * weight_stride + column, mask=inside, other=0.0).to(tl.float32)
    bias = tl.load(bias_ptr + frame * bias_stride + column, mask=inside, other=0.0).to(tl.float32)
    h = centred * scale * weight + bias
    if EIGHT:
        _store_row8(h, out_ptr, scale_ptr, token, at, inside)
    else:
        tl.store(out_ptr + at, h.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _rms_norm(x_ptr, weight_ptr, out_ptr, row_stride, width, EPS: tl.constexpr, BLOCK: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    x = tl.load(x_ptr + token * row_stride + column, mask=inside, other=0.0).to(tl.float32)
    weight = tl.load(weight_ptr + column, mask=inside, other=0.0).to(tl.float32)
    x = x * tl.rsqrt(tl.sum(x * x, 0) / width + EPS) * weight
    tl.store(out_ptr + token * width + column, x.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _normed_rotated(row_ptr, weight_ptr, turn_ptr, column, inside, head_width, width, EPS: tl.constexpr, BLOCK: tl.constexpr):
    """One row, normalised over its width, its adjacent pairs rotated: float32. Every head is turned alike."""
    x = tl.load(row_ptr + column, mask=inside, other=0.0).to(tl.float32)
    weight = tl.load(weight_ptr + column, mask=inside, other=0.0).to(tl.float32)
    x = x * tl.rsqrt(tl.sum(x * x, 0) / width + EPS) * weight
    turn = tl.load(turn_ptr + column % head_width, mask=inside, other=0.0)
    real, imaginary = tl.split(tl.reshape(x, [BLOCK // 2, 2]))
    cosine, sine = tl.split(tl.reshape(turn, [BLOCK // 2, 2]))
    return tl.interleave(real * cosine - imaginary * sine, real * sine + imaginary * cosine)


@triton.jit
def _remember(
    qkv_ptr, norm_q_ptr, norm_k_ptr, turns_ptr, slots_ptr, q_ptr, cache_k_ptr, cache_v_ptr,
    slots_stride, level_stride, tokens, frames, head_width, width,
    STORE: tl.constexpr, EPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Queries to q. Keys and values into the cache (STORE), or the keys back into qkv, until their slot has been chosen."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    source = qkv_ptr + row * 3 * width
    turn_ptr = turns_ptr + row * head_width
    q = _normed_rotated(source, norm_q_ptr, turn_ptr, column, inside, head_width, width, EPS, BLOCK)
    tl.store(q_ptr + row * width + column, q.to(q_ptr.dtype.element_ty), mask=inside)
    k = _normed_rotated(source + width, norm_k_ptr, turn_ptr, column, inside, head_width, width, EPS, BLOCK)
    if STORE:
        slot = tl.load(slots_ptr + row // (tokens * frames) * slots_stride + row // tokens % frames)
        target = row // (tokens * frames) * level_stride + (slot * tokens + row % tokens) * width + column
        tl.store(cache_k_ptr + target, k.to(cache_k_ptr.dtype.element_ty), mask=inside)
        v = tl.load(source + 2 * width + column, mask=inside)
        tl.store(cache_v_ptr + target, v.to(cache_v_ptr.dtype.element_ty), mask=inside)
    else:
        tl.store(source + width + column, k.to(qkv_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _store(qkv_ptr, slots_ptr, cache_k_ptr, cache_v_ptr, slots_stride, level_stride, tokens, width, BLOCK: tl.constexpr):
    """Keys and values of one frame a level from qkv into its slot."""
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    level = row // tokens
    slot = tl.load(slots_ptr + level * slots_stride)
    target = level * level_stride + (slot * tokens + row % tokens) * width + column
    source = qkv_ptr + row * 3 * width + column
    tl.store(cache_k_ptr + target, tl.load(source + width, mask=inside), mask=inside)
    tl.store(cache_v_ptr + target, tl.load(source + 2 * width, mask=inside), mask=inside)


@triton.jit
def _similarity(mean_ptr, sink_ptr, column, inside):
    """Cosine of two vectors."""
    a = tl.load(mean_ptr + column, mask=inside, other=0.0)
    b = tl.load(sink_ptr + column, mask=inside, other=0.0)
    lengths = tl.sqrt(tl.maximum(tl.sum(a * a, 0), 1e-16)) * tl.sqrt(tl.maximum(tl.sum(b * b, 0), 1e-16))
    return tl.sum(a * b, 0) / lengths


@triton.jit
def _adapt(
    means_ptr, sink_k_ptr, sink_v_ptr, may_ptr, slots_ptr, ring_ptr,
    slots_stride, threshold, sinks, ring_length, width, BLOCK: tl.constexpr,
):  # fmt: skip
    """A program takes one level; see `KVCache._adapt`. means: (B, 2, D), of the new frame's keys and values."""
    level = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    smallest = 2.0
    chosen = 0
    for sink in range(sinks):
        at = (level * sinks + sink) * width
        k = _similarity(means_ptr + level * 2 * width, sink_k_ptr + at, column, inside)
        v = _similarity(means_ptr + level * 2 * width + width, sink_v_ptr + at, column, inside)
        similarity = 0.5 * (k + v)
        chosen = tl.where(similarity < smallest, sink, chosen)
        smallest = tl.minimum(similarity, smallest)
    if (tl.load(may_ptr + level) != 0) & (smallest < threshold):
        tl.store(slots_ptr + level * slots_stride, chosen)
        ring = tl.load(ring_ptr + level)
        tl.store(ring_ptr + level, (ring + ring_length - 1) % ring_length)


class TritonOps:
    """The operations on an NVIDIA GPU (or, for tests, in Triton's interpreter)."""

    name = "triton"

    def add_norm(
        self,
        x_BFLD: Tensor,
        branch_BSD: Tensor | None,
        gate_BFD: Tensor | None,
        weight_BFD: Tensor,
        bias_BFD: Tensor,
        *,
        eight: bool = False,
    ) -> tuple[Tensor, Rows]:
        """See `Ops`. x is overwritten."""
        frames, tokens, width = x_BFLD.shape[0] * x_BFLD.shape[1], x_BFLD.shape[2], x_BFLD.shape[3]
        x, eights = x_BFLD.contiguous(), _new_rows8(x_BFLD) if eight else None
        out = torch.empty_like(x) if eights is None else eights.codes
        branch = x if branch_BSD is None else branch_BSD.contiguous()
        vectors = [weight_BFD if gate_BFD is None else gate_BFD, weight_BFD, bias_BFD]
        rows = [_rows(vector) for vector in vectors]
        _add_norm[(frames * tokens,)](
            x, branch, *(row for row, _ in rows), x, out, x if eights is None else eights.scales,
            *(stride for _, stride in rows), tokens, width,
            HAS_BRANCH=branch_BSD is not None, HAS_GATE=gate_BFD is not None, EIGHT=eight, EPS=EPS, **_launch(width, held=eight),
        )  # fmt: skip
        return x, out if eights is None else eights

    def rms_norm(self, x_BSD: Tensor, weight_D: Tensor) -> Tensor:
        """See `Ops`."""
        width = x_BSD.shape[-1]
        x, out = x_BSD.contiguous(), torch.empty_like(x_BSD, memory_format=torch.contiguous_format)
        _rms_norm[(x.numel() // width,)](x, weight_D, out, width, width, EPS=EPS, **_launch(width))
        return out

    def rows8(self, x: Tensor) -> Rows8:
        """See `Ops`."""
        return _rows_of(x, gelu=False)

    def linear_gelu(self, layer: nn.Module, x: Rows, *, eight: bool = False) -> Rows:
        """See `Ops`: of a plain layer, the matrix product adds the bias and applies GELU before it writes.

        cuBLAS has the tanh form alone; a CPU, where tests run, gives the exact one.
        """
        if eight:
            return _rows_of(layer(x), gelu=True)
        if type(layer) is not nn.Linear or not isinstance(x, Tensor):  # something is added to its output first
            return F.gelu(layer(x), approximate="tanh")
        y = torch._addmm_activation(layer.bias, x.flatten(0, -2), layer.weight.t(), use_gelu=True)
        return y.view(*x.shape[:-1], -1)

    def remember(
        self, qkv_BSE: Tensor, norms: tuple[Tensor, Tensor], rotations_BSp: Tensor, kv: KVCache, layer: int, plan: CachePlan
    ) -> Tensor:
        """See `Ops`."""
        qkv, turns = qkv_BSE.contiguous(), torch.view_as_real(rotations_BSp.contiguous())
        levels, rows = qkv.shape[:2]
        heads, tokens, width = kv.k.shape[-2], kv.k.shape[3], qkv.shape[-1] // 3
        k, v, slots = kv.k[layer], kv.v[layer], kv.slots[layer]
        q = qkv.new_empty(levels, rows, heads, width // heads)
        direct = not any(plan.adapts)
        _remember[(levels * rows,)](
            qkv, *norms, turns, slots, q, k, v,
            slots.stride(0), k.stride(0), tokens, plan.frames, width // heads, width,
            STORE=direct, EPS=EPS, **_launch(width),
        )  # fmt: skip
        if not direct:
            means = qkv[..., width:].mean(1, dtype=torch.float32)
            spec = kv.spec
            _adapt[(levels,)](
                means, kv.sink_k[layer], kv.sink_v[layer], kv.may_adapt, slots, kv.ring[layer],
                slots.stride(0), float(spec.adapt_sink_threshold), spec.sink_frames, spec.kv_frames - spec.sink_frames, width,
                **_launch(width),
            )  # fmt: skip
            _store[(levels * rows,)](qkv, slots, k, v, slots.stride(0), k.stride(0), tokens, width, **_launch(width))
        return q


def _rows_of(x: Tensor, *, gelu: bool) -> Rows8:
    """Rows in 8 bits of x (..., K), or of its GELU."""
    x, rows, width = x.contiguous(), _new_rows8(x), x.shape[-1]
    _rows8[(x.numel() // width,)](x, *rows, width, GELU=gelu, **_launch(width))
    return rows


def _new_rows8(like: Tensor) -> Rows8:
    """Memory for rows as many and as long as those of a tensor."""
    return Rows8(
        torch.empty(like.shape, dtype=E4M3, device=like.device),
        torch.empty(*like.shape[:-1], 1, dtype=torch.float32, device=like.device),
    )


def _rows(vectors_BFD: Tensor) -> tuple[Tensor, int]:
    """Vectors and the elements from each frame's to the next one's, copied only where they have no single such stride."""
    levels, frames, width = vectors_BFD.shape
    stride = vectors_BFD.stride(0 if frames == 1 else 1)
    even = levels == 1 or frames == 1 or vectors_BFD.stride(0) == frames * stride
    if even and vectors_BFD.stride(2) == 1:
        return vectors_BFD, stride
    return vectors_BFD.contiguous(), width


def _launch(columns: int, *, held: bool = False) -> dict[str, int]:
    """Columns of a program, a power of two, and its warps: 8 to 16 elements a thread, of the widest rows 32.

    held: a thread holds several numbers of each element for long; of rows as wide as 14b's, only 8 elements fit its registers.
    """
    block = triton.next_power_of_2(columns)
    return {"BLOCK": block, "num_warps": 32 if held and block > 4096 else min(max(block // 512, 1), 16)}
