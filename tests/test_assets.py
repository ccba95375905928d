from __future__ import annotations

from importlib.resources import files

import av
import numpy as np


def test_the_demo_clip_is_small_and_loops_without_a_seam():
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
