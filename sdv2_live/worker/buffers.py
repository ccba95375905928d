"""Shared buffers for frames and pictures, seen by the show's process and by the engine's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sdv2_live.frame import Frame
from sdv2_live.system.shm import BufferPool, Segment
from sdv2_live.worker.messages import FrameAt

CHUNK = 16  # places offered for one chunk's pictures; more than any chunk has
INPUT_PLACES = 3 * CHUNK  # of frames: three chunks; pages that nothing was ever put into take no memory
OUTPUT_PLACES = 64  # pictures that the playout and the recorder may hold; beyond these they are copied


class InputBuffers:
    """Copies each frame once, at its first mention, and reuses its place only after its chunk is painted.

    For one thread; the callable that `chunk` returns may run on any. Abandon a placed chunk only after a later request was
    answered: until then the engine may still read its buffers.

    Args:
        share: sends a segment to the engine's process.
    """

    def __init__(self, share: Callable[[Segment], None]) -> None:
        self._share = share
        self._pool = BufferPool(0, 0)
        self._coming: list[tuple[Frame, FrameAt]] = []  # of the next chunk

    def place(self, frames: Sequence[Frame]) -> tuple[FrameAt, ...]:
        """The places of the next chunk's frames, from its first on.

        Raises:
            OSError: there is no room.
            MemoryError: there is no room.
        """
        if any(mine is not frame for (mine, _), frame in zip(self._coming, frames, strict=False)):
            _free(self._pool, self._coming)  # another chunk has taken its place
            self._coming = []
        largest = max(frame.data.nbytes for frame in frames)
        if largest > self._pool.size:
            self._pool, self._coming = BufferPool(INPUT_PLACES, largest), []
            self._share(self._pool.segment)
        for frame in frames[len(self._coming) :]:
            (offset,) = self._pool.acquire(1)
            self._pool.segment.rows(offset, frame.height, frame.stride)[:] = frame.data
            self._coming.append((frame, FrameAt.of(frame, offset)))
        return tuple(at for _, at in self._coming[: len(frames)])

    def chunk(self, frames: Sequence[Frame]) -> tuple[tuple[FrameAt, ...], Callable[[], None]]:
        """The places of a whole chunk, and a callable to be called once it is painted, on any thread."""
        places = self.place(frames)
        pool, placed, self._coming = self._pool, self._coming, []
        return places, lambda: _free(pool, placed)


def _free(pool: BufferPool, placed: Sequence[tuple[Frame, FrameAt]]) -> None:
    for _, at in placed:
        assert at.offset is not None
        pool.release(at.offset)


@dataclass(frozen=True, slots=True)
class Loan:
    """Places lent for one chunk's pictures, for any thread.

    Attributes:
        free: offsets in `pool` that hold no picture.
    """

    pool: BufferPool
    free: list[int]

    def pictures(self, frames: Sequence[FrameAt], parts: Sequence[np.ndarray]) -> list[Frame]:
        """The frames, with their rows from shared memory, or from `parts` for those that came by the pipe."""
        rest = iter(parts)
        found: list[Frame] = []
        for at in frames:
            if at.offset is None:
                found.append(at.frame(next(rest)))
            else:
                self.free.remove(at.offset)
                found.append(at.frame(self.pool.rows(at.offset, at.height, at.stride)))
        return found

    def close(self) -> None:
        """Release the places, except those of pictures still in use."""
        for offset in self.free:
            self.pool.release(offset)


class OutputBuffers:
    """Lends places of the present picture size; places of another size live on while their pictures are in use.

    Args:
        share: as for InputBuffers.

    Attributes:
        picture_bytes: size of the largest picture of the last chunk; 0 until one came.
    """

    def __init__(self, share: Callable[[Segment], None]) -> None:
        self.picture_bytes = 0
        self._share = share
        self._pool = BufferPool(0, 0)

    def lend(self) -> Loan:
        """Places for the next chunk's pictures; fewer than it has, or none, where too many are in use."""
        size = self.picture_bytes
        if self._pool.size != size:
            self._pool = BufferPool(OUTPUT_PLACES, size)
            self._share(self._pool.segment)
        return Loan(self._pool, self._pool.acquire(CHUNK))
