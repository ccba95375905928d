"""Measures of the embedded model as a stream: its autoencoder, its steadiness, its drift, its speed."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sdv2_live.engine.spec import CHUNK_FRAMES, FIRST_FRAMES

from .painter import Painter, chunks, pan, read_clip
from .phrases import TEST_PROMPTS as PROMPTS

STABILITY_LOOP = 8  # chunks of the looping clip
LOOK_CHUNKS = 4  # of a clip after the first, when looks are measured on its last frames


def autoencoder(painter: Painter, clip: Tensor) -> dict[str, float]:
    """PSNR in dB, and the ratio of frame-to-frame change to the input's, through encode and decode alone."""
    state = painter.state(clip.shape[-1])
    with torch.inference_mode():
        out = torch.cat([painter.code(part, state) for part in chunks(clip)]).clamp(0, 1)
    change = float(out.diff(dim=0).abs().mean() / clip.diff(dim=0).abs().mean().clamp_min(1e-6))
    return {"psnr_db": float(-10 * torch.log10((out - clip).square().mean())), "flicker": change}


def stability(painter: Painter, clip: Tensor, count: int, look: str) -> float:
    """Largest change of a colour's mean, against the mean of all, and of contrast, between the loop at chunk 20 and the last."""
    small = F.interpolate(clip[: 1 + CHUNK_FRAMES * (STABILITY_LOOP // 2)], (64, 64), mode="bilinear", antialias=True)
    parts = list(small[1:].split(CHUNK_FRAMES))
    loop = [*parts, *(part.flip(0) for part in reversed(parts))]
    state, cross = painter.state(64), painter.cross(PROMPTS[look])
    painter.chunk(small[:FIRST_FRAMES], cross, 0.7, state)
    early, late = [], []
    for i in range(count):
        out = painter.chunk(loop[i % len(loop)], cross, 0.7, state)
        if 16 <= i < 16 + len(loop):
            early.append(out)
        if i >= count - count % len(loop) - len(loop) and len(late) < len(loop):
            late.append(out)
    a, b = torch.cat(early), torch.cat(late)
    colour = (a.mean((0, 2, 3)) - b.mean((0, 2, 3))).abs().max() / a.mean()
    contrast = (a.std() - b.std()).abs() / a.std()
    return float(torch.maximum(colour, contrast))


def stability_alone(weights: Path, path: Path, size: int, count: int) -> float:
    """The worse `stability` of a filter and a painting.

    For a process of its own: its many small chunks keep one core busy, and no more than one.
    """
    torch.set_num_threads(1)
    painter, clip = Painter.load(weights), read_clip(path, size, LOOK_CHUNKS)
    return max(stability(painter, clip, count, look) for look in ("golden_hour", "blue_swirls"))


def still_flicker(painter: Painter, clip: Tensor) -> float:
    """Mean frame-to-frame change (0..255) that the model adds to a still picture, noise scale 0.7, averaged over four looks."""
    still = clip[:1].expand(29, -1, -1, -1)
    names = ("golden_hour", "comic", "pencil", "thermal")
    return float(
        np.mean([255 * float(painter.paint(still, painter.cross(PROMPTS[n]), 0.7)[9:].diff(dim=0).abs().mean()) for n in names])
    )


def moved_flicker(painter: Painter, clip: Tensor) -> float:
    """Mean change (0..255) from frame to frame at each place of a scene over which a camera moves, averaged over four looks."""
    moving = pan(F.interpolate(clip[:1], scale_factor=1.5, mode="bilinear")[0], clip.shape[-1], 21, 2)
    changes = []
    for name in ("blue_swirls", "stained_glass", "watercolour", "comic"):
        out = painter.paint(moving, painter.cross(PROMPTS[name]), 0.4, (400,))[9:]
        changes.append(255 * float((out[1:, ..., :-2] - out[:-1, ..., 2:]).abs().mean()))
    return float(np.mean(changes))


def speed(painter: Painter) -> float:
    """Frames a second at 256x256, two steps, encode to pixels, with the cache full."""
    clip = torch.rand(1 + 4 * 14, 3, 256, 256)
    state, cross, begun = painter.state(256), painter.cross("speed"), 0.0
    for i, part in enumerate(chunks(clip)):
        if i == 7:
            begun = time.monotonic()
        painter.chunk(part, cross, 0.7, state)
    return CHUNK_FRAMES * 7 / (time.monotonic() - begun)
