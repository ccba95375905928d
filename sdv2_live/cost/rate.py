"""The time of a chunk on a card, reckoned: tiles against multiprocessors, arithmetic against memory traffic.

Nothing here is measured. The shares of a card's figures that kernels reach are those that published benchmarks of matrix
products, FlashAttention and convolutions have shown; what an autoencoder computes and moves was counted on tensors without
memory (`python -m tools.bench.traffic`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sdv2_live.cost.cards import Card
from sdv2_live.engine.spec import CHUNK_FRAMES, LATENT_FRAMES
from sdv2_live.gpu.geometry import MULTIPLE, Size
from sdv2_live.model.dit.tiles import attention_tiles, rounds
from sdv2_live.model.sizes import DitConfig
from sdv2_live.ranks.partition import StageTimes

EIGHT = (8, 9)  # from this capability on fp8 products go at twice the rate
TILES = ((128, 256), (256, 128), (128, 128), (128, 192), (192, 128), (64, 256), (128, 64), (64, 128))  # of matrix products
NORMS = 20  # reads and writes of the residual stream by a layer's norms, rotations and cache
LAUNCHES, GAP = 14, 1.5e-6  # kernels of a layer, and seconds between two of them in a CUDA graph
TEXT = 512  # keys of cross-attention
CROSS = 0.7  # speed of attention over so few keys, by that over many
UNHIDDEN = 0.5  # of an autoencoder's traffic, what its arithmetic does not hide
ENCODING = 0.38  # encoding's share of an autoencoder's work, as counted: 0.36 to 0.40 of operations and of bytes


@dataclass(frozen=True, slots=True)
class Shares:
    """The parts of a card's nominal figures that kernels reach: products, attention, convolutions, memory."""

    product: float
    attention: float
    convolution: float
    memory: float


SERVER = Shares(0.71, 0.61, 0.30, 0.87)  # 9.0 and 10.0, whose matrix units are hard to keep busy
OTHERS = Shares(0.90, 0.85, 0.57, 0.91)


@dataclass(frozen=True, slots=True)
class VaeWork:
    """Encoding and decoding a chunk, for each pixel of the size: operations and bytes; and the number of kernels."""

    operations: float
    bytes: float
    launches: int


VAE_WORK = {
    "wan": VaeWork(5.27e7, 1.383e5, 257),
    "light": VaeWork(3.42e6, 3.48e4, 257),
    "taehv": VaeWork(1.75e6, 2.00e4, 255),
    "lighttae": VaeWork(1.75e6, 2.00e4, 255),
    "tiny": VaeWork(1.62e5, 1.43e3, 88),  # the embedded model's own
}


@dataclass(frozen=True, slots=True)
class Rate:
    """Seconds of a chunk's parts. denoise: all steps. frames: of a chunk."""

    denoise: float
    vae: float
    frames: int = CHUNK_FRAMES

    @property
    def fps(self) -> float:
        """Frames a second, when chunks follow each other."""
        return self.frames / (self.denoise + self.vae)

    def latency(self, fps: float) -> float:
        """Seconds from a chunk's first frame to its first picture, frames coming at this rate."""
        return (self.frames - 1) / fps + self.denoise + self.vae


def chunk_rate(
    card: Card,
    dit: DitConfig,
    vae: str,
    size: Size,
    *,
    steps: int,
    kv_frames: int,
    levels: int = 1,
    fp8: bool = False,
    latents: int = 1,
) -> Rate:
    """The rate of chunks in the middle of a stream, in bf16.

    Args:
        card: the card.
        dit: the transformer.
        vae: the autoencoder, a key of VAE_WORK.
        size: (height, width).
        steps: calls of the transformer a chunk.
        kv_frames: latent frames that attention sees.
        levels: samples of a call, with stream_batch.
        fp8: linear layers in 8 bits.
        latents: of a chunk.
    """
    calls = steps * call_seconds(card, dit, size, kv_frames, levels, fp8, latents)
    return Rate(calls, latents * vae_seconds(card, vae, size), latents * LATENT_FRAMES)


def call_seconds(
    card: Card, dit: DitConfig, size: Size, kv_frames: int, levels: int = 1, fp8: bool = False, latents: int = 1
) -> float:
    """One call of the transformer: so many latent frames of each level."""
    tokens, share = latents * _tokens(size), _shares(card)
    rows, bandwidth = levels * tokens, share.memory * card.bandwidth * 1e12
    d, wide = dit.dim, dit.ffn
    products = sum(_product(card, rows, n, k, fp8) for n, k in ((3 * d, d), (d, d), (d, d), (d, d), (wide, d), (d, wide)))
    heads = levels * dit.heads
    attended = _attention(card, tokens, kv_frames * _tokens(size), heads, dit.head_dim)
    attended += _attention(card, tokens, TEXT, heads, dit.head_dim) / CROSS
    moved = rows * (2.0 * NORMS * d + (3 * (wide + 2 * d) if fp8 else 0))  # fp8 rounds three tensors in passes of their own
    return dit.layers * (products + attended + moved / bandwidth + LAUNCHES * GAP)


def vae_seconds(card: Card, vae: str, size: Size) -> float:
    """Encoding and decoding a chunk."""
    work, share, pixels = VAE_WORK[vae], _shares(card), size[0] * size[1]
    computed = work.operations * pixels / (share.convolution * card.tflops * 1e12)
    return computed + UNHIDDEN * work.bytes * pixels / (share.memory * card.bandwidth * 1e12) + work.launches * GAP


def stage_times(card: Card, dit: DitConfig, vae: str, size: Size, *, kv_frames: int, fp8: bool = False) -> StageTimes:
    """The stages of a chunk as ranks deal them out: a call has one latent frame, also with stream_batch."""
    coding = vae_seconds(card, vae, size)
    block = call_seconds(card, dit, size, kv_frames, 1, fp8) / dit.layers
    return StageTimes(ENCODING * coding, block, (1 - ENCODING) * coding)


def fill(card: Card, dit: DitConfig, size: Size) -> float:
    """The share of the card's multiprocessors that self-attention keeps busy, in (0, 1]."""
    tiles = attention_tiles(_tokens(size), dit.heads)
    return tiles / (rounds(tiles, card.processors) * card.processors)


def filling_size(card: Card, dit: DitConfig, size: Size, *, at_least: float = 0.95, within: float = 0.8) -> Size | None:
    """The largest size, of about the same shape and up to that size, that fills the card; None where none is that near.

    Args:
        at_least: the least `fill`.
        within: the least pixels, by those of `size`.
    """
    heights, widths = (range(int(side * within) // MULTIPLE * MULTIPLE, side + 1, MULTIPLE) for side in size)
    pixels = size[0] * size[1]
    sizes = [(h, w) for h in heights for w in widths if h and w and within * pixels <= h * w]
    full = [each for each in sizes if fill(card, dit, each) >= at_least]
    return max(full, key=lambda each: each[0] * each[1], default=None)


def _tokens(size: Size) -> int:
    return (size[0] // MULTIPLE) * (size[1] // MULTIPLE)


def _shares(card: Card) -> Shares:
    return SERVER if (9, 0) <= card.capability < (12, 0) else OTHERS


def _product(card: Card, m: int, n: int, k: int, fp8: bool) -> float:
    """Seconds of a matrix product (m, k) x (k, n) with the best of TILES."""
    eight, share = fp8 and card.capability >= EIGHT, _shares(card)
    speed = (2 if eight else 1) * share.product * card.tflops * 1e12 / card.processors  # of one multiprocessor
    tiles = [(rounds(math.ceil(m / a) * math.ceil(n / b), card.processors), a * b) for a, b in TILES]
    computed = min(count * 2.0 * area * k for count, area in tiles) / speed
    return max(computed, ((m * k + n * k) * (1 if eight else 2) + 2 * m * n) / (share.memory * card.bandwidth * 1e12))


def _attention(card: Card, queries: int, keys: int, heads: int, head_dim: int) -> float:
    """Seconds of an attention, its queries in tiles of 128."""
    tile = 4.0 * 128 * keys * head_dim / (_shares(card).attention * card.tflops * 1e12 / card.processors)
    return rounds(attention_tiles(queries, heads), card.processors) * tile
