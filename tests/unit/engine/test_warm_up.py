"""After the warm-up nothing that a show asks of the device is new, and the warm-up takes few calls: the picture waits for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from support import tiny
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import ChunkSettings, Mode, Schedule, StreamSpec
from sdv2_live.engine.state import StreamState
from sdv2_live.engine.vae_graphs import GraphedVae
from sdv2_live.model.dit.cache_spec import CacheSpec

CHOSEN = ("mm", "linear", "conv", "scaled_dot")  # what libraries choose a kernel for, by the shapes
SEQUENTIAL = StreamSpec(32, 32)
BATCH = replace(SEQUENTIAL, schedule=Schedule.STREAM_BATCH)
PLAIN, ADAPTIVE = CacheSpec(4, 1, -1), CacheSpec(4, 2, 0.9)
SHOWS = {  # the autoencoder, and the stream
    "sequential": ("taehv", replace(SEQUENTIAL, cache=PLAIN)),
    "wan": ("wan", replace(SEQUENTIAL, height=16, width=16, cache=PLAIN)),
    "adaptive sinks": ("taehv", replace(SEQUENTIAL, cache=ADAPTIVE)),
    "text": ("taehv", replace(SEQUENTIAL, cache=PLAIN, mode=Mode.TEXT)),
    **{f"stream_batch of {n}": ("taehv", replace(BATCH, cache=PLAIN, levels=n)) for n in (1, 2, 4)},
    "stream_batch, adaptive sinks": ("taehv", replace(BATCH, cache=ADAPTIVE)),
    "stream_batch, a long window": ("taehv", replace(BATCH, cache=CacheSpec(6, 1, -1))),
    **{name: ("taehv", spec) for name, spec in tiny.kin().items()},
    "single latents of noise": ("taehv", replace(tiny.kin()["single latents"], mode=Mode.TEXT)),
}
# Encodings, steps and decodings of a warm-up that takes whole chunks until every number of steps is captured, with either memory.
BEFORE = 16 + 2 * 36 + 16


class Shapes(TorchDispatchMode):
    """What the device was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[object, ...]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if any(chosen in name for chosen in CHOSEN):
            tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            self.seen.add((name, *((tuple(tensor.shape), tensor.stride(), tensor.dtype) for tensor in tensors)))
        return func(*args, **(kwargs or {}))


def capture(function: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """A `Capture` as a device sees it: nothing runs but what is replayed."""
    return function


@pytest.fixture(scope="module")
def plain() -> dict[str, Engine]:
    return tiny.small_engines()


def graphed(plain: Engine) -> Engine:
    """An engine as on a GPU: all that is steady is captured, and frames do not come early."""
    vae = GraphedVae(plain.vae, capture, capture)  # type: ignore[arg-type]
    return Engine(plain.dit, vae, capture=capture, encode_ahead=False)


def play(engine: Engine, state: StreamState) -> None:
    """A show: a full cache, a cut, a full cache, a reset, every number of steps, other memories, a recache, a flush."""
    with torch.inference_mode():
        cross = engine.dit.condition(torch.zeros(1, 1, tiny.TEXT_DIM))
    length = state.spec.cache.kv_frames + state.spec.levels
    video = None if state.spec.mode is Mode.TEXT else tiny.clip(13, size=(state.spec.height, state.spec.width))
    usual, others = (state.spec.levels, ()) if state.queue is not None else (2, (1, 3, 4))
    acts: list[tuple[Callable[[], None], list[int], float]] = [
        (lambda: None, [usual] * length, 1.0),
        (state.cut_, [usual] * length, 1.0),
        (state.reset_, [usual, usual, *others], 0.3),
        (state.cut_, [usual] * length, 0.1),
        (lambda: engine.recache(cross, state), [usual], 1.0),
        (state.flush_, [usual] * length, 0.9),
    ]
    for change, counts, memory in acts:
        change()
        for count in counts:
            settings = ChunkSettings(steps=(900, 700, 500, 300)[:count], memory=memory)
            for clean in tiny.run(engine, state, video, cross, 1, settings):
                if clean is not None:
                    engine.decode(clean, state)


@pytest.mark.parametrize(("kind", "spec"), SHOWS.values(), ids=SHOWS)
def test_nothing_that_a_show_asks_of_the_device_is_new(plain: dict[str, Engine], kind: str, spec: StreamSpec) -> None:
    with Shapes() as shapes:
        engine = graphed(plain[kind])
        state = engine.new_state(spec)
        engine.warm_up(state)
        known = set(shapes.seen)  # without those of the captures: a library cannot choose a kernel, or load one, in there
        play(engine, state)
    assert len(known) > 20
    assert shapes.seen - known == set()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [(SEQUENTIAL, (3, 17, 3)), (replace(SEQUENTIAL, mode=Mode.TEXT), (0, 15, 3)), (BATCH, (3, 24, 3))],
    ids=["sequential", "text", "stream_batch"],
)
def test_the_picture_waits_for_few_calls(
    plain: dict[str, Engine], spec: StreamSpec, expected: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Counter[str]()
    engine = graphed(plain["wan"])
    for owner, name in ((engine.vae, "encode"), (engine.vae, "decode"), (engine.dit, "flow")):
        real = getattr(owner, name)

        def counted(*args: Any, name: str = name, real: Any = real, **keys: Any) -> Any:
            calls[name] += 1
            return real(*args, **keys)

        monkeypatch.setattr(owner, name, counted)
    engine.warm_up(engine.new_state(spec))
    assert (calls["encode"], calls["flow"], calls["decode"]) == expected
    assert 3 * sum(expected) <= BEFORE
