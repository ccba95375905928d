"""The largest picture that the small model paints at a live rate on this CPU: measured at start.

What is measured is processor time, of one chunk's stages in turn. So it says what the machine can do, not how busy other programs
keep it at the moment. What they take from a running show is load shedding's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import CHUNK_FRAMES, FIRST_FRAMES, ChunkPlan, StreamSpec
from sdv2_live.gpu.geometry import Size
from sdv2_live.system.clock import COARSE_THREAD_TIME

RATE = 30.0  # frames a second, where nobody says what is wanted
ROOM = 0.9  # of a chunk's time; the rest is for taking frames in and giving them out
PIXELS = (256 * 256, 224 * 400, 256 * 448, 288 * 512, 320 * 576, 352 * 624, 400 * 704, 480 * 832)  # that are tried
ENOUGH = 256 * 448  # larger pictures leave a core to other programs
TIMES = 5  # of each stage; the least counts: other programs make it longer even in processor time, through the caches

clock = time.perf_counter if COARSE_THREAD_TIME else time.thread_time


@dataclass(frozen=True, slots=True)
class Work:
    """Processor seconds of a chunk. denoise: of one step."""

    encode: float
    denoise: float
    decode: float


def share(work: Work, *, steps: int, cores: int, rate: float = RATE) -> float:
    """The share of the time that there is; above 1 the rate is not held.

    The work shall fit on these cores, two at most, for so many chunks are in flight. And what remains when a chunk's last frame
    has come is done before the next chunk's.
    """
    there = ROOM * CHUNK_FRAMES / rate
    painting = steps * work.denoise + work.decode
    together = (work.encode + painting) / min(cores, 2)
    return max(together, work.encode / CHUNK_FRAMES + painting) / there


def cores_for(pixels: int, cores: int) -> int:
    """How many of so many cores pictures of this size may use."""
    return cores if pixels <= ENOUGH else max(cores - 1, 1)


def largest(sizes: Sequence[int], share: Callable[[int], float]) -> int:
    """The largest of ascending sizes whose share is at most 1; the smallest where none is.

    Few sizes are tried: a share grows at least with the size, and at most with its square.
    """
    low, high = 0, len(sizes) - 1
    middle = high // 3  # the first is no large one: on a slow machine it would take seconds
    while low < high:
        size, found = sizes[middle], share(sizes[middle])
        if found <= 1:
            low = middle
            high = max(i for i in range(low, high + 1) if i == low or sizes[i] <= size / found)
        else:
            high = max(i for i in range(low, middle) if i == low or sizes[i] <= size / found**0.5)
        middle = (low + high + 1) // 2
    return sizes[low]


@torch.inference_mode()
def measured(engine: Engine, spec: StreamSpec) -> Work:
    """The work of one latent, in one step, in the middle of a stream; a context pass or a refill takes about a step more."""
    state = engine.new_state(replace(spec, block=1, context_t=None, recompute=None))
    for _ in range(spec.cache.kv_frames):  # as if so many latents had been painted
        state.cache.begin(state.cache.plan([state.advance(1)], 1))
    channels, text = engine.dit.config.channels, engine.dit.config.text_dim
    pixels = torch.rand(1, 3, FIRST_FRAMES, spec.height, spec.width).mul_(2).sub_(1)
    latent = torch.randn(1, 1, channels, *spec.latent_hw)
    cross, plan = engine.dit.condition(torch.zeros(1, 60, text)), ChunkPlan(0.5, (500,))
    engine.encode(pixels, state)
    return Work(
        _least(lambda: engine.encode(pixels[:, :, :CHUNK_FRAMES], state)),
        _least(lambda: engine.denoise(latent, cross, plan, 0, state)),
        _least(lambda: engine.decode(latent, state)),
    )


def _least(work: Callable[[], object]) -> float:
    times = []
    for _ in range(TIMES):
        begin = clock()
        work()
        times.append(clock() - begin)
    return min(times)


def words(pixels: int, size: Size, rate: float) -> str:
    """The choice, for the log."""
    return f"measured: pictures of up to {pixels} pixels at {rate:g} frames a second, such as {size[0]}x{size[1]}"
