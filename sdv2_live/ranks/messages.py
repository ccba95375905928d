"""What the leader tells the other ranks: plain data, as JSON with checked types in messages of one size.

Messages come in the order in which their work is to be done, so that a change holds from the same chunk on at every rank. Tensors
follow on ways of their own and carry no description: their shapes follow from the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, TypeAdapter
from torch import Tensor

from sdv2_live.errors import EngineError
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.dit.kv_cache import CachePlan, Counts

SIZE = 4096  # bytes of a message


@dataclass(frozen=True, slots=True)
class NewCache:
    """A cache is made, see `CausalDiT.new_cache`, of the blocks of each rank."""

    number: int
    spec: CacheSpec
    latent_hw: tuple[int, int]
    levels: int
    by_place: bool
    kind: Literal["new cache"] = "new cache"


@dataclass(frozen=True, slots=True)
class CacheOp:
    """One of the cache's methods is called, copy_level_ with the cache `source`. counts: those of the cache before."""

    number: int
    call: Literal["reset_", "empty_", "copy_level_", "flush_", "recall"]
    counts: Counts
    source: int | None = None
    kind: Literal["cache"] = "cache"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt's keys and values are wanted. Its embedding (1, rows, text_dim), in the model's precision, follows."""

    number: int
    rows: int
    kind: Literal["prompt"] = "prompt"


@dataclass(frozen=True, slots=True)
class Drop:
    """Caches and prompts that are needed no more."""

    numbers: tuple[int, ...]
    kind: Literal["drop"] = "drop"


@dataclass(frozen=True, slots=True)
class Scales:
    """The scales of all LoRAs."""

    scales: tuple[float, ...]
    kind: Literal["scales"] = "scales"


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the transformer: the blocks of each rank in turn.

    Attributes:
        cache: its number.
        plan: what the call does to it.
        starts: temporal position of each level's first frame, or of each frame of the one level.
        timesteps: all that the leader computes the modulation of at once.
        rows: those of them that this call is for.
        prompt: its number.
        unread: see `Call`; nothing comes back.
        memory: see `Call`.
    """

    cache: int
    plan: CachePlan
    starts: tuple[int, ...]
    timesteps: tuple[float, ...]
    rows: tuple[int, int]
    prompt: int
    unread: bool = False
    memory: float | None = None
    kind: Literal["step"] = "step"


@dataclass(frozen=True, slots=True)
class Pass:
    """A tensor of this shape, in the model's precision, is passed on as it comes: the leader measures how long that takes."""

    shape: tuple[int, ...]
    kind: Literal["pass"] = "pass"


@dataclass(frozen=True, slots=True)
class Beat:
    """The leader lives."""

    kind: Literal["beat"] = "beat"


@dataclass(frozen=True, slots=True)
class End:
    """The ring is over."""

    kind: Literal["end"] = "end"


@dataclass(frozen=True, slots=True)
class Report:
    """What a rank says of itself, once a second.

    Attributes:
        busy: share of the time since its last report in which it computed, 0..1.
        ms: of a call, computing alone; the mean since its last report.
        memory: bytes that it holds: of the GPU, else of the process.
    """

    rank: int
    busy: float = 0.0
    ms: float = 0.0
    memory: int = 0
    kind: Literal["report"] = "report"


Message = NewCache | CacheOp | Prompt | Drop | Scales | Step | Pass | Beat | End | Report
_ANY: TypeAdapter[Any] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def packed(message: Message) -> Tensor:
    """A message as it goes over the wire: uint8 (SIZE,)."""
    data = _ANY.dump_json(message)
    if len(data) > SIZE:
        raise EngineError(f"a message to the other ranks has {len(data)} bytes, {SIZE} at most: use fewer LoRAs")
    return torch.frombuffer(bytearray(data.ljust(SIZE, b"\0")), dtype=torch.uint8)


def unpacked(wire: Tensor) -> Any:
    """The message."""
    return _ANY.validate_json(wire.numpy().tobytes().rstrip(b"\0"))
