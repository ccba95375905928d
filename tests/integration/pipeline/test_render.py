"""A timeline sets the same at the same times, played live and rendered."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support import tiny
from support.prompts import Dictionary

from sdv2_live.chunk import Chunk, Generated
from sdv2_live.config.schema import Config, OutputConfig
from sdv2_live.config.schema_files import config_dir
from sdv2_live.control.macros import Macros
from sdv2_live.control.params import Params, Value, updated
from sdv2_live.control.presets.library import PresetLibrary
from sdv2_live.control.store import ParamStore
from sdv2_live.control.timeline.files import load_timeline
from sdv2_live.control.timeline.model import Timeline
from sdv2_live.control.timeline.transport import Transport
from sdv2_live.engine.prompt import PromptDirector
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.music.waves import drawn
from sdv2_live.pipeline.render import VideoClock, restyled
from sdv2_live.pipeline.stream import Stream
from sdv2_live.stats import StageTimer
from sdv2_live.takes.compare import sha256_of

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


MOVING: dict[str, Value] = {
    "mod/1/on": True,
    "mod/1/shape": "random",
    "mod/1/rate": "beat",
    "mod/1/depth": -0.6,
    "mod/2/on": True,
    "mod/2/target": "mix",
    "mod/2/source": "beat",
    "mod/2/depth": -0.5,
    "tempo/bpm": 97.0,
}


def rendered(values: dict[str, Value] | None = None, fps: int = 0) -> tuple[list[str], list[Params]]:
    """Digests of the pictures of two seconds that were rendered, and what each chunk was painted with."""
    painted: list[Params] = []

    class Noting(Stream):
        def launch(self, chunk: Chunk, *, wait_for_prompt: bool = False, convert: bool = True) -> Future[Generated]:
            painted.append(chunk.params)
            return super().launch(chunk, wait_for_prompt=wait_for_prompt, convert=convert)

    engine = tiny.small_engine()
    store = ParamStore(updated(Params(), MOVING | (values or {})))
    picture = np.full((32, 128), 90, np.uint8)
    frames = (Frame(picture, 32, 32, PixelFormat.RGBX, Fraction(30), n * 10**9 // 30, n) for n in range(61))
    with closing(PromptCache(Dictionary())) as prompts:
        stream = Noting(engine, PromptDirector(engine.dit, prompts), Config(output=OutputConfig(fps=fps)), 32 * 32, StageTimer())
        return [sha256_of([one]) or "" for one in restyled(stream, frames, store)], painted


def test_what_moves_is_the_same_at_every_rendering_and_goes_by_the_videos_time() -> None:
    once, painted = rendered()
    assert once == rendered()[0]
    assert len(once) == 61
    middles = [(number * CHUNK + 3) / FPS for number in range(len(painted))]  # of what each chunk shows, in seconds
    draws = [drawn(42, int(middle * 97 / 60)) for middle in middles]
    assert [params.noise_scale for params in painted] == pytest.approx([0.7 - 0.6 * draw for draw in draws])
    faster = rendered({"tempo/bpm": 120.0})[0]
    assert faster != once
    assert rendered({"mod/1/on": False, "mod/2/depth": 0.0})[0] != once


def test_with_a_rate_of_its_own_a_rendering_has_the_pictures_of_its_ticks() -> None:
    plain, moved = rendered()[0], rendered(fps=60)[0]
    assert len(moved) == 121
    assert moved[::2] == plain
    assert len(rendered(fps=20)[0]) == 41
