"""Streams of blocks, of every kind and at odd settings, against the same computation written anew in plain PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from support import tiny
from support.blocks import PlainDiT, PlainStream
from torch import Tensor

from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import ChunkPlan, Mode, StreamSpec
from sdv2_live.model.dit.cache_spec import TIME_ROWS, CacheSpec
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.sizes import DitConfig

SIZE, LATENT = (48, 32), (6, 4)


@pytest.fixture(scope="module")
def engine() -> Engine:
    dit = CausalDiT(DitConfig(dim=48, heads=2, ffn=64, layers=2, text_dim=16))
    tiny.synthetic(dit)
    return Engine(dit, tiny.small_engine().vae)


@dataclass(frozen=True)
class Case:
    """A stream: its kind, and for each block its latents, its number of steps and what happens to the past before it."""

    window: int
    sinks: int
    block: int = 3
    blocks: int = 6
    kind: dict[str, Any] = field(default_factory=dict)
    first: int = 0  # latents of the first block, where they are others
    memory: float = 1.0
    changes: dict[int, str] = field(default_factory=dict)  # of the prompt: soft, recache or flush
    steps: Sequence[float] = (1000.0, 833.3333, 312.5)

    @property
    def spec(self) -> StreamSpec:
        kind = {"context_t": 0.0, "shift": 5.0, "warp": True, "rope_refresh_frame": TIME_ROWS, **self.kind}
        return StreamSpec(*SIZE, cache=CacheSpec(self.window, self.sinks, -1), mode=Mode.TEXT, block=self.block, **kind)


RELATIVE, KREA = {"positions": "relative"}, {"context_t": None}
CASES = {
    "more sinks than a block": Case(9, 5),
    "a window of no whole blocks": Case(8, 2, blocks=7),
    "no sinks": Case(7, 0, blocks=7),
    "no context pass": Case(7, 2, kind={"context_t": None}),
    "another context timestep": Case(6, 3, kind={"context_t": 120.0}),
    "four latents first": Case(6, 3, first=4),
    "five latents first, which fill the sinks": Case(8, 5, first=5),
    "two latents, then one at a time": Case(4, 1, block=1, first=2, blocks=8),
    "blocks of two, relative": Case(7, 3, block=2, blocks=8, kind=RELATIVE),
    "relative, four latents first, no sinks": Case(7, 0, first=4, kind=RELATIVE),
    "relative, a new prompt before and after it rolls": Case(7, 2, kind=RELATIVE, blocks=7, changes={1: "recache", 5: "recache"}),
    "relative, sinks anew": Case(7, 2, kind={**RELATIVE, "recache_sinks": True}, changes={1: "recache", 4: "recache"}),
    "a new prompt before and after it rolls": Case(7, 3, blocks=7, changes={1: "recache", 2: "recache", 5: "recache"}),
    "a new prompt, four latents first": Case(8, 1, first=4, changes={3: "recache"}),
    "sinks anew": Case(7, 3, kind={"recache_sinks": True}, blocks=8, changes={2: "recache", 4: "recache"}),
    "a new prompt with another context timestep": Case(6, 0, kind={"context_t": 50.0}, changes={3: "recache"}),
    "a large window is dropped": Case(15, 4, blocks=7, changes={4: "flush"}),
    "a large window is dropped, relative": Case(14, 1, blocks=9, kind=RELATIVE, changes={4: "flush", 6: "flush"}),
    "a short past is dropped": Case(9, 0, block=1, changes={1: "flush", 2: "flush", 4: "flush"}, blocks=8),
    "a lighter past": Case(9, 2, memory=0.3),
    "a lighter past without sinks": Case(7, 0, memory=0.1, blocks=7),
    "a lighter past, relative, with everything": Case(
        8, 1, kind=RELATIVE, memory=0.5, blocks=8, first=4, changes={2: "recache", 5: "flush", 7: "soft"}
    ),
    "the end of the positions": Case(7, 2, kind={"rope_refresh_frame": 12}, blocks=9, memory=0.6),
    "the end of the positions, single latents": Case(5, 0, block=1, kind={"rope_refresh_frame": 7}, blocks=12),
    "no end of relative positions": Case(7, 2, kind={**RELATIVE, "rope_refresh_frame": 9}, blocks=8),
    "a context of one": Case(4, 0, kind={**KREA, "recompute": 1}),
    "a context of two groups": Case(9, 0, kind={**KREA, "recompute": 6}, blocks=6),
    "a context of no whole groups": Case(8, 0, kind={**KREA, "recompute": 5}, blocks=6, memory=0.3),
    "a context shorter than a block": Case(5, 0, kind={**KREA, "recompute": 2}, changes={3: "soft"}),
    "a context, four latents first": Case(7, 0, kind={**KREA, "recompute": 4}, first=4, memory=0.7),
    "a context of single latents": Case(5, 0, block=1, blocks=8, kind={**KREA, "recompute": 4}),
    "a context and a larger window": Case(12, 0, kind={**KREA, "recompute": 3}, blocks=6),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@torch.inference_mode()
def test_blocks_are_what_plain_code_computes(engine: Engine, case: Case) -> None:
    generator, spec = torch.Generator().manual_seed(3), case.spec
    state, plain = engine.new_state(spec), PlainStream(PlainDiT(engine.dit), spec)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    context = random(1, 5, 16)
    for i in range(case.blocks):
        if change := case.changes.get(i):
            context = random(1, 4, 16)
        cross, text = engine.dit.condition(context), plain.dit.text(context[0])
        if change == "flush":
            state.flush_()
            plain.flush()
        elif change == "recache":
            engine.recache(cross, state)
            plain.recache(text)
        frames = case.first or case.block if i == 0 else case.block
        noise = [random(1, frames, 16, *LATENT) for _ in case.steps]
        anchor = random(16, *LATENT)
        if state.anchor is not None:
            state.anchor.latent = anchor[None, None]
        state.noise = Drawn(noise)
        latent = torch.zeros(1, frames, 16, *LATENT)
        clean = engine.denoise(latent, cross, ChunkPlan(1.0, tuple(case.steps), case.memory), 0, state)
        wanted = plain.block(torch.stack(noise)[:, 0], case.steps, text, memory=case.memory, anchor=anchor)
        assert clean is not None
        torch.testing.assert_close(clean[0], wanted.float(), rtol=1e-4, atol=1e-4, msg=lambda text, i=i: f"block {i}: {text}")


class Drawn:
    """Noise that was drawn before."""

    def __init__(self, noise: Sequence[Tensor]) -> None:
        self._noise = list(noise)

    def begin(self, chunk: int, seed: int) -> None:
        """Nothing is drawn anew."""

    def draw(self, shape: Sequence[int]) -> Tensor:
        return self._noise.pop(0)
