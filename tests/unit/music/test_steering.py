"""A few frames left out between chunks bring a boundary to the beginning of a chunk."""

from __future__ import annotations

import numpy as np
import pytest

from sdv2_live.music.steering import CHUNK_FRAMES, frames_to_leave_out


@pytest.mark.parametrize(
    ("frames", "out"),
    [
        (0, 0),
        (-2, 0),
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 0),
        (5, 1),
        (6, 1),
        (7, 2),
        (11, 1),
        (16, 0),
        (100, 0),
        (8.5, 0),
        (7.6, 0),
        (0.5, 0),
    ],
)
def test_frames_are_spread_over_the_chunks_until_then(frames: float, out: int) -> None:
    assert frames_to_leave_out(frames) == out


@pytest.mark.parametrize(("frames", "out"), [(12, 0), (24.5, 0), (11.5, 0), (13, 1), (17, 3), (29, 2), (6, 3), (96, 0)])
def test_long_chunks_are_never_held_up_by_more_than_three_frames(frames: float, out: int) -> None:
    assert frames_to_leave_out(frames, 12) == out


@pytest.mark.parametrize("fps", [30, 60])
@pytest.mark.parametrize("bpm", [120.0, 128.0, 174.0])
@pytest.mark.parametrize("beats", [1, 4])
def test_launches_asked_a_chunk_ahead_land_within_half_a_frame(fps: int, bpm: float, beats: int) -> None:
    frame, grid = 1000 / fps, beats * 60_000 / bpm
    rng = np.random.default_rng(7)
    errors: dict[bool, list[float]] = {True: [], False: []}
    out = 0
    for steered in (True, False):
        for _ in range(1500):
            at = rng.uniform(0, 10_000)  # the first frame of a chunk
            boundary = np.ceil((at + CHUNK_FRAMES * frame) / grid) * grid  # asked at least a chunk ahead
            while True:
                if steered:
                    left = frames_to_leave_out((boundary + rng.normal(0, 2) - at) / frame)
                    out += left
                    at += left * frame
                if at >= boundary - CHUNK_FRAMES * frame / 2:
                    break
                at += CHUNK_FRAMES * frame
            errors[steered].append(at - boundary)
    within = {steered: float(np.percentile(np.abs(found), 95)) for steered, found in errors.items()}
    assert within[True] < 0.75 * frame
    assert within[False] > 1.7 * frame
    assert out / 1500 < 2.0
