"""A model that a performer has described in a file, from that file to its pictures, used as the family is."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from sdv2_live.config.load import load_config
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.pipeline.build import load, new_prompts, new_stream, start_params
from sdv2_live.stats import StageTimer

KIND = "shift: 5, warp: true, adaptive_sinks: false, normalize_latents: true, rope_refresh_frame: 1024"
STILL = Frame(np.random.default_rng(3).integers(0, 256, (64, 64 * 4), np.uint8), 64, 64, PixelFormat.RGBX)


@pytest.mark.parametrize(
    ("stream", "lengths"),
    [
        ("block: 3, window: 9, sinks: 3, context_t: 0, steps: [1000, 500]", [9, 12, 12]),
        ("block: 3, first_frames: 13, window: 9, sinks: 3, context_t: 0, steps: [1000, 500]", [13, 12, 12]),
        ("block: 1, window: 9, sinks: 0, context_t: 0, steps: [1000], first_steps: [1000, 500]", [1, 4, 4]),
        ("block: 3, window: 6, sinks: 0, recompute: 3, steps: [1000, 500]", [9, 12, 12]),
    ],
)
def test_chunks_have_the_length_that_the_file_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stream: str, lengths: list[int]
) -> None:
    licence = "{name: CC BY-NC 4.0, commercial: false}"
    (tmp_path / "mine.yaml").write_text(f"size: tiny\nlicence: {licence}\nstream: {{{KIND}, {stream}}}\n")
    options = ("model.profile=mine", f"model.profiles_dir={tmp_path}", "model.device=cpu", "model.prompt_cache=off")
    config = load_config(None, [*options, "params.prompt=ink", "video.size=64x64"])
    with caplog.at_level(logging.WARNING):
        models = load(config)
    assert "mine: weights under CC BY-NC 4.0, not for paid shows" in caplog.text
    params = start_params(config)
    assert params.steps == models.profile.stream.steps
    with closing(new_prompts(config, models)) as prompts:
        painter = new_stream(config, models, prompts, StageTimer())
        taken, index = [], 0
        for _ in lengths:
            taken.append(painter.prepare(STILL, params))
            frames = [STILL.at(rate=STILL.rate, captured_ns=i, index=i) for i in range(index, index + taken[-1])]
            index += taken[-1]
            assert len(painter.paint(frames, params, wait_for_prompt=True)) == taken[-1]
    assert taken == lengths
