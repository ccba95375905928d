"""The settings of a show that its memory and its speed depend on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from sdv2_live.config.stream_spec import spec_of
from sdv2_live.engine.spec import Schedule, StreamSpec
from sdv2_live.gpu.geometry import Size
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.profiles import Profile
from sdv2_live.model.text.encoder import Placement
from sdv2_live.ranks.partition import Part


@dataclass(frozen=True, slots=True)
class MemoryRequest:
    """The settings of a show that determine its memory.

    Attributes:
        size: (height, width).
        text: where the text encoder is.
        precision: of the text encoder's file.
        graphs: launch chunks as CUDA graphs.
        overlap: launch a chunk while the one before it is computed.
        part: what a rank has of it, where it runs on several cards; None: everything.
    """

    profile: Profile
    vae: str
    size: Size
    dtype: torch.dtype
    steps: tuple[int, ...] = (700, 500)
    kv_frames: int = 6
    sink_frames: int = 3
    adapt_sink_threshold: float = 0.2
    schedule: Schedule = Schedule.SEQUENTIAL
    fp8: bool = False
    text: Placement = Placement.GPU
    precision: str = "bf16"
    unified: bool = False  # the models run in RAM: a text encoder there takes the same memory
    graphs: bool = False
    overlap: bool = False
    part: Part | None = None

    @property
    def held(self) -> Profile | None:
        """The profile with as many blocks as are on this card; None where there are none."""
        if self.part is None:
            return self.profile
        return replace(self.profile, dit=replace(self.profile.dit, layers=self.part.blocks)) if self.part.blocks else None

    @property
    def leads(self) -> bool:
        """True where frames come in and the text encoder is."""
        return self.part is None or self.part.encode

    @property
    def spec(self) -> StreamSpec:
        """The stream's, whose memory counts."""
        levels = len(self.steps) if self.schedule is Schedule.STREAM_BATCH else 1
        cache = CacheSpec(self.kv_frames, self.sink_frames, self.adapt_sink_threshold)
        return replace(spec_of(self.profile.stream, self.size, cache), schedule=self.schedule, levels=levels)
