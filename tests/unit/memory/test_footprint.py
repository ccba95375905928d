"""What is reckoned on meta, against what torch's profiler sees on this CPU.

Kernels differ from processor to processor in what they take for themselves while they run. So the figures are compared with the
memory that outlives the op which took it, which is the same everywhere; the kernels' own scratch has a bound of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import pytest
import torch
from torch._C._profiler import _EventType
from torch.profiler import ProfilerActivity
from torch.profiler import profile as profiled

from sdv2_live.config.profiles import PROFILES, TINY
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.graphs import CudaCapture
from sdv2_live.engine.spec import ChunkPlan, Schedule, StreamSpec
from sdv2_live.engine.vae_graphs import GraphedVae
from sdv2_live.memory.budget import MARGIN, plan
from sdv2_live.memory.footprint import _NoVae, _size, cache_bytes, denoise_peak, fixed_need, vae_need
from sdv2_live.memory.live_bytes import LiveBytes, peak_of
from sdv2_live.memory.request import MemoryRequest
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.profiles import Profile
from sdv2_live.model.sizes import DitConfig, TaehvConfig, WanVaeConfig
from sdv2_live.model.text.encoder import Placement
from sdv2_live.model.vae_choice import make_vae

SMALL = Profile(
    "small", DitConfig(192, 4, 768, 3, 96), TINY.text, TaehvConfig(), 0, "wan", WanVaeConfig(dim=16), PROFILES["1.3b"].files
)
SIZE = (64, 96)
PICTURE = (32, 48)  # for the autoencoders: without instructions for bf16, a processor takes seconds for one
TAPS = 27  # of the largest convolution, 3 x 3 x 3


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes at their most in a call. own: of tensors that outlive the op that made them. scratch: what ops took beside them and
    gave back inside."""

    own: int
    scratch: int


def measured(run: Callable[[], Any]) -> Measured:
    """What a call takes, as torch's profiler sees it."""
    with profiled(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    steps = sorted(_allocations(seen.profiler.kineto_results.experimental_event_tree()))
    made: dict[int, tuple[int, int]] = {}  # by address: the step, and the op
    inside: set[int] = set()
    for index, (_, address, size, op) in enumerate(steps):
        if size > 0:
            made[address] = index, op
        elif address in made:
            before, maker = made.pop(address)
            inside |= {before, index} if maker == op else set()
    whole = _most(size for _, _, size, _ in steps)
    own = _most(size for index, (_, _, size, _) in enumerate(steps) if index not in inside)
    return Measured(own, whole - own)


def _allocations(events: list[Any], op: int = 0) -> Iterator[tuple[int, int, int, int]]:
    """(time, address, bytes, op) of every allocation, of negative bytes where memory is given back. op: what Python called."""
    for event in events:
        if event.tag == _EventType.Allocation:
            yield event.start_time_ns, event.extra_fields.ptr, event.extra_fields.alloc_size, op or event.id
        yield from _allocations(event.children, op or event.id)


def _most(changes: Iterable[int]) -> int:
    return max(accumulate(changes), default=0)


def test_live_bytes_of_known_tensors() -> None:
    def work() -> torch.Tensor:
        a = torch.zeros(1000)
        b = a + 1  # 8000 bytes
        del a
        c = b.view(10, 100)  # no memory
        return c * 2  # 8000 again

    assert peak_of(work) == (8000, 4000)
    known = torch.zeros(500)
    with LiveBytes() as seen:
        seen.know([known])
        kept = known[:10]
        assert seen.live == 0
    assert kept.shape == (10,)


@pytest.mark.parametrize("schedule", Schedule)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_chunk_of_the_transformer(schedule: Schedule, dtype: torch.dtype) -> None:
    steps = (700, 500)
    spec = StreamSpec(*SIZE, schedule=schedule, levels=2, cache=CacheSpec(6, 3, 0.2))
    dit = CausalDiT(SMALL.dit).to(dtype).eval().requires_grad_(False)
    engine = Engine(dit, _NoVae())
    with torch.inference_mode():
        state, cross = engine.new_state(spec), dit.condition(torch.zeros(1, 60, 96))
        caches = [state.cache, *([state.batch_cache] if state.batch_cache else [])]
        assert abs(cache_bytes(SMALL, dtype, spec) - _size(caches)) < 1000  # the layer's own indices, some bytes each
        tokens = spec.latent_hw[0] * spec.latent_hw[1] // 4
        scores = 4 * SMALL.dit.heads * (3 * tokens) * (6 * tokens)  # bytes; frames at once at the most, and slots of the cache
        own = 0
        for chunk in range(4):
            x = torch.randn(1, 2 if chunk == 0 else 1, 16, *spec.latent_hw)
            seen = measured(lambda x=x: engine.denoise(x, cross, ChunkPlan(0.7, steps), 0, state))
            # A matrix product copies its operands at the most; attention that is not fused makes and copies its scores.
            assert seen.scratch <= max(seen.own, 3 * scores)
            own = max(own, seen.own)
    assert 0.95 * own <= denoise_peak(SMALL, dtype, spec, steps) <= 1.05 * own


@pytest.mark.parametrize("kind", ["wan", "taehv"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_chunk_of_the_autoencoder(kind: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sdv2_live.model.vae.backend.suits", lambda x, conv: False
    )  # a CPU's own way: what is reckoned is a GPU's
    need = vae_need(SMALL, kind, dtype, PICTURE)
    vae: Any = make_vae(SMALL, kind).to(dtype).eval().requires_grad_(False)
    memory, peaks, last = vae.new_memory(), {"encode": 0, "decode": 0}, {"encode": 0, "decode": 0}
    with torch.inference_mode():
        for chunk in range(3):
            pixels = torch.randn(1, 3, 5 if chunk == 0 else 4, *PICTURE)
            latent = torch.randn(1, 2 if chunk == 0 else 1, 16, PICTURE[0] // 8, PICTURE[1] // 8)
            for name, run in {
                "encode": lambda x=pixels: vae.encode(x.to(dtype), memory).float(),
                "decode": lambda x=latent: vae.decode(x.to(dtype), memory).clamp(-1, 1),
            }.items():
                before = _size(memory)
                seen = measured(run)
                assert seen.scratch <= TAPS * seen.own  # the input unfolded, where there is no better kernel
                last[name] = seen.own - (_size(memory) - before)
                peaks[name] = max(peaks[name], last[name])
    assert need.memory == _size(memory)
    assert peaks["encode"] <= need.encode <= 2 * peaks["encode"]  # some room is left for the kernels of a GPU
    assert peaks["decode"] <= need.decode <= 2 * peaks["decode"]
    assert 0.9 * sum(last.values()) <= need.steady <= 1.1 * sum(last.values())


def test_weights_are_those_of_the_model() -> None:
    need = fixed_need(SMALL, torch.bfloat16)
    dit = CausalDiT(SMALL.dit)
    assert need.weights == 2 * sum(parameter.numel() for parameter in dit.parameters())
    assert need.linear == 2 * sum(parameter.numel() for name, parameter in dit.blocks.named_parameters() if _linear(name))
    assert need.cross == 2 * SMALL.dit.layers * 512 * SMALL.dit.dim * 2


def _linear(name: str) -> bool:
    return not any(part in name for part in ("norm", "modulation"))


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["wan", "taehv"])
def test_what_graphs_keep_on_a_gpu(kind: str) -> None:
    """The estimate is no less than the pools that are there after the warm-up, and not more than three times as much."""
    profile = replace(PROFILES["1.3b"], dit=replace(PROFILES["1.3b"].dit, layers=8))
    wish = MemoryRequest(profile, kind, (480, 832), torch.bfloat16, text=Placement.CPU, graphs=True)
    device = torch.device("cuda")
    with torch.device(device), torch.inference_mode():
        dit, vae = CausalDiT(profile.dit).to(torch.bfloat16), make_vae(profile, kind).to(torch.bfloat16)
        engine = Engine(dit, GraphedVae(vae, CudaCapture(device), CudaCapture(device)), capture=CudaCapture(device))
        state = engine.new_state(wish.spec)
        engine.warm_up(state)
    torch.cuda.empty_cache()
    segments = torch.cuda.memory_snapshot()
    kept = sum(segment["total_size"] for segment in segments if tuple(segment["segment_pool_id"]) != (0, 0))
    estimate = plan(wish).parts["CUDA graphs"]
    assert 0 < kept <= estimate + MARGIN
    assert estimate <= 3 * kept


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["wan", "taehv"])
def test_a_whole_chunk_on_a_gpu(kind: str) -> None:
    """The plan of a chunk is no less than what the allocator hands out, and not more than twice as much."""
    profile = replace(PROFILES["1.3b"], dit=replace(PROFILES["1.3b"].dit, layers=8))
    wish = MemoryRequest(profile, kind, (480, 832), torch.bfloat16, text=Placement.CPU)
    device = torch.device("cuda")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    with torch.device(device), torch.inference_mode():
        dit, vae = CausalDiT(profile.dit).to(torch.bfloat16), make_vae(profile, kind).to(torch.bfloat16)
        engine = Engine(dit, vae)
        state, cross = engine.new_state(wish.spec), dit.condition(torch.zeros(1, 60, 4096))
        for chunk in range(4):
            latent = engine.encode(torch.zeros(1, 3, 5 if chunk == 0 else 4, 480, 832), state)
            clean = engine.denoise(latent, cross, ChunkPlan(0.7, (700, 500)), 0, state)
            assert clean is not None
            engine.decode(clean, state)
    peak = torch.cuda.max_memory_allocated() - before
    assert peak <= plan(wish).total <= 2 * peak
