"""A timeline sets the same at the same times, played live and rendered."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdv2_live.config.schema_files import config_dir
from sdv2_live.control.macros import Macros
from sdv2_live.control.params import Params
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.control.timeline.model import Timeline
from sdv2_live.control.timeline.transport import Transport
from sdv2_live.pipeline.render import VideoClock

FPS, CHUNK = 30, 4
SHIPPED = PresetLibrary(config_dir() / "presets")


def played(timeline: Timeline, seconds: float, step: float) -> tuple[list[Params], int]:
    """The parameters of each chunk, and the triggers fired, on a clock that goes in steps of `step` seconds."""
    clock = VideoClock()
    store = ParamStore(macros=Macros(SHIPPED), clock=clock)
    transport = Transport(timeline, store, clock)
    transport.play()
    chunks = []
    for number in range(round(seconds * FPS / CHUNK)):
        begins = number * CHUNK / FPS
        while step and clock.now + step < begins:
            clock.now += step
            transport.tick()
        clock.run_to(begins, transport)
        chunks.append(store.snapshot().params)
    return chunks, store.counters.fired


@pytest.mark.parametrize(
    "text",
    [
        "duration: 9\nevents:\n - {at: 5.0, set: {noise_scale: 0.2, prompt: mine}}\n - {at: 5.05, set: {preset: Neon edges}}",
        "duration: 9\nevents:\n - {at: 5, set: {seed: 7, reset: true}}\n - {at: 5.1, set: {reset: true}}\n"
        " - {at: 5.1, set: {preset: Watercolour, noise_scale: 0.9}}\n - {at: 5.12, set: {preset: Neon edges}}",
        "duration: 9\nevents:\n - {at: 5, set: {cue_prompt: first, take: true}}\n - {at: 5.05, set: {cue_prompt: second}}",
        "duration: 9\nevents:\n - {at: 1, set: {preset: gone}}\n - {at: 1, set: {take: true}}\n - {at: 2, set: {seed: 5}}",
        "duration: 2\nloop: true\nevents:\n - {at: 0, set: {seed: 1}}\n - {at: 1.01, set: {seed: 2, reset: true}}\n"
        " - {at: 2, set: {seed: 3}}",
        "duration: 0.1\nloop: true\nevents:\n - {at: 0.03, set: {seed: 1}}\n - {at: 0.06, set: {seed: 2}}",
    ],
)
def test_live_and_rendered_are_alike(text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    timeline = load_timeline(path)
    rendered = played(timeline, 9, step=0)
    assert rendered == played(timeline, 9, step=0.02)
    assert rendered[0][-1] != Params()


def test_an_event_counts_from_the_chunk_that_begins_at_its_time(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(
        "duration: 9\nevents:\n" + "".join(f" - {{at: {n * CHUNK / FPS}, set: {{seed: {n}}}}}\n" for n in range(1, 60))
    )
    chunks, _ = played(load_timeline(path), 8, step=0)
    assert [params.seed for params in chunks] == [42, *range(1, 60)]


def test_a_glide_begins_at_its_event_and_not_at_the_next_chunk(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("duration: 9\nevents:\n - {at: 2.03, set: {preset: Neon edges, morph_seconds: 3}}")
    timeline = load_timeline(path)
    rendered, live = ([params.noise_scale for params in played(timeline, 9, step)[0]] for step in (0, 0.02))
    assert len(set(rendered)) > 20
    assert rendered == pytest.approx(live, abs=0.1 * 0.02 / 3 + 1e-9)  # 0.7 to 0.8 in three seconds, 20 ms late at most
