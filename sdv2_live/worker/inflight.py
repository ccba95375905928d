"""A chunk that the engine's process was asked for, and what was lent to it for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sdv2_live.engine.spec import Painting
from sdv2_live.frame import Frame
from sdv2_live.worker.messages import FrameAt
from sdv2_live.worker.shm import BufferPool

if TYPE_CHECKING:
    from sdv2_live.worker.process import EngineProcess
    from sdv2_live.worker.remote import RemoteEngine


@dataclass(frozen=True, slots=True)
class InFlight:
    """A chunk that the child was asked for. free: places in `slots` that its pictures may be put into. done: gives its frames'
    places back."""

    slots: BufferPool
    free: list[int]
    done: Callable[[], None]
    asked_at: float

    def pictures(self, frames: Sequence[FrameAt], parts: Sequence[np.ndarray]) -> list[Frame]:
        """The frames, with their rows from where they lie, or of those that came in parts."""
        rest = iter(parts)
        found: list[Frame] = []
        for at in frames:
            if at.offset is None:
                found.append(at.frame(next(rest)))
            else:
                self.free.remove(at.offset)
                found.append(at.frame(self.slots.rows(at.offset, at.height, at.stride)))
        return found

    def close(self) -> None:
        """Give back what was lent, but for the places of pictures that somebody has."""
        self.done()
        for offset in self.free:
            self.slots.release(offset)


@dataclass(eq=False, slots=True)
class RemoteLaunched:
    """A `live.loop.Launched`. cold: it is the first of its process or of its size."""

    engine: RemoteEngine
    process: EngineProcess
    chunk: InFlight
    cold: bool
    _painting: Painting | None = None

    def __call__(self) -> list[Frame]:
        """Raises EngineLostError when the process has ended or hangs, what the engine raised when it could not paint."""
        painted, pictures = self.engine.painted(self)
        self._painting = painted.painting
        return pictures

    @property
    def painting(self) -> Painting:
        """What it was painted with, once its frames are there."""
        assert self._painting is not None
        return self._painting
