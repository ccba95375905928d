"""Which slot a frame takes: filling, ring, rewriting, adaptive sinks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdv2_live.errors import EngineError
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.kv_cache import KVCache

TOKENS, HEADS, WIDTH = 3, 2, 4


def new_cache(spec: CacheSpec, levels: int = 1) -> KVCache:
    return KVCache(
        spec, layers=1, levels=levels, tokens=TOKENS, heads=HEADS, head_dim=WIDTH, dtype=torch.float32, device=torch.device("cpu")
    )


def write(cache: KVCache, starts: list[int], value: Tensor | float, frames: int = 1) -> list[list[int]]:
    """Write constant keys and values (one per level) and return the slots taken by level."""
    cache.begin(plan := cache.plan(starts, frames))
    value = torch.as_tensor(value, dtype=torch.float32).expand(len(starts))
    x = value[:, None, None, None].expand(-1, frames * TOKENS, HEADS, WIDTH)
    cache.write(0, plan, x, x)
    slots: list[list[int]] = cache.slots[0, :, :frames].tolist()
    return slots


@pytest.mark.parametrize(("kv", "sinks"), [(6, 3), (5, 2), (4, 0), (3, 2)])
def test_fill_then_ring(kv: int, sinks: int) -> None:
    cache = new_cache(CacheSpec(kv, sinks, -1))
    assert write(cache, [0], 0.0, frames=2) == [[0, 1]]
    taken = [write(cache, [frame], float(frame))[0][0] for frame in range(2, 14)]
    ring = list(range(sinks, kv))
    assert taken[: kv - 2] == list(range(2, kv))
    assert taken[kv - 2 :] == (ring * 12)[: len(taken) - kv + 2]


def test_steps_of_one_frame_rewrite_its_slot() -> None:
    cache = new_cache(CacheSpec(4, 1, -1))
    for frame in range(8):
        first = write(cache, [frame], 1.0)
        assert write(cache, [frame], 2.0) == first
        assert cache.k[0, 0, first[0][0]].unique().tolist() == [2.0]
    assert cache.filled == [4]


def test_levels_fill_and_turn_on_their_own() -> None:
    cache = new_cache(CacheSpec(4, 1, -1), levels=2)
    assert write(cache, [0, 0], 1.0, frames=2) == [[0, 1], [0, 1]]
    assert write(cache, [2, 2], 1.0) == [[2], [2]]
    assert write(cache, [3, 2], 1.0) == [[3], [2]]
    assert cache.filled == [4, 3]
    assert write(cache, [4, 3], 1.0) == [[1], [3]]
    assert write(cache, [5, 4], 1.0) == [[2], [1]]


def test_a_strange_frame_takes_the_sink_it_resembles_least_and_the_ring_stays() -> None:
    cache = new_cache(CacheSpec(5, 2, 0.2))
    write(cache, [0], 1.0, frames=2)
    for frame in (2, 3, 4):
        write(cache, [frame], 1.0)
    assert write(cache, [5], 1.0) == [[2]]  # like the sinks: the ring
    assert write(cache, [6], -1.0) == [[0]]  # unlike both alike: the first of them
    assert write(cache, [6], -1.0) == [[0]]  # its second step stays there
    assert write(cache, [7], 1.0) == [[0]]  # now unlike sink 0
    assert write(cache, [8], 1.0) == [[3]]  # the ring goes on where it was


def test_no_sink_adapts_while_the_cache_fills() -> None:
    cache = new_cache(CacheSpec(5, 2, 0.2))
    write(cache, [0], 1.0, frames=2)
    assert [write(cache, [frame], -1.0)[0][0] for frame in (2, 3, 4)] == [2, 3, 4]


def test_reset_equals_fresh_and_keeps_its_addresses() -> None:
    spec = CacheSpec(5, 2, 0.2)
    used, fresh = new_cache(spec), new_cache(spec)
    address = used.k.data_ptr()
    for frame, value in enumerate([1.0, 1.0, 3.0, -1.0, 1.0, -1.0, 1.0, -2.0]):
        write(used, [frame], value)
    used.reset_()
    assert used.k.data_ptr() == address
    for frame, value in enumerate([1.0, -1.0, 2.0, 1.0, 1.0, -1.0, 1.0]):
        assert write(used, [frame], value) == write(fresh, [frame], value)
    assert torch.equal(used.k, fresh.k)
    assert used.filled == fresh.filled


def test_impossible_caches_are_refused() -> None:
    with pytest.raises(EngineError, match="sink_frames = 4 must be at least 0 and below kv_frames = 4"):
        CacheSpec(4, 4)
    cache = new_cache(CacheSpec(3, 2, -1))
    with pytest.raises(EngineError, match="raise kv_frames"):
        write(cache, [0], 0.0, frames=5)
    with pytest.raises(EngineError, match="1 levels was called with 2"):
        cache.plan([0, 0], 1)


@pytest.mark.parametrize(
    ("spec", "frames", "kept"),
    [
        (CacheSpec(6, 3, -1), 9, [0, 7, 8]),
        (CacheSpec(12, 1, -1), 9, [0, 7, 8]),
        (CacheSpec(5, 0, -1), 11, [6, 9, 10]),  # without sinks the first place is the oldest latent's
        (CacheSpec(3, 2, -1), 9, [0, 1, 8]),  # the ring has one slot: the last two places
        (CacheSpec(2, 1, -1), 9, [0, 8]),
        (CacheSpec(6, 3, -1), 2, [0, 1]),
        (CacheSpec(6, 3, -1), 0, []),
    ],
)
def test_a_flush_keeps_the_first_and_the_last_two(spec: CacheSpec, frames: int, kept: list[int]) -> None:
    cache = new_cache(spec, levels=2)
    for frame in range(frames):
        write(cache, [frame, frame], torch.tensor([float(frame), -float(frame)]))
    for _ in range(2):  # a second one finds nothing to forget
        cache.flush_()
        assert cache.filled == [len(kept)] * 2
        for level, sign in ((0, 1), (1, -1)):
            assert cache.k[0, level, : len(kept), 0, 0, 0].tolist() == [sign * frame for frame in kept]
    assert torch.equal(cache.k, cache.v) or frames == 0
    later = [write(cache, [frame, frame], 1.0)[0][0] for frame in range(frames, frames + 2 * spec.kv_frames)]
    ring = list(range(spec.sink_frames, spec.kv_frames))
    filling = list(range(len(kept), spec.kv_frames))
    assert later == (filling + ring * 20)[: len(later)]


def test_a_flush_keeps_a_last_latent_that_is_in_a_sink() -> None:
    cache = new_cache(CacheSpec(5, 2, 0.2))
    for frame in range(8):
        write(cache, [frame], 1.0 + frame)
    assert write(cache, [8], -9.0) == [[0]]
    write(cache, [9], 10.0)  # unlike the first sink now, like what it held before
    assert cache.slots[0, 0, 0] == 0
    cache.k[0, 0, 1] = 77.0  # so that the last one takes the second
    cache.v[0, 0, 1] = 77.0
    assert write(cache, [10], -11.0) == [[0]]
    cache.k[0, 0, 0] = cache.v[0, 0, 0] = -5.0
    assert write(cache, [11], -12.0) == [[1]]
    cache.flush_()
    assert cache.k[0, 0, :3, 0, 0, 0].tolist() == [-5.0, 8.0, -12.0]


@pytest.mark.parametrize(
    ("spec", "frames", "slots", "following"),
    [
        (CacheSpec(6, 3, -1), 4, [0, 1, 2, 3], 4),
        (CacheSpec(6, 3, -1), 6, [0, 1, 2, 3, 4, 5], 3),
        (CacheSpec(6, 3, -1), 7, [4, 5, 3], 4),  # the sinks are older
        (CacheSpec(5, 0, -1), 7, [2, 3, 4, 0, 1], 2),
        (CacheSpec(6, 3, -1), 0, [], 0),
    ],
)
def test_a_recall_rewrites_the_slots_of_the_last_latents(spec: CacheSpec, frames: int, slots: list[int], following: int) -> None:
    cache = new_cache(spec)
    for frame in range(frames):
        write(cache, [frame], float(frame))
    plan = cache.recall()
    assert (plan.frames, plan.filled, cache.recent) == (len(slots), (min(frames, spec.kv_frames),), [len(slots)])
    assert cache.slots[0, 0, : plan.frames].tolist() == slots
    turn = cache.ring.clone()
    cache.begin(plan)
    assert torch.equal(cache.ring, turn)
    assert write(cache, [frames - 1], 9.0) == [[following]]  # a new frame, although it begins where the last one did


def test_after_a_flush_the_kept_first_latent_is_no_recent_one() -> None:
    cache = new_cache(CacheSpec(6, 1, -1))
    for frame in range(9):
        write(cache, [frame], float(frame))
    cache.flush_()
    assert cache.recall().frames == 2
    assert cache.slots[0, 0, :2].tolist() == [1, 2]
    for frame in range(9, 14):
        write(cache, [frame], float(frame))
    assert cache.recall().frames == 5
    assert sorted(cache.slots[0, 0, :5].tolist()) == [1, 2, 3, 4, 5]
