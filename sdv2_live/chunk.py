"""A chunk: the frames that are painted together, what they are painted with, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from sdv2_live.control.params import Params
from sdv2_live.control.store import Snapshot
from sdv2_live.engine.spec import Painting
from sdv2_live.frame import Frame

AHEAD = 2  # chunks in flight at most: one is finished while the next is begun


@dataclass(frozen=True, slots=True)
class Chunk:
    """The input of a painter for one chunk.

    number: of the show's chunks, from 0. frames: as many as `prepare` asked for. snapshot: the parameters as the engine is to
    use them. measures: those of load shedding that are in force.
    """

    number: int
    frames: Sequence[Frame]
    snapshot: Snapshot
    measures: tuple[str, ...] = ()

    @classmethod
    def of(cls, frames: Sequence[Frame], params: Params) -> Self:
        """A chunk outside of a show: nothing fired, and its number tells nothing."""
        return cls(0, frames, Snapshot(params, frozenset(), 0))

    @property
    def params(self) -> Params:
        """The parameters that it is painted with."""
        return self.snapshot.params


@dataclass(frozen=True, slots=True)
class Generated:
    """The output of a painter for one chunk.

    pictures: as many as some chunk took: this one, or with stream_batch that of n-1 chunks ago; none while its pipeline fills,
    or where nobody watches. recipe: what the chunk was painted with beyond frames and parameters. seconds: from its launch, or
    from when the chunk before it was done, until its pictures were there.
    """

    chunk: Chunk
    pictures: Sequence[Frame]
    recipe: Painting
    seconds: float
