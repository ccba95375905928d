"""The memory that a show takes, part by part; what saves how much; and the best settings that fit.

DiT, caches, prompts and streaming memory are exact. A stage's peak is an upper bound of what was measured on a CPU (1.0 to 2.0
times, see tests/unit/memory), and what CUDA graphs keep is estimated from the same peaks; on a GPU neither has been measured. A
margin comes on top, for the allocator's rounding and the libraries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from sdv2_live.engine.spec import Schedule
from sdv2_live.gpu.geometry import MULTIPLE, Size
from sdv2_live.memory.footprint import (
    WORKSPACE,
    FixedNeed,
    VaeNeed,
    cache_bytes,
    denoise_kept,
    denoise_peak,
    fixed_need,
    vae_need,
)
from sdv2_live.memory.request import MemoryRequest
from sdv2_live.model.load_text import text_bytes
from sdv2_live.model.profiles import Profile
from sdv2_live.model.text.encoder import Placement
from sdv2_live.model.vae_choice import VAES
from sdv2_live.ranks.partition import Part

GB, GIB = 1e9, 1 << 30
RESERVED = 1_000_000_000  # bytes of a card that the driver, the CUDA context and the desktop take
MARGIN, MARGIN_SHARE = 300_000_000, 0.03  # handles and workspaces of cuBLAS and cuDNN; rounding by the allocator
FAST = (5, 2)  # kv_frames and sink_frames of the authors' fast profile
SMALLER = (0.8, 0.64, 0.5)  # of both sides
LEAST = 128  # pixels; no side is made smaller
LIBRARY = 256 << 20  # that NCCL keeps for its channels to two neighbours: an assumption, for its defaults
PASSING = 2 * 16  # tensors between neighbours that are kept until later ones follow, in and out


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
    """The memory that the request takes; of a rank, with one direction of the autoencoder, what both share is counted whole.

    With CUDA graphs each stage has a pool of its own (engine/graphs.py, engine/vae_graphs.py). It is as large as the most that
    was alive while a steady chunk was captured; cuBLAS has a workspace for each stream, and what cuDNN keeps is not known.
    """
    own, fixed, vae = dit_parts(wish), _fixed(wish), _vae(wish)
    denoise, kept = _denoising(wish)
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
        "frames": _frames(wish) if wish.leads else 0,
        "CUDA graphs": kept + vae.steady + 3 * WORKSPACE if wish.graphs else 0,
        "other ranks": _passing(wish),
    }
    parts["margin"] = MARGIN + int(MARGIN_SHARE * sum(parts.values()))
    return Budget(wish, parts)


def savings(wish: MemoryRequest) -> list[Saving]:
    """Every single change that saves memory, the one that costs least of the picture first."""
    total = plan(wish).total
    saved = [Saving(setting, total - plan(changed).total) for setting, changed in changes(wish)]
    return [each for each in saved if each.bytes > 0]


def fit(tries: Iterable[MemoryRequest], free: int) -> Budget | None:
    """The plan of the first request that fits into `free` bytes, None when none does."""
    for tried in tries:
        if sum(dit_parts(tried).values()) <= free and (planned := plan(tried)).total <= free:
            return planned
    return None


def ways(
    wish: MemoryRequest, *, vaes: tuple[str, ...], texts: tuple[Placement, ...], sizes: tuple[Size, ...], fp8: bool
) -> Iterator[MemoryRequest]:
    """The request, and what takes less memory, the best first.

    What costs least is given up first: the text encoder's place, CUDA graphs with the overlap of chunks, stream_batch,
    remembered frames, 16-bit linear layers, then the autoencoder, and the size last.

    Args:
        wish: the request, with its settings as asked for.
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
        yield tried


def smaller_sizes(size: Size) -> tuple[Size, ...]:
    """The size, and smaller ones of about its shape, in multiples of 16."""
    scaled = [(_side(size[0] * factor), _side(size[1] * factor)) for factor in SMALLER]
    return tuple(dict.fromkeys((size, *(s for s in scaled if s[0] <= size[0] and s[1] <= size[1]))))


def lighter_vaes(profile: Profile, kind: str) -> tuple[str, ...]:
    """The autoencoder and those of the profile that are faster and smaller."""
    return VAES[VAES.index(kind) :] if profile.files is not None else (kind,)


def changes(wish: MemoryRequest) -> Iterator[tuple[str, MemoryRequest]]:
    """Single settings that may save memory, with the request that has them, the one that costs least of the picture first."""
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


def dit_parts(wish: MemoryRequest) -> dict[str, int]:
    """The parts that need no run on the meta device."""
    fixed = _fixed(wish)
    text = text_bytes(wish.profile, "fp32" if wish.profile.files is None else wish.precision)
    return {
        "transformer weights": fixed.weights - (fixed.linear - fixed.linear // wish.dtype.itemsize if wish.fp8 else 0),
        "text encoder": text if wish.leads and (wish.text is Placement.GPU or wish.unified) else 0,
        "key/value caches": cache_bytes(wish.held, wish.dtype, wish.spec) if wish.held else 0,
    }


def _fixed(wish: MemoryRequest) -> FixedNeed:
    return fixed_need(wish.held, wish.dtype) if wish.held else FixedNeed()


def _vae(wish: MemoryRequest) -> VaeNeed:
    part = wish.part or Part(0, wish.profile.dit.layers, encode=True, decode=True)
    if not (part.encode or part.decode):
        return VaeNeed()
    need = vae_need(wish.profile, wish.vae, wish.dtype, wish.size)
    return replace(need, encode=need.encode if part.encode else 0, decode=need.decode if part.decode else 0)


def _denoising(wish: MemoryRequest) -> tuple[int, int]:
    """The peak of a chunk's denoising, and what its graphs keep."""
    if wish.held is None:
        return 0, 0
    of = wish.held, wish.dtype, wish.spec, wish.steps
    return denoise_peak(*of), denoise_kept(*of)


def _passing(wish: MemoryRequest) -> int:
    """Buffers of what neighbours send each other, and the library that does."""
    if wish.part is None:
        return 0
    tokens = wish.size[0] * wish.size[1] // MULTIPLE**2
    return PASSING * tokens * wish.profile.dit.dim * wish.dtype.itemsize + (0 if wish.unified else LIBRARY)


def _fewer(wish: MemoryRequest) -> tuple[int, int]:
    if not wish.profile.stream.own:  # trained with its window, and never shown with another
        return wish.kv_frames, wish.sink_frames
    return min(wish.kv_frames, FAST[0]), min(wish.sink_frames, FAST[1])


def _side(pixels: float) -> int:
    return max(round(pixels / MULTIPLE) * MULTIPLE, LEAST)


def _frames(wish: MemoryRequest) -> int:
    """Conversion of a chunk's frames: of 1080p as bytes, one of them in float32 thrice over, and all in and out in float32."""
    frame, chunk = 1080 * 1920 * 4, max(wish.spec.frames_needed(first=first) for first in (True, False))
    return chunk * frame + 3 * 3 * frame + 2 * chunk * 3 * wish.size[0] * wish.size[1] * 4
