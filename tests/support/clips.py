"""Video files as other programs write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def write_clip(
    path: Path,
    pictures: Sequence[np.ndarray],
    times: Sequence[Fraction | float],
    *,
    codec: str = "ffv1",
    declared: Fraction = Fraction(30),
    tick: Fraction = Fraction(1, 1000),
    options: dict[str, str] | None = None,
    set_up: Callable[[Any], None] = lambda stream: None,
) -> None:
    """RGB pictures (height, width, 3), each at its time in seconds, in `tick`s. set_up: gets the stream before it begins."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream: Any = container.add_stream(codec, rate=declared)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = tick
        set_up(stream)
        for picture, at in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = round(at / tick), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def grey(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def noise(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Hard to compress, so that every picture takes its place in the file."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
