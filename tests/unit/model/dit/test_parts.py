"""A transformer cut between its blocks gives the bits of the whole."""

from __future__ import annotations

import pytest
import torch
from support.tiny import synthetic

from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.dit.kv_cache import KVCache
from sdv2_live.model.sizes import DitConfig

CONFIG = DitConfig(dim=96, heads=2, ffn=192, layers=4, text_dim=32)
HW = (8, 8)


def model(*blocks: int) -> CausalDiT:
    """Blocks `first`, `last` + 1 of the model, or all of it."""
    dit = synthetic(CausalDiT(CONFIG))
    assert isinstance(dit, CausalDiT)
    if blocks:
        dit.keep(range(*blocks))
    return dit


def cache(dit: CausalDiT, levels: int = 1) -> KVCache:
    return dit.new_cache(CacheSpec(4, 2, 0.2), HW, levels)


@pytest.mark.parametrize("cuts", [(1, 4), (3, 4), (1, 2, 3, 4)])
@torch.inference_mode()
def test_parts_give_the_flow_of_the_whole(cuts: tuple[int, ...]) -> None:
    """Levels one by one, too: each with its row of the modulation that was computed for all."""
    whole, parts = model(), [model(begin, end) for begin, end in zip((0, *cuts), cuts, strict=False)]
    generator = torch.Generator().manual_seed(1)
    prompt = torch.randn(1, 9, 32, generator=generator)
    cross, crosses = whole.condition(prompt), [part.condition(prompt) for part in parts]
    together, apart = cache(whole, 2), [[cache(part) for _ in range(2)] for part in parts]
    rope = whole.rope()
    for call in range(7):
        x, starts = torch.randn(2, 1, 16, *HW, generator=generator), [call + 1, call]
        t = torch.tensor([[700.0 - call], [400.0]], dtype=torch.float64)
        flow = whole(x, t, starts, cross=cross, cache=together, rope=rope)
        for level in range(2):
            y = x[level : level + 1]
            rotations = rope.rotations(torch.tensor(starts[level : level + 1]), 1, 4, 4)
            for part, own, caches in zip(parts, crosses, apart, strict=True):
                plan = caches[level].plan(starts[level : level + 1], 1)
                rows = part.times(t).rows(level, level + 1, 1)
                y = part.part(y, rows, part.call(rotations, caches[level], plan, own), HW)
            assert torch.equal(y, flow[level : level + 1]), (call, level)


def test_a_part_has_the_names_of_its_file_and_memory_for_its_blocks_alone() -> None:
    dit = model(1, 3)
    numbers = {key.split(".")[1] for key in dit.state_dict() if key.startswith("blocks.")}
    assert numbers == {"1", "2"}
    assert [dit.holds(f"blocks.{i}.ffn.0.weight") for i in range(4)] == [False, True, True, False]
    assert dit.holds("head.head.weight")
    assert cache(dit).k.shape[0] == 2
