"""What `--ranks` has painted: a model, a schedule, and the figures of painting with them. See `ranks`."""

from __future__ import annotations

import os
import statistics
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psutil
import torch

from sdv2_live.chunk import AHEAD, Chunk
from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import PROFILES
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.model.load import Models, choose_dtype
from sdv2_live.model.sizes import DitConfig
from sdv2_live.pipeline.build import new_stream
from sdv2_live.pipeline.stream import Stream
from sdv2_live.ranks.partition import StageTimes
from sdv2_live.stats import StageTimer
from sdv2_live.system.clock import monotonic

from .throughput import STEPS, WARM_UP, Ring, ready_frames, synthetic_models

CPU = torch.device("cpu")
TINY = PROFILES["tiny"]
MODELS = {"tiny": TINY, "12 layers of width 512": replace(TINY, dit=DitConfig(512, 8, 2048, 12, text_dim=TINY.dit.text_dim))}


@dataclass(frozen=True, slots=True)
class Job:
    """What is painted. parts: blocks of each rank, begin and end; none: each process paints by itself."""

    model: str
    schedule: str
    dtype: str
    size: str
    steps: int
    seconds: float
    parts: Sequence[Sequence[int]] = ()

    @property
    def layers(self) -> int:
        """Blocks of the whole transformer."""
        return MODELS[self.model].dit.layers

    def models(self, rank: int) -> Models:
        """The models, of the transformer a rank's part."""
        profile = MODELS[self.model]
        models = synthetic_models(profile, profile.vae, CPU, choose_dtype(self.dtype, CPU))
        if self.parts:
            models.dit.keep(range(*self.parts[rank]))
        return models


@dataclass(frozen=True, slots=True)
class Seen:
    """Figures of a run.

    Attributes:
        rate: chunks a second.
        alone_ms: from a chunk's frames to its pictures, where it is the only one.
        full_ms: the same where as many are on their way as in a show.
        busy: cores that each process had.
        beside: cores that all other programs had.
        stages: seconds, of chunks that were the only ones.
        pictures: a digest of the first ones.
    """

    rate: float
    alone_ms: float
    full_ms: float
    busy: list[float]
    beside: float
    stages: StageTimes
    pictures: int


def alone(job: Job) -> Seen:
    """Figures of this process alone."""
    with streaming(job, job.models(0)) as stream:
        return painted(stream, job, [os.getpid()])


@contextmanager
def streaming(job: Job, models: Models) -> Iterator[Stream]:
    """A stream over these models."""
    keys = {"video.size": job.size, "engine.schedule": job.schedule, "params.steps": STEPS[job.steps], "model.device": "cpu"}
    with closing(PromptCache(models.text)) as prompts:
        config = load_config(None, [f"{key}={value}" for key, value in keys.items()])
        yield new_stream(config, models, prompts, StageTimer(100_000))


def painted(stream: Stream, job: Job, processes: Sequence[int]) -> Seen:
    """Paint chunks by themselves, then as many at a time as in a show."""
    height, width = map(int, job.size.split("x"))
    frames, params = Ring(ready_frames((width, height))), load_config(None, [f"params.steps={STEPS[job.steps]}"]).params
    like, levels = frames.take(1)[0], job.steps if job.schedule == "stream_batch" else 1
    digest = 0

    def run(seconds: float, ahead: int) -> tuple[float, float, list[float], float]:
        """Chunks a second, median ms of one; cores that the processes had, and others."""
        nonlocal digest
        began: deque[float] = deque(maxlen=ahead + levels)
        waiting: deque[Any] = deque()
        waits: list[float] = []
        first, before, all_before = monotonic(), [computed(pid) for pid in processes], computed()
        while monotonic() - first < seconds or len(waits) < WARM_UP // 2:
            taken = frames.take(stream.prepare(like, params))
            began.append(monotonic())
            waiting.append(stream.launch(Chunk.of(taken, params), wait_for_prompt=True))
            if len(waiting) > ahead:
                for picture in waiting.popleft().result().pictures:
                    digest = zlib.crc32(picture.data.tobytes(), digest) if not seconds else digest
                waits.append(monotonic() - began[0])
        passed = monotonic() - first
        busy = [(computed(pid) - spent) / passed for pid, spent in zip(processes, before, strict=True)]
        beside = (computed() - all_before) / passed - sum(busy)
        for last in waiting:
            last.result()
        return len(waits) / passed, 1e3 * statistics.median(waits), busy, beside

    run(0.0, 0)  # warm, and what the pictures are compared by
    stream.timer.clear()
    _, alone_ms, *_ = run(job.seconds / 2, 0)
    times = {name: each.p50 / 1e3 for name, each in stream.timer.summaries().items()}
    rate, full_ms, busy, beside = run(job.seconds, AHEAD - 1)
    stages = StageTimes(times["encode"], times["denoise"] / job.steps / job.layers, times["decode"])
    return Seen(rate, alone_ms, full_ms, busy, beside, stages, digest)


def computed(process: int | None = None) -> float:
    """The processor seconds that a process has had; None: all of the machine."""
    if process is None:
        times = psutil.cpu_times()
        return times.user + times.system + getattr(times, "nice", 0.0)
    times = psutil.Process(process).cpu_times()
    return times.user + times.system
