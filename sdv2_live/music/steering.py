"""Steering: a few input frames are left out between chunks, so that one of the next chunks begins on a boundary.

Without it a change lands up to half a chunk beside the beat. Each frame left out shows as one picture that is seen twice.
"""

from __future__ import annotations

CHUNK_FRAMES = 4  # of most models
MOST = 3  # frames left out at once: more would be seen as a halt
HORIZON = 8  # chunks: for a boundary further away, the engine's hitches would undo what is steered
ALIGNED = 0.6  # frames beside the boundary at which nothing is left out; above half a frame, so that jitter decides nothing


def frames_to_leave_out(frames: float, chunk_frames: int = CHUNK_FRAMES) -> int:
    """How many frames to leave out before the chunk that is about to begin: 0..3.

    Args:
        frames: from the first frame that this chunk would have to the frame on the boundary.
        chunk_frames: of a chunk.

    What has to go is spread over the chunks until then, as evenly as it can be.
    """
    if not 0 < frames < HORIZON * chunk_frames:
        return 0
    chunks, rest = divmod(frames, chunk_frames)
    if rest <= ALIGNED or rest >= chunk_frames - ALIGNED:
        return 0
    return min(-(-round(rest) // (int(chunks) + 1)), MOST)
