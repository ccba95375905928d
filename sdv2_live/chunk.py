"""A chunk: frames that are painted together, with the parameters and the result of their painting."""

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
    """The input of a painter.

    Attributes:
        number: of the show's chunks, from 0.
        frames: as many as `prepare` asked for.
        snapshot: the parameters for the engine.
        measures: the load shedding measures in force.
        swing: what modulation adds to `mix` for each frame; empty for nothing.
    """

    number: int
    frames: Sequence[Frame]
    snapshot: Snapshot
    measures: tuple[str, ...] = ()
    swing: tuple[float, ...] = ()

    @classmethod
    def of(cls, frames: Sequence[Frame], params: Params, swing: tuple[float, ...] = ()) -> Self:
        """A chunk outside of a show: no event, and a number without meaning."""
        return cls(0, frames, Snapshot(params, frozenset(), 0), swing=swing)

    @property
    def params(self) -> Params:
        """The parameters of its painting."""
        return self.snapshot.params


@dataclass(frozen=True, slots=True)
class Generated:
    """The result of a painter.

    Attributes:
        pictures: as many as some chunk took: this one, or with stream_batch the one n-1 chunks ago. Empty while its pipeline
            fills, or where nobody watches.
        recipe: the rest of the painting's inputs, beyond frames and parameters.
        seconds: from its launch, or from the end of the chunk before it if that was later, until its pictures were there.
    """

    chunk: Chunk
    pictures: Sequence[Frame]
    recipe: Painting
    seconds: float
