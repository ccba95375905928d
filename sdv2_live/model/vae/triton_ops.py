"""The autoencoders' operations (see `ops`) as one Triton kernel: every tensor is read once and written once."""

from __future__ import annotations

from dataclasses import replace

import torch
import triton
import triton.language as tl
from torch import Tensor

from sdv2_live.model.vae.ops import Pending, layout

BLOCK = 2048  # numbers a program holds: whole pixels of up to so many channels
WARPS = 4


@triton.jit(do_not_specialize=["frames", "pixels", "width"])
def _finish(  # noqa: C901  # a kernel: what its flags leave out is not compiled
    x, bias, skip, gamma, past, total, out,
    frames, pixels, width,
    x_sample, x_frame, x_row, x_column, skip_sample, skip_frame, skip_pixel, out_sample, out_frame, out_pixel,
    C: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_P: tl.constexpr,
    BIAS: tl.constexpr, SKIP: tl.constexpr, RELU: tl.constexpr, PHASED: tl.constexpr, NORM: tl.constexpr, SILU: tl.constexpr,
    TOTAL: tl.constexpr, PAST: tl.constexpr, BESIDE: tl.constexpr, FOLD: tl.constexpr,
):  # fmt: skip
    """All frames of BLOCK_P pixels of one sample. A program alone touches its pixels: nothing is raced for in `past`."""
    sample = tl.program_id(1).to(tl.int64)
    p = tl.program_id(0) * BLOCK_P + tl.arange(0, BLOCK_P)[:, None]
    c = tl.arange(0, BLOCK_C)[None, :]
    mask = (p < pixels) & (c < C)
    row, column = p // width, p % width
    if PHASED:  # see ops.interleaved
        at_x = (row // 2 + row % 2) * x_row + (column // 2 + column % 2) * x_column + (row % 2 * 2 + column % 2) * C + c
    else:
        at_x = row * x_row + column * x_column + c
    x += sample * x_sample
    out_frame = tl.cast(out_frame, tl.int64)
    dense, frame_size = p * C + c, pixels.to(tl.int64) * C
    at_out = p * out_pixel + c
    out += sample * out_sample
    skip += sample * skip_sample
    total += sample * frames * frame_size
    b = tl.load(bias + c, c < C, 0.0).to(tl.float32) if BIAS else 0.0
    g = tl.load(gamma + c, c < C, 0.0).to(tl.float32) if NORM else 0.0
    before = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    past += sample * (PAST + BESIDE) * frame_size
    if BESIDE:
        before = tl.load(past + dense, mask, 0.0).to(tl.float32)
    if PAST == 1:
        tl.store(out + at_out, tl.load(past + dense, mask, 0.0), mask)
    if PAST == 2:
        older, newer = tl.load(past + dense, mask, 0.0), tl.load(past + frame_size + dense, mask, 0.0)
        tl.store(out + at_out, older, mask)
        tl.store(out + out_frame + at_out, newer, mask)
    tl.debug_barrier()  # the past is read by now; what replaces it may be written by other threads
    if PAST == 2:  # noqa: SIM102 (the compiler's condition, around the kernel's)
        if frames == 1:
            tl.store(past + dense, newer, mask)
    for t in range(frames):
        s = tl.load(x + at_x, mask, 0.0).to(tl.float32) + b
        x += x_frame
        if SKIP:
            s += tl.load(skip + p * skip_pixel + c, mask, 0.0).to(tl.float32)
            skip += skip_frame
        if RELU:
            s = tl.maximum(s, 0.0)
        if TOTAL:
            tl.store(total + dense, s, mask)
            total += frame_size
        if NORM:
            s = s / tl.maximum(tl.sqrt(tl.sum(s * s, axis=1)), 1e-12)[:, None] * g * (C**0.5)
        if SILU:
            s = s / (1 + tl.exp(-s))
        to = out + (PAST + t // FOLD) * out_frame + at_out + t % FOLD * C
        tl.store(to, s, mask)
        if PAST > 0:  # noqa: SIM102
            if t >= frames - PAST:
                tl.store(past + (t - frames + PAST) * frame_size + dense, s, mask)
        if BESIDE:
            tl.store(to + C, before, mask)
            before = s
    if BESIDE:
        tl.store(past + dense, before, mask)


class TritonVaeOps:
    """VaeOps in one launch each."""

    name = "triton"
    defers_bias = True  # cuDNN's convolutions leave it to a pass of its own over their output
    multiple = 8  # so many numbers of 16 bits are one load of a matrix unit

    def value(self, pending: Pending, fold: int = 1) -> Tensor:
        if pending.plain and fold == 1:
            return pending.x
        pending = _laid_out(pending)
        n, c, t, h, w = _shape(pending, 1)
        if pending.x.ndim == 5:
            out = pending.x.new_empty(n, t, h, w, c)
            _launch(pending, out.permute(0, 4, 1, 2, 3), samples=n)
            return out.permute(0, 4, 1, 2, 3)
        out = pending.x.new_empty(t // fold, h, w, fold * c)
        _launch(pending, out.permute(0, 3, 1, 2), samples=1, fold=fold)
        return out.permute(0, 3, 1, 2)

    def normed(
        self, pending: Pending, gamma: Tensor, *, silu: bool, past: Tensor | None = None, keep: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        pending = _laid_out(pending)
        n, c, t, h, w = _shape(pending, 1)
        joined = pending.x.new_empty(n, t + (0 if past is None else past.shape[2]), h, w, c).permute(0, 4, 1, 2, 3)
        total = None
        if keep and not pending.plain:
            total = pending.x.new_empty(n, t, h, w, c).permute(0, 4, 1, 2, 3)
        _launch(pending, joined, samples=n, gamma=gamma, silu=silu, past=past, total=total)
        return joined, (pending.x if keep and total is None else total)

    def joined(self, pending: Pending, past: Tensor) -> Tensor:
        n, c, t, h, w = _shape(pending, 1)
        before = past.shape[2]
        if pending.plain and pending.x.stride(1) != 1:  # pixels or latents as they come in: few channels
            padded = c + -c % self.multiple
            new = pending.x.new_empty if padded == c else pending.x.new_zeros
            joined = new(n, before + t, h, w, padded).permute(0, 4, 1, 2, 3)
            joined[:, :c, :before].copy_(past)
            joined[:, :c, before:].copy_(pending.x)
            past.copy_(joined[:, :c, t:])
            return joined
        joined = pending.x.new_empty(n, before + t, h, w, c).permute(0, 4, 1, 2, 3)
        pending = _laid_out(pending)
        _launch(pending, joined, samples=n, past=past)
        return joined

    def beside(self, pending: Pending, past: Tensor) -> tuple[Tensor, Tensor]:
        pending, samples = _laid_out(pending), past.shape[0]
        n, c, t, h, w = _shape(pending, samples)
        pairs = pending.x.new_empty(n * t, h, w, 2 * c).permute(0, 3, 1, 2)
        _launch(pending, pairs, samples=samples, past=past, beside=True)
        return pairs[:, :c], pairs


def _laid_out(pending: Pending) -> Pending:
    """In the layout that the kernel needs, as convolutions leave it: channels innermost, of the skip also rows without gaps."""
    x, skip = pending.x, pending.skip
    if x.stride(1) != 1:
        pending = replace(pending, x=x.contiguous(memory_format=layout(x)))
    if skip is not None and (skip.stride(1) != 1 or skip.stride(-2) != skip.shape[-1] * skip.stride(-1)):
        pending = replace(pending, skip=skip.contiguous(memory_format=layout(skip)))
    return pending


def _shape(pending: Pending, samples: int) -> tuple[int, int, int, int, int]:
    """N, C, T, H, W of the sum; frames (N * T, C, H, W) are one sample's unless `samples` says more."""
    x = pending.x
    n, t = (x.shape[0], x.shape[2]) if x.ndim == 5 else (samples, x.shape[0] // samples)
    c, h, w = x.shape[1], x.shape[-2], x.shape[-1]
    return (n, c // 4, t, 2 * (h - 1), 2 * (w - 1)) if pending.phased else (n, c, t, h, w)


def _strides(x: Tensor, frames: int) -> tuple[int, int, int, int]:
    """Elements from one sample, frame, row and column to the next."""
    if x.ndim == 5:
        return x.stride(0), x.stride(2), x.stride(3), x.stride(4)
    return x.stride(0) * frames, x.stride(0), x.stride(2), x.stride(3)


def _launch(
    pending: Pending,
    out: Tensor,
    *,
    samples: int,
    gamma: Tensor | None = None,
    silu: bool = False,
    past: Tensor | None = None,
    total: Tensor | None = None,
    beside: bool = False,
    fold: int = 1,
) -> None:
    x, skip = pending.x, pending.skip
    n, c, t, h, w = _shape(pending, samples)
    skip_strides = _strides(skip, t) if skip is not None else (0, 0, 0, 0)
    out_frames = out.shape[2] if out.ndim == 5 else out.shape[0] // n
    out_strides = _strides(out, out_frames)
    block_c = triton.next_power_of_2(c)
    block_p = max(1, (BLOCK // 2 if beside else BLOCK) // block_c)  # it also holds the frame before: more would not fit registers
    optional = (pending.bias, skip, gamma, past, total)
    with torch.cuda.device_of(x):
        _finish[(triton.cdiv(h * w, block_p), n)](
            x, *(x if tensor is None else tensor for tensor in optional), out,
            t, h * w, w,
            *_strides(x, t), skip_strides[0], skip_strides[1], skip_strides[3], out_strides[0], out_strides[1], out_strides[3],
            C=c, BLOCK_C=block_c, BLOCK_P=block_p,
            BIAS=pending.bias is not None, SKIP=skip is not None, RELU=pending.relu, PHASED=pending.phased,
            NORM=gamma is not None, SILU=silu, TOTAL=total is not None,
            PAST=past.shape[2] if past is not None and not beside else 0, BESIDE=int(beside), FOLD=fold,
            num_warps=WARPS,
        )  # fmt: skip
