"""The memory that a show takes, part by part; what saves how much; and the best settings that fit.

DiT, caches, prompts and streaming memory are exact. A stage's peak is an upper bound of what was measured on a CPU (1.0 to 2.0
times, see tests/unit/memory), and what CUDA graphs keep is estimated from the same peaks; on a GPU neither has been measured. A
margin comes on top, for the allocator's rounding and the libraries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import torch

from sdv2_live.engine.spec import Schedule, StreamSpec
from sdv2_live.gpu.geometry import MULTIPLE, Size
from sdv2_live.memory.footprint import cache_bytes, denoise_peak, fixed_need, graphs_need, vae_need
from sdv2_live.model.dit.cache_spec import CacheSpec
from sdv2_live.model.load_text import text_bytes
from sdv2_live.model.profiles import Profile
from sdv2_live.model.text.encoder import Placement
from sdv2_live.model.vae_choice import VAES

GB = 1e9
MARGIN, MARGIN_SHARE = 300_000_000, 0.03  # handles and workspaces of cuBLAS and cuDNN; rounding by the allocator
FAST = (5, 2)  # kv_frames and sink_frames of the authors' fast profile
SMALLER = (0.8, 0.64, 0.5)  # of both sides
LEAST = 128  # pixels; no side is made smaller


@dataclass(frozen=True, slots=True)
class MemoryRequest:
    """The settings of a show that determine its memory.

    Attributes:
        size: (height, width).
        text: where the text encoder is.
        precision: of the text encoder's file.
        graphs: launch chunks as CUDA graphs.
        overlap: launch a chunk while the one before it is computed.
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

    @property
    def spec(self) -> StreamSpec:
        """The stream's, whose memory counts."""
        levels = len(self.steps) if self.schedule is Schedule.STREAM_BATCH else 1
        cache = CacheSpec(self.kv_frames, self.sink_frames, self.adapt_sink_threshold)
        return StreamSpec(*self.size, schedule=self.schedule, levels=levels, cache=cache, rope_refresh_frame=self.kv_frames + 1)


@dataclass(frozen=True, slots=True)
class Budget:
    """A wish and the bytes of each part of it."""

    wish: MemoryRequest
    parts: dict[str, int]

    @property
    def total(self) -> int:
        """Bytes of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True)
class Saving:
    """A change that saves memory, as a performer would set it, and how many bytes it saves."""

    setting: str
    bytes: int


def plan(wish: MemoryRequest) -> Budget:
    """The memory that the request takes."""
    own = _dit_parts(wish)
    fixed = fixed_need(wish.profile, wish.dtype)
    denoise = denoise_peak(wish.profile, wish.dtype, wish.spec, wish.steps)
    vae = vae_need(wish.profile, wish.vae, wish.dtype, wish.size)
    together = wish.overlap and not wish.graphs
    parts = {
        "transformer weights": own["transformer weights"],
        "autoencoder weights": vae.weights,
        "text encoder": own["text encoder"],
        "key/value caches": own["key/value caches"],
        "autoencoder memory": vae.memory,
        "prompt": fixed.cross,
        "second prompt": fixed.cross,  # while one gives way to the next; with graphs, their own copy at all times
        # Stages that run at once take theirs at once; those that are captured have it in their graphs.
        "largest stage": max(vae.encode + denoise + vae.decode if together else 0, denoise, fixed.prompt, vae.encode, vae.decode),
        "frames": _frames(wish.size),
        "CUDA graphs": graphs_need(wish.profile, wish.vae, wish.dtype, wish.spec, wish.steps) if wish.graphs else 0,
    }
    parts["margin"] = MARGIN + int(MARGIN_SHARE * sum(parts.values()))
    return Budget(wish, parts)


def savings(wish: MemoryRequest) -> list[Saving]:
    """Every single change that saves memory, the one that costs least of the picture first."""
    total = plan(wish).total
    changes = [(setting, total - plan(changed).total) for setting, changed in _changes(wish)]
    return [Saving(setting, saved) for setting, saved in changes if saved > 0]


def fit(
    wish: MemoryRequest, free: int, *, vaes: tuple[str, ...], texts: tuple[Placement, ...], sizes: tuple[Size, ...], fp8: bool
) -> Budget | None:
    """The best plan that fits into `free` bytes, None when none does.

    What costs least is given up first: the text encoder's place, CUDA graphs with the overlap of chunks, stream_batch,
    remembered frames, 16-bit linear layers, then the autoencoder, and the size last.

    Args:
        wish: the request, with its settings as asked for.
        free: bytes available.
        vaes: autoencoders that may be taken, the best first.
        texts: places of the text encoder that may be taken, the best first.
        sizes: sizes that may be taken, the best first.
        fp8: allow linear layers in 8 bits.
    """
    schedules = dict.fromkeys((wish.schedule, Schedule.SEQUENTIAL))
    frames = dict.fromkeys(((wish.kv_frames, wish.sink_frames), _fewer(wish)))
    eights = dict.fromkeys((wish.fp8, wish.fp8 or fp8))
    fast = dict.fromkeys(((wish.graphs, wish.overlap), (False, False)))
    for size, vae, eight, (kv, sinks), schedule, (graphs, overlap), text in product(
        sizes, vaes, eights, frames, schedules, fast, texts
    ):
        kept = replace(wish, size=size, vae=vae, fp8=eight, kv_frames=kv, sink_frames=sinks)
        tried = replace(kept, schedule=schedule, graphs=graphs, overlap=overlap, text=text)
        if sum(_dit_parts(tried).values()) <= free and (planned := plan(tried)).total <= free:
            return planned
    return None


def smaller_sizes(size: Size) -> tuple[Size, ...]:
    """The size, and smaller ones of about its shape, in multiples of 16."""
    scaled = [(_side(size[0] * factor), _side(size[1] * factor)) for factor in SMALLER]
    return tuple(dict.fromkeys((size, *(s for s in scaled if s[0] <= size[0] and s[1] <= size[1]))))


def lighter_vaes(profile: Profile, kind: str) -> tuple[str, ...]:
    """The autoencoder and those of the profile that are faster and smaller."""
    return VAES[VAES.index(kind) :] if profile.files is not None else (kind,)


def _changes(wish: MemoryRequest) -> Iterator[tuple[str, MemoryRequest]]:
    if wish.text is Placement.GPU and not wish.unified:
        yield "model.text_encoder: cpu (or on-demand)", replace(wish, text=Placement.CPU)
    if wish.graphs:
        yield "engine.cuda_graphs: off, engine.overlap: off", replace(wish, graphs=False, overlap=False)
    elif wish.overlap:
        yield "engine.overlap: off", replace(wish, overlap=False)
    if wish.schedule is Schedule.STREAM_BATCH:
        yield "engine.schedule: sequential", replace(wish, schedule=Schedule.SEQUENTIAL)
    kv, sinks = _fewer(wish)
    yield f"engine.kv_frames: {kv}, engine.sink_frames: {sinks}", replace(wish, kv_frames=kv, sink_frames=sinks)
    if not wish.fp8 and not wish.unified:
        yield "model.fp8: true (Linux, compute capability 8.9 or more)", replace(wish, fp8=True)
    for vae in lighter_vaes(wish.profile, wish.vae)[1:]:
        if vae != "lighttae":  # as large as taehv
            yield f"model.vae: {vae}", replace(wish, vae=vae)
    for size in smaller_sizes(wish.size)[1:]:
        yield f"video.size: {size[0]}x{size[1]}", replace(wish, size=size)


def _dit_parts(wish: MemoryRequest) -> dict[str, int]:
    """The parts that need no run on the meta device."""
    fixed = fixed_need(wish.profile, wish.dtype)
    text = text_bytes(wish.profile, "fp32" if wish.profile.files is None else wish.precision)
    return {
        "transformer weights": fixed.weights - (fixed.linear - fixed.linear // wish.dtype.itemsize if wish.fp8 else 0),
        "text encoder": text if wish.text is Placement.GPU or wish.unified else 0,
        "key/value caches": cache_bytes(wish.profile, wish.dtype, wish.spec),
    }


def _fewer(wish: MemoryRequest) -> tuple[int, int]:
    return min(wish.kv_frames, FAST[0]), min(wish.sink_frames, FAST[1])


def _side(pixels: float) -> int:
    return max(round(pixels / MULTIPLE) * MULTIPLE, LEAST)


def _frames(size: Size) -> int:
    """Conversion of frames: five of 1080p as bytes, one of them in float32 thrice over, and a chunk in and out in float32."""
    frame = 1080 * 1920 * 4
    return 5 * frame + 3 * 3 * frame + 2 * 5 * 3 * size[0] * size[1] * 4
