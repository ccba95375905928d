from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import av
import numpy as np
import torch

from sdv2_live.config.profiles import TINY
from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import ChunkSettings, StreamSpec
from sdv2_live.model.load import load_models


def test_the_demo_clip_is_small_and_loops_without_a_seam() -> None:
    clip = files("sdv2_live") / "assets" / "demo.mp4"
    assert len(clip.read_bytes()) < 1_000_000
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (640, 360, 30)
        frames = [frame.to_ndarray(format="gray").astype(np.int16) for frame in container.decode(stream)]
    assert len(frames) == 240
    steps = [np.abs(a - b).mean() for a, b in zip(frames, [*frames[1:], frames[0]], strict=True)]
    assert steps[-1] < 1.2 * max(steps[:-1])
    assert min(steps) > 0.5  # it moves all the time


def test_the_embedded_model_paints_what_the_prompt_names() -> None:
    """Two looks of one picture at 64x64, two chunks each: thermal is redder than the night, and the night is darker."""
    with av.open(str(files("sdv2_live") / "assets" / "demo.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for _, frame in zip(range(9), container.decode(video=0), strict=False)]
    pixels = torch.from_numpy(np.stack(frames)).permute(3, 0, 1, 2)[None, :, :, 100:260, 240:400] / 127.5 - 1
    pixels = torch.nn.functional.interpolate(pixels, (9, 64, 64), mode="trilinear")
    models = load_models(TINY, device=torch.device("cpu"), dtype=torch.float32, vae="auto", weights_dir=Path())
    engine = Engine(models.dit, models.vae)
    settings = ChunkSettings(noise_scale=0.5, steps=(700, 500))
    colour = {}
    for prompt in ("thermal camera", "night, moonlight"):
        cross, state = models.dit.condition(models.text.encode(prompt)), engine.new_state(StreamSpec(64, 64))
        for part in (pixels[:, :, :5], pixels[:, :, 5:]):
            latent = engine.encode(part, state)
            clean = engine.denoise(latent, cross, engine.plan(part, settings, state), 7, state)
            assert clean is not None
            out = engine.decode(clean, state)
        colour[prompt] = out.mean((0, 2, 3, 4))
    thermal, night = colour["thermal camera"], colour["night, moonlight"]
    assert thermal[0] - thermal[2] > 0.2 + night[0] - night[2]
    assert night.mean() < thermal.mean() - 0.2
