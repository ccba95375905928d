"""Where the show puts input frames so that the engine's process sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sdv2_live.frame import Frame
from sdv2_live.worker.messages import FrameAt
from sdv2_live.worker.shm import BufferPool, Segment

PLACES = 16  # of frames: three chunks; pages that nothing was ever put into take no memory


class InputBuffers:
    """Copies each frame once, when it is first spoken of. Its place is used again when its chunk is painted, not before.
    For one thread, but for what `chunk` returns.

    share: hands a segment to the engine's process. Abandon a placed chunk only after a later request was answered: until then
    the engine may still read its buffers.
    """

    def __init__(self, share: Callable[[Segment], None]) -> None:
        self._share = share
        self._slots = BufferPool(0, 0)
        self._coming: list[tuple[Frame, FrameAt]] = []  # of the next chunk

    def place(self, frames: Sequence[Frame]) -> tuple[FrameAt, ...]:
        """Where the frames of the next chunk lie, from its first on. Raises OSError or MemoryError where there is no room."""
        if any(mine is not frame for (mine, _), frame in zip(self._coming, frames, strict=False)):
            _free(self._slots, self._coming)  # another chunk has taken its place
            self._coming = []
        largest = max(frame.data.nbytes for frame in frames)
        if largest > self._slots.size:
            self._slots, self._coming = BufferPool(PLACES, largest), []
            self._share(self._slots.segment)
        for frame in frames[len(self._coming) :]:
            (offset,) = self._slots.acquire(1)
            self._slots.segment.rows(offset, frame.height, frame.stride)[:] = frame.data
            self._coming.append((frame, FrameAt.of(frame, offset)))
        return tuple(at for _, at in self._coming[: len(frames)])

    def chunk(self, frames: Sequence[Frame]) -> tuple[tuple[FrameAt, ...], Callable[[], None]]:
        """The same for a whole chunk, and what says, once, that it is painted, on any thread."""
        places = self.place(frames)
        slots, placed, self._coming = self._slots, self._coming, []
        return places, lambda: _free(slots, placed)


def _free(slots: BufferPool, placed: Sequence[tuple[Frame, FrameAt]]) -> None:
    for _, at in placed:
        assert at.offset is not None
        slots.release(at.offset)
