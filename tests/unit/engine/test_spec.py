"""A stream's kind as plain values: how many frames its chunks take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sdv2_live.engine.spec import Mode, Schedule, StreamSpec
from sdv2_live.errors import EngineError


@pytest.mark.parametrize(
    ("block", "first_frames", "video", "text"),
    [
        (1, 5, (5, 4), (1, 4)),
        (1, 1, (1, 4), (1, 4)),
        (3, 9, (9, 12), (9, 12)),
        (3, 13, (13, 12), (9, 12)),
        (2, 5, (5, 8), (5, 8)),
    ],
)
def test_frames_of_a_chunk_follow_from_its_latents(
    block: int, first_frames: int, video: tuple[int, int], text: tuple[int, int]
) -> None:
    spec = StreamSpec(32, 32, block=block, first_frames=first_frames)
    assert tuple(spec.frames_needed(first=first) for first in (True, False)) == video
    spec = replace(spec, mode=Mode.TEXT)
    assert tuple(spec.frames_needed(first=first) for first in (True, False)) == text


@pytest.mark.parametrize("wrong", [{"block": 0}, {"first_frames": 4}, {"first_frames": 0}])
def test_chunks_that_no_autoencoder_takes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(EngineError, match=r"give 1 latent or more, and 1, 5, 9, \.\.\. frames"):
        StreamSpec(32, 32, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"schedule": Schedule.STREAM_BATCH, "block": 3}, "stream_batch takes one latent a chunk"),
        ({"schedule": Schedule.STREAM_BATCH, "context_t": 0.0}, "stream_batch takes one latent a chunk"),
        ({"positions": "relative"}, "set adapt_sink_threshold to -1"),
    ],
)
def test_what_does_not_go_together_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        StreamSpec(32, 32, **wrong)
