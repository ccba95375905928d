"""The weight of the past: its definition, and the two attentions that are merged to the same where kernels take no bias."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

import pytest
import torch
from support import tiny
from support.sums import normalised
from torch import Tensor

from sdv2_live.engine.spec import ChunkSettings, Schedule, StreamSpec
from sdv2_live.errors import EngineError
from sdv2_live.model.dit.attention import Attend, checked
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.kv_cache import KVCache
from sdv2_live.model.dit.layers import Call
from sdv2_live.model.dit.ops import TorchOps
from sdv2_live.model.dit.past import attend_cache, merged

TOKENS, HEADS, WIDTH = 4, 2, 8
MERGED = Attend("merged", normalised=normalised)


def cache_after(spec: CacheSpec, calls: list[int], values: float = 1.0) -> KVCache:
    """A cache of two levels after calls of so many frames, whose keys and values are random around numbers of either sign."""
    cache = KVCache(
        spec, layers=1, levels=2, tokens=TOKENS, heads=HEADS, head_dim=WIDTH, dtype=torch.float32, device=torch.device("cpu")
    )
    generator, start = torch.Generator().manual_seed(0), 0
    for frames in calls:
        cache.begin(plan := cache.plan([start, start], frames))
        k, v = torch.randn(2, 2, frames * TOKENS, HEADS, WIDTH, generator=generator)
        cache.write(0, plan, k + values, v + values)
        start, values = start + frames, -values
    return cache


def attended(attend: Attend, cache: KVCache, frames: int, memory: float | None) -> Tensor:
    """Queries of the cache's last call, of so many frames, over what it holds."""
    filled = cache.filled[0]
    call = Call(
        rotations=torch.empty(0),
        cache=cache,
        plan=replace(cache.plan([-1, -1], frames), filled=(filled, filled)),
        cross=None,  # type: ignore[arg-type]
        ops=TorchOps(),
        attend=attend,
        memory=None if memory is None else torch.tensor(memory, dtype=torch.float64),
    )
    q = torch.randn(2, 5, HEADS, WIDTH, generator=torch.Generator().manual_seed(1))
    return attend_cache(q, 0, call, slice(None), filled)


def by_hand(cache: KVCache, frames: int, memory: float, first: int) -> Tensor:
    """The definition, level by level. first: the slot in the first place."""
    q = torch.randn(2, 5, HEADS, WIDTH, generator=torch.Generator().manual_seed(1))
    out = []
    for level in range(2):
        own = set(cache.slots[0, level, :frames].tolist())
        k, v = (x[0, level, : cache.filled[level]].flatten(0, 1) for x in (cache.k, cache.v))
        weights = torch.tensor([1.0 if i // TOKENS in own | {first} else memory for i in range(len(k))])
        scores = torch.einsum("shd,nhd->hsn", q[level], k) / math.sqrt(WIDTH)
        shares = weights * scores.exp()
        out.append(torch.einsum("hsn,nhd->shd", shares / shares.sum(-1, keepdim=True), v))
    return torch.stack(out)


CASES = {  # the cache, the frames of its calls, and the slot in the first place
    "filling": (CacheSpec(6, 3, -1), [2, 1, 1], 0),
    "turned": (CacheSpec(6, 3, -1), [2, 1, 1, 1, 1, 1, 1], 0),
    "blocks": (CacheSpec(7, 1, -1), [3, 3, 3], 0),
    "without sinks, turned": (CacheSpec(5, 0, -1), [2, 1, 1, 1, 1, 1], 2),  # slots 0 and 1 hold the newest two
    "without sinks, filling": (CacheSpec(5, 0, -1), [2, 1], 0),
    "the call took the first sink": (CacheSpec(4, 1, 0.99), [1, 1, 1, 1, 1], 0),
    "the call is all there is": (CacheSpec(6, 3, -1), [3], 0),
}
cases = pytest.mark.parametrize(("spec", "calls", "first"), CASES.values(), ids=CASES)


@cases
@pytest.mark.parametrize("memory", [0.01, 0.3, 0.999])
def test_both_ways_are_the_definition(spec: CacheSpec, calls: list[int], first: int, memory: float) -> None:
    found = []
    for attend in (Attend("sdpa"), MERGED):
        cache = cache_after(spec, calls)
        if spec.adaptive:
            assert cache.slots[0, 0, 0] == 0
        expected = by_hand(cache, calls[-1], memory, first)
        found.append(attended(attend, cache, calls[-1], memory))
        torch.testing.assert_close(found[-1], expected, rtol=1e-4, atol=1e-5)


@cases
def test_at_one_it_is_the_plain_attention(spec: CacheSpec, calls: list[int], first: int) -> None:
    plain = attended(Attend("sdpa"), cache_after(spec, calls), calls[-1], None)
    torch.testing.assert_close(attended(MERGED, cache_after(spec, calls), calls[-1], 1.0), plain)


def test_merging_holds_where_one_part_outweighs_the_other_by_far() -> None:
    whole, part = torch.full((1, 2, 1, 3), 2.0), torch.full((1, 2, 1, 3), 5.0)
    sums = torch.tensor([[[90.0, 90.0]]]), torch.tensor([[[-90.0, 90.0]]])
    found = merged(whole, sums[0], part, sums[1], torch.tensor(0.25, dtype=torch.float64))
    torch.testing.assert_close(found[:, 0], whole[:, 0])  # none of it is in that part
    torch.testing.assert_close(found[:, 1], torch.full((1, 1, 3), 0.25 * 2 + 0.75 * 5))


SPECS = {
    "sequential": tiny.spec(),
    "adaptive sinks": StreamSpec(32, 32, cache=CacheSpec(4, 2, 0.9)),
    "no sinks": StreamSpec(32, 32, cache=CacheSpec(4, 0, -1)),
    "stream_batch": tiny.spec(schedule=Schedule.STREAM_BATCH, levels=2),
    "stream_batch, adaptive sinks": StreamSpec(32, 32, Schedule.STREAM_BATCH, 2, cache=CacheSpec(4, 2, 0.9)),
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_stream_is_the_same_both_ways(spec: StreamSpec) -> None:
    engine, settings = tiny.small_engine(), ChunkSettings(memory=0.2)
    video, cross = tiny.clip(45), tiny.prompt(engine)
    trained, biased = (tiny.run(engine, engine.new_state(spec), video, cross, 9, each) for each in (None, settings))
    engine.dit.attend = MERGED
    merging = tiny.run(engine, engine.new_state(spec), video, cross, 9, settings)
    for plain, one, other in zip(trained, biased, merging, strict=True):
        if one is None or other is None or plain is None:
            assert one is other is plain
        else:
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    assert biased[-1] is not None and trained[-1] is not None  # noqa: PT018
    assert not torch.allclose(biased[-1], trained[-1], rtol=1e-3, atol=1e-4)


def test_a_memory_of_one_is_todays_path() -> None:
    engine, video = tiny.small_engine(), tiny.clip(29)
    cross, spec = tiny.prompt(engine), tiny.spec()
    engine.dit.attend = MERGED  # which would differ in the last bits
    merging = tiny.run(engine, engine.new_state(spec), video, cross, 6, ChunkSettings(memory=1.0))
    engine.dit.attend = Attend("sdpa")
    plain = tiny.run(engine, engine.new_state(spec), video, cross, 6)
    assert all(torch.equal(a, b) for a, b in zip(merging, plain, strict=True) if a is not None and b is not None)


@pytest.mark.parametrize("memory", [0.0, -1.0, 1.01])
def test_an_impossible_memory_is_refused(memory: float) -> None:
    with pytest.raises(EngineError, match=r"memory = .* must be 0.01 to 1"):
        ChunkSettings(memory=memory)


def test_a_kernel_whose_sums_are_wrong_gives_way_to_a_bias(caplog: pytest.LogCaptureFixture) -> None:
    def fails(*tensors: Tensor) -> tuple[Tensor, Tensor]:
        raise RuntimeError("no kernel image")

    def wrong(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        out, sums = normalised(q, k, v)
        return out, sums * math.log(2)  # as if they were to base 2

    cpu = torch.device("cpu")
    assert checked(MERGED, "auto", 2, 16, cpu) is MERGED
    with caplog.at_level(logging.WARNING, "sdv2_live.model"):
        for broken, why in ((fails, "RuntimeError: no kernel image"), (wrong, "its sums differ by")):
            found = checked(Attend("sdpa (flash)", normalised=broken), "auto", 2, 16, cpu)
            assert (found.name, found.normalised) == ("sdpa (flash)", None)
            assert why in caplog.text
