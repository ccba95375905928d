"""How a card's multiprocessors share the tiles of one kernel: the last round of them may be nearly empty."""

from __future__ import annotations

import math

QUERIES = 128  # of a tile: those of one thread block of FlashAttention, whose work is all keys for them
BYTES_AN_OPERATION = 2.9e12 / 600e12  # an H100's memory moves so much while its matrix units do one; split attention is for it
KEYS = 128  # that a thread block reads at a time: a part is not smaller
MOST_SPLITS = 8  # of the keys: each writes a partial result, which is read again


def rounds(tiles: int, processors: int) -> int:
    """The number of times that all multiprocessors take a tile until none is left."""
    return math.ceil(tiles / processors)


def attention_tiles(tokens: int, heads: int) -> int:
    """The tiles of an attention over so many queries: of each head, its own."""
    return heads * math.ceil(tokens / QUERIES)


def best_splits(queries: int, keys: int, heads: int, head_dim: int, processors: int) -> int:
    """The number of parts that keys are split in for the shortest time.

    With more parts the last round is less empty; but each part's result is written and read again, in float32.

    Args:
        queries: number of queries.
        keys: number of keys.
        heads: of all samples together.
        head_dim: width of one head.
        processors: multiprocessors of the card.
    """
    tiles, operations = attention_tiles(queries, heads), 4.0 * QUERIES * keys * head_dim

    def cost(splits: int) -> float:
        moved = 0.0 if splits == 1 else 2 * 4.0 * splits * queries * heads * head_dim
        return rounds(tiles * splits, processors) * processors * operations / splits + moved / BYTES_AN_OPERATION

    return min(range(1, min(MOST_SPLITS, math.ceil(keys / KEYS)) + 1), key=cost)
