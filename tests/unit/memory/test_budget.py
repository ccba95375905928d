"""What takes how much, what saves how much, and what is chosen where memory is short."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES
from sdv2_live.engine.spec import Schedule
from sdv2_live.errors import MemoryShortageError
from sdv2_live.memory.budget import fit, lighter_vaes, plan, savings, smaller_sizes, ways
from sdv2_live.memory.fit import affordable, chosen_placement, fitted, require_room, wish_of
from sdv2_live.memory.footprint import WORKSPACE, denoise_peak, vae_need
from sdv2_live.memory.request import MemoryRequest
from sdv2_live.model.text.encoder import Placement

LARGE = PROFILES["1.3b"]
WISH = MemoryRequest(LARGE, "wan", (480, 832), torch.bfloat16)
GB = 1_000_000_000
CPU = torch.device("cpu")
ANY: dict[str, Any] = {
    "vaes": lighter_vaes(LARGE, "wan"),
    "texts": (Placement.GPU, Placement.CPU),
    "sizes": smaller_sizes(WISH.size),
    "fp8": False,
}


def test_known_parts() -> None:
    parts = plan(WISH).parts
    tokens = (480 // 16) * (832 // 16)
    frames = 2 * 30 * 6 * tokens * 1536 * 2  # keys and values, layers, slots, tokens, width, bytes
    means = 2 * 30 * 3 * 1536 * 4  # float32, of the sinks
    assert 0 <= parts["key/value caches"] - frames - means < 10_000
    assert parts["transformer weights"] == pytest.approx(2.84 * GB, rel=0.01)
    assert parts["text encoder"] == pytest.approx(11.36 * GB, rel=0.01)
    assert parts["autoencoder weights"] == pytest.approx(0.254 * GB, rel=0.01)


def test_a_prompt_that_gives_way_to_the_next_is_there_beside_it() -> None:
    parts = plan(WISH).parts
    cross = 2 * 30 * 512 * 1536 * 2  # keys and values, layers, tokens, width, bytes
    assert parts["prompt"] == parts["second prompt"] == cross


@pytest.mark.parametrize("schedule", Schedule)
def test_graphs_keep_what_is_alive_in_a_steady_chunk_of_each_pool(schedule: Schedule) -> None:
    wish = replace(WISH, schedule=schedule)
    without, captured = plan(wish), plan(replace(wish, graphs=True))
    assert without.parts["CUDA graphs"] == 0
    vae = vae_need(LARGE, "wan", torch.bfloat16, WISH.size)
    denoise = denoise_peak(LARGE, torch.bfloat16, wish.spec, wish.steps)
    pools = captured.parts["CUDA graphs"]
    assert vae.steady < pools <= denoise + vae.encode + vae.decode + 3 * WORKSPACE
    assert captured.total > without.total + pools
    found = {way.setting: way.bytes for way in savings(replace(wish, graphs=True))}
    assert found["engine.cuda_graphs: off, engine.overlap: off"] == captured.total - without.total


def test_chunks_that_overlap_take_their_stages_at_once() -> None:
    alone, together = plan(WISH), plan(replace(WISH, overlap=True))
    vae = vae_need(LARGE, "wan", torch.bfloat16, WISH.size)
    denoise = denoise_peak(LARGE, torch.bfloat16, WISH.spec, WISH.steps)
    assert alone.parts["largest stage"] < together.parts["largest stage"] == vae.encode + denoise + vae.decode
    found = {way.setting: way.bytes for way in savings(replace(WISH, overlap=True))}
    assert found["engine.overlap: off"] == together.total - alone.total
    # What is captured has its memory in the graphs already.
    captured = replace(WISH, graphs=True)
    assert plan(captured).parts == plan(replace(captured, overlap=True)).parts


def test_graphs_are_given_up_after_the_text_encoders_place() -> None:
    wish = replace(WISH, graphs=True)
    without_text = plan(replace(wish, text=Placement.CPU))
    assert fit(ways(wish, **ANY), without_text.total) == without_text
    assert fit(ways(wish, **ANY), without_text.total - 1).wish == replace(WISH, text=Placement.CPU)


def test_stream_batch_has_a_cache_a_level_and_one_to_begin() -> None:
    one = plan(WISH).parts["key/value caches"]
    three = plan(replace(WISH, schedule=Schedule.STREAM_BATCH)).parts["key/value caches"]
    assert three == pytest.approx(3 * one, rel=1e-4)


def test_every_saving_is_what_the_change_saves() -> None:
    wish = replace(WISH, schedule=Schedule.STREAM_BATCH)
    found = {way.setting.partition(":")[0]: way.bytes for way in savings(wish)}
    assert {"model.text_encoder", "engine.schedule", "model.fp8", "model.vae", "video.size"} <= found.keys()
    assert min(found.values()) > 0
    changed = plan(replace(wish, text=Placement.CPU)).total
    assert found["model.text_encoder"] == plan(wish).total - changed


def test_the_text_encoder_goes_first_and_the_size_last() -> None:
    whole = plan(WISH).total
    assert fit(ways(WISH, **ANY), whole).wish == WISH
    without_text = fit(ways(WISH, **ANY), whole - 1)
    assert without_text.wish == replace(WISH, text=Placement.CPU)
    fewer = fit(ways(WISH, **ANY), without_text.total - 1)
    assert (fewer.wish.kv_frames, fewer.wish.vae, fewer.wish.size) == (5, "wan", WISH.size)
    lighter = fit(ways(WISH, **ANY), fewer.total - 1)
    assert (lighter.wish.vae, lighter.wish.size) == ("light", WISH.size)
    least = replace(WISH, text=Placement.CPU, kv_frames=5, sink_frames=2)
    smallest = min(plan(replace(least, vae=vae)).total for vae in ANY["vaes"])
    smaller = fit(ways(WISH, **ANY), smallest - 1)
    assert smaller.wish.size == smaller_sizes(WISH.size)[1]
    assert fit(ways(WISH, **ANY), GB) is None


def test_sizes_and_autoencoders_to_fall_back_to() -> None:
    sizes = smaller_sizes((480, 832))
    assert sizes[0] == (480, 832)
    assert all(side % 16 == 0 for size in sizes for side in size)
    assert [h * w for h, w in sizes] == sorted((h * w for h, w in sizes), reverse=True)
    assert smaller_sizes((128, 128)) == ((128, 128),)
    assert smaller_sizes((64, 512))[1:] == ()  # nothing grows
    assert lighter_vaes(PROFILES["tiny"], "taehv") == ("taehv",)


def config(folder: Path, *options: str):  # type: ignore[no-untyped-def]
    return load_config(
        None, ["model.profile=1.3b", "model.device=cpu", "model.dtype=bf16", f"model.weights_dir={folder}", *options]
    )


def test_too_little_is_told_with_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdv2_live.memory.fit.free_bytes", lambda device: 4 * GB)
    with pytest.raises(MemoryShortageError) as told:
        require_room(config(tmp_path), LARGE)
    text = str(told.value)
    assert "1.3b at 464x848 needs" in text or "1.3b at 480x832 needs" in text
    assert "4.0 GB are free" in text
    assert "GB too little" in text
    assert "model.vae: taehv saves" in text
    monkeypatch.setattr("sdv2_live.memory.fit.free_bytes", lambda device: 400 * GB)
    require_room(config(tmp_path), LARGE)
    monkeypatch.setattr("sdv2_live.memory.fit.free_bytes", lambda device: 1)
    require_room(load_config(None, ["model.profile=tiny"]), PROFILES["tiny"])  # always has room


def test_graphs_are_off_where_they_alone_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wish = replace(WISH, text=Placement.CPU, graphs=True, overlap=True)
    alone = replace(wish, graphs=False, overlap=False)
    whole, without = plan(wish).total, plan(alone).total
    assert affordable(wish, whole) == affordable(wish, without - 1) == wish  # nothing is gained where it does not fit anyway
    assert affordable(wish, whole - 1) == affordable(wish, without) == alone
    monkeypatch.setattr("sdv2_live.memory.fit.wish_of", lambda *_: wish)
    monkeypatch.setattr("sdv2_live.memory.fit.free_bytes", lambda device: without)
    asked = config(tmp_path, "model.text_encoder=cpu")
    engine = fitted(asked, LARGE).engine
    assert (engine.cuda_graphs, engine.overlap) == ("off", "off")
    assert "CUDA graphs and chunks that overlap would take about" in caplog.text
    require_room(asked, LARGE)
    monkeypatch.setattr("sdv2_live.memory.fit.free_bytes", lambda device: whole)
    assert fitted(asked, LARGE) == asked
    monkeypatch.setattr("sdv2_live.memory.fit.free_bytes", lambda device: without - 1)
    with pytest.raises(MemoryShortageError):
        require_room(asked, LARGE)


def test_fit_changes_what_is_auto_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in (*LARGE.files.vae("light"), *LARGE.files.vae("wan")):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "wan_causal_dmd_v2v").mkdir()
    (tmp_path / "wan_causal_dmd_v2v/model.pt").write_bytes(b"")
    asked = config(tmp_path, "model.fit=true", "engine.overlap=off")
    whole = plan(wish_of(asked, LARGE, CPU)).total
    assert fitted(config(tmp_path), LARGE, 1) == config(tmp_path)  # without fit, nothing
    got = fitted(asked, LARGE, whole - 3 * GB)
    assert (got.model.vae, got.engine.kv_frames, got.video.max_pixels) == ("light", 6, None)
    assert "model.vae: light in place of wan" in caplog.text
    fixed = config(tmp_path, "model.fit=true", "model.vae=wan", "engine.overlap=off")
    got = fitted(fixed, LARGE, whole - 3 * GB)
    assert got.model.vae == "wan"
    assert got.video.max_pixels is not None
    assert got.video.max_pixels < LARGE.max_pixels
    assert plan(wish_of(got, LARGE, CPU)).total <= whole - 3 * GB
    with pytest.raises(MemoryShortageError, match="found nothing that fits"):
        fitted(asked, LARGE, GB)


def test_where_the_text_encoder_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdv2_live.memory.fit.free_bytes", lambda device: 20 * GB)
    gpu = torch.device("cuda")
    asked = config(tmp_path)
    whole = plan(replace(wish_of(asked, LARGE, CPU), unified=False, graphs=True)).total
    assert chosen_placement(asked, LARGE, gpu, whole) is Placement.GPU
    assert chosen_placement(asked, LARGE, gpu, whole - 1) is Placement.CPU
    monkeypatch.setattr("sdv2_live.memory.fit.free_bytes", lambda device: 10 * GB)
    assert chosen_placement(asked, LARGE, gpu, whole - 1) is Placement.ON_DEMAND
    assert chosen_placement(config(tmp_path, "model.text_encoder=gpu"), LARGE, gpu, 1) is Placement.GPU


def test_a_model_is_planned_for_as_it_was_trained() -> None:
    def wish(*options: str) -> MemoryRequest:
        return wish_of(load_config(None, list(options)), PROFILES["longlive"], torch.device("cpu"))

    assert (wish().kv_frames, wish().sink_frames, wish().spec.block, wish().steps) == (12, 3, 3, (1000, 750, 500, 250))
    fewer = wish("engine.kv_frames=9", "params.steps=[1000]")
    assert (fewer.kv_frames, fewer.steps) == (9, (1000,))
    assert wish("engine.mode=text", "params.steps=[1000]").steps == (1000, 750, 500, 250)
