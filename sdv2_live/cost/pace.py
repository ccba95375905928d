"""The largest picture that the small model paints at its input's rate on this CPU: measured when the input is known.

What is measured is processor time, of one chunk's stages in turn. So it says what the machine can do, not how busy other programs
keep it at the moment. What they take from a running show is load shedding's business.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from sdv2_live.engine.engine import Engine
from sdv2_live.engine.spec import CHUNK_FRAMES, FIRST_FRAMES, ChunkPlan, StreamSpec
from sdv2_live.frame import Frame
from sdv2_live.gpu.detail import Guide
from sdv2_live.gpu.look import PLAIN
from sdv2_live.gpu.postprocess import Postprocessor
from sdv2_live.gpu.preprocess import Preprocessor
from sdv2_live.system.clock import COARSE_THREAD_TIME

ROOM = 0.9  # of a chunk's time; the rest is for taking frames in and giving them out
PIXELS = (256 * 256, 224 * 400, 256 * 448, 288 * 512, 320 * 576, 352 * 624, 400 * 704, 480 * 832)  # that are tried
ENOUGH = 256 * 448  # larger pictures leave a core to other programs
TIMES = 5  # of each stage; the least counts: other programs make it longer even in processor time, through the caches

clock = time.perf_counter if COARSE_THREAD_TIME else time.thread_time


@dataclass(frozen=True, slots=True)
class Work:
    """Processor seconds of a chunk.

    Attributes:
        denoise: of one step.
        take_in: from the input's frames to pixels.
        give_out: from pixels to frames of the output's size, with their detail.
    """

    encode: float
    denoise: float
    decode: float
    take_in: float = 0.0
    give_out: float = 0.0


def share(work: Work, *, steps: int, cores: int, rate: float) -> float:
    """The painting's share of the time that the frames' conversion leaves; above 1 the rate is not held.

    All of it shall fit on these cores, two at most, for so many chunks are in flight. What is painted when a chunk's last frame
    has come is painted before the next chunk's has. And one thread decodes and gives out.

    Conversion hardly depends on the size that is painted. So a share grows with that as the painting's time does.
    """
    there, there_twice = ROOM * CHUNK_FRAMES / rate, min(cores, 2) * ROOM * CHUNK_FRAMES / rate
    painting = steps * work.denoise + work.decode
    return max(
        _share(work.encode + painting, there_twice - work.take_in - work.give_out),
        _share(work.encode / CHUNK_FRAMES + painting, there - work.take_in / CHUNK_FRAMES),
        _share(work.decode, there - work.give_out),
    )


def _share(seconds: float, there: float) -> float:
    return seconds / there if there > 0 else math.inf


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
def painting(engine: Engine, spec: StreamSpec) -> Work:
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


@torch.inference_mode()
def converting(preprocess: Preprocessor, postprocess: Postprocessor, like: Frame, detail: float) -> tuple[float, float]:
    """The seconds of taking in and of giving out a chunk of frames of this size and layout, with so much detail."""
    rows = np.random.default_rng(0).integers(0, 256, like.data.shape, dtype=np.uint8)
    frames = [replace(like, data=rows)]

    def taken_in() -> tuple[torch.Tensor, Guide | None]:
        pixels = preprocess.chunk(frames)
        return pixels, postprocess.guide(frames, pixels, PLAIN) if detail > 0 else None

    pixels, guide = taken_in()
    give_out = _least(lambda: postprocess(pixels, frames, guide, detail))
    return CHUNK_FRAMES * _least(taken_in), CHUNK_FRAMES * give_out


def _least(work: Callable[[], object]) -> float:
    times = []
    for _ in range(TIMES):
        begin = clock()
        work()
        times.append(clock() - begin)
    return min(times)
