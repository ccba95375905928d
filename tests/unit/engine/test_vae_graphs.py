"""An autoencoder whose steady work is captured computes, bit for bit, what it does without, also after a reset."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from support.recording import RecordingCapture

from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import StreamSpec
from sdv2_live.engine.vae_graphs import GraphedVae
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.sizes import DitConfig, Stage, TaehvConfig, WanVaeConfig
from sdv2_live.model.vae.ops import channels_last
from sdv2_live.model.vae.taehv import TAEHV
from sdv2_live.model.vae.wan import WanVAE


def taehv() -> TAEHV:
    stages = (Stage(16, 1, 2, 2), Stage(16, 1, 2, 2)), (Stage(24, 1, 2, 2), Stage(16, 1, 2, 2))
    return TAEHV(TaehvConfig(patch=2, encoder=stages[0], decoder=stages[1], final_width=16))


@pytest.fixture(params=[taehv, lambda: WanVAE(WanVaeConfig(dim=8))], ids=["taehv", "wan"])
def vae(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    made: Any = request.param().eval().requires_grad_(False)
    channels_last(made)
    return made


@torch.inference_mode()
def test_captured_equals_eager(vae: Any) -> None:
    captures = RecordingCapture(), RecordingCapture()
    graphed = GraphedVae(vae, *captures)
    memory, plain = graphed.new_memory(), vae.new_memory()
    for frames in (5, 4, 4, 4, 4, 0, 5, 4, 4):
        if frames == 0:
            memory.reset_()
            plain.reset_()
            continue
        video = torch.rand(1, 3, frames, 16, 32) * 2 - 1
        latent = graphed.encode(video, memory)
        assert torch.equal(latent, vae.encode(video, plain))
        assert torch.equal(graphed.decode(latent, memory), vae.decode(latent, plain))
    assert [capture.captures for capture in captures] == [1, 1]
    assert [capture.replays for capture in captures] == [5, 5]  # of six steady chunks the first runs as it is


@torch.inference_mode()
def test_results_are_copied_once_on_their_way_and_not_overwritten(vae: Any) -> None:
    dit = CausalDiT(DitConfig(dim=24, heads=2, ffn=32, layers=1, text_dim=8))
    engine = Engine(dit, GraphedVae(vae, RecordingCapture(), RecordingCapture()), vae_dtype=torch.float32)
    state, places, pictures = engine.new_state(StreamSpec(16, 32)), [], []
    for frames in (5, 4, 4, 4, 4):
        latent = engine.encode(torch.rand(1, 3, frames, 16, 32) * 2 - 1, state)
        graphs = state.vae
        places.append(engine.vae.decode(latent, graphs).data_ptr())
        pictures.append(engine.decode(latent, state))
    assert places[-1] == places[-2]  # where the graph leaves it
    assert len({picture.data_ptr() for picture in pictures}) == len(pictures)


@torch.inference_mode()
def test_a_chunk_whose_first_frames_were_pushed_is_not_captured(vae: Any) -> None:
    captures = RecordingCapture(), RecordingCapture()
    graphed = GraphedVae(vae, *captures)
    memory, plain = graphed.new_memory(), vae.new_memory()
    for frames, pushed in ((5, 0), (4, 0), (4, 0), (4, 2), (4, 0)):
        video = torch.rand(1, 3, frames, 16, 32) * 2 - 1
        for each, own in ((graphed, memory), (vae, plain)):
            each.push(video[:, :, :pushed], own)
        assert torch.equal(graphed.encode(video[:, :, pushed:], memory), vae.encode(video[:, :, pushed:], plain))
    assert captures[0].replays == 2  # of four steady chunks the first and the pushed one run as they are


@torch.inference_mode()
def test_nothing_of_an_old_stream_lives_on(vae: Any) -> None:
    graphed = GraphedVae(vae, RecordingCapture(), RecordingCapture())
    memory = graphed.new_memory()
    for frames in (5, 4, 4, 4):
        graphed.decode(graphed.encode(torch.rand(1, 3, frames, 16, 32) * 2 - 1, memory), memory)
    assert memory.captured
    left: list[weakref.ref[Any]] = [weakref.ref(one) for one in (memory, memory.own, *memory.captured.values())]
    gc.disable()  # a cycle would wait for the collector, with gigabytes of a card
    try:
        del memory
        assert [ref() for ref in left] == [None] * len(left)
    finally:
        gc.enable()
