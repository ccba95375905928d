"""What a chunk's first frames are taken in with: it holds for the chunk, as they cannot be taken back.

The engine takes frames in as they come (`Stream.push`), and the parameters of a chunk are those of the moment at which its last
one is there. So the few that act on frames as they are taken in stay, from the chunk's first frame on, as they were then. Where
they move by themselves, or the picture before is fed back, frames wait for the chunk.
"""

from __future__ import annotations

from dataclasses import replace

from sdv2_live.control.params import PARAMS, Params

FIELDS = ("feedback", *(spec.field for spec in PARAMS.values() if spec.name.startswith("input/")))
_NAMES = frozenset(name for name, spec in PARAMS.items() if spec.field in FIELDS)


def held(params: Params, first: Params | None) -> Params:
    """The parameters of a chunk whose first frame was taken in with `first`; None: none was yet."""
    if first is None:
        return params
    kept = {name: getattr(first, name) for name in FIELDS if getattr(first, name) != getattr(params, name)}
    return replace(params, **kept) if kept else params


def frames_wait(params: Params) -> bool:
    """True when frames cannot be taken in before their chunk's parameters are known."""
    moving = zip(params.mod_on, params.mod_target, strict=True)
    return params.feedback > 0 or any(on and target in _NAMES for on, target in moving)
