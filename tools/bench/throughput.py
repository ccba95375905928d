"""The engine's throughput: stages, frames a second, first chunk, jitter and memory, with frames ready in memory."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from sdv2_live.chunk import Chunk, Generated
from sdv2_live.config.load import load_config
from sdv2_live.config.profiles import find_profile
from sdv2_live.config.schema import Config
from sdv2_live.engine.prompt_cache import PromptCache
from sdv2_live.frame import Frame
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.io.ndi.sink import NdiSink
from sdv2_live.io.synthetic import TestSource
from sdv2_live.model.dit.dit import CausalDiT
from sdv2_live.model.load import Models, choose_device, choose_dtype, load_models
from sdv2_live.model.profiles import Profile
from sdv2_live.model.vae.ops import channels_last
from sdv2_live.model.vae_choice import make_vae, vae_kind
from sdv2_live.pipeline.build import kernels, new_stream, set_threads
from sdv2_live.pipeline.stream import Stream
from sdv2_live.stats import StageTimer, Window

from .floor import card_peaks, floor

STEPS = {1: "600", 2: "700,500", 3: "750,500,250", 4: "800,600,400,200"}
STAGES = ("capture", "preprocess", "encode", "denoise", "decode", "postprocess", "send")
WARM_UP = 8  # chunks before anything is counted: the cache is full, memory is allocated


class FixedPrompt:
    """A text encoder's output without a text encoder: 60 rows of noise."""

    def __init__(self, dim: int) -> None:
        self._embedding = torch.randn(1, 60, dim, generator=torch.Generator().manual_seed(1))

    def encode(self, prompt: str) -> Tensor:
        return self._embedding


def synthetic_models(chosen: Profile, kind: str, device: torch.device, dtype: torch.dtype) -> Models:
    """Models of the real sizes with random weights, made on the device; speed does not depend on what they are."""
    torch.manual_seed(0)
    with torch.device(device):
        dit = CausalDiT(chosen.dit).to(dtype).eval().requires_grad_(False)
        vae = make_vae(chosen, vae_kind(chosen, kind)).to(device, dtype).eval().requires_grad_(False)
    channels_last(vae)
    text: Any = FixedPrompt(chosen.text.dim)
    return Models(chosen, dit, vae, text)


def ready_frames(size: tuple[int, int], count: int = 32) -> list[Frame]:
    """Moving test-card frames in memory."""
    with TestSource(*size, Fraction(30), realtime=False) as source:
        frames = [source.read(1.0) for _ in range(count)]
    return [frame for frame in frames if frame is not None]


class Ring:
    """Hands out frames round and round, with running time stamps."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._frames = frames
        self._next = 0

    def take(self, count: int) -> list[Frame]:
        now = time.monotonic_ns()
        taken = [self._frames[(self._next + i) % len(self._frames)] for i in range(count)]
        self._next += count
        return [replace(frame, captured_ns=now, index=self._next + i) for i, frame in enumerate(taken)]


def measure(stream: Stream, config: Config, size: tuple[int, int], seconds: float, *, overlap: bool) -> dict[str, Any]:
    """Run the stream for so long and return the figures. overlap: a chunk is launched before the one ahead is fetched."""
    timer, params = stream.timer, config.params
    ring = Ring(ready_frames(size))
    chunk_ms = Window(100_000)
    waiting: deque[Future[Generated]] = deque()
    if stream.engine.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()  # what it takes to run, not to make the models
    with NdiSink(f"sdv2-live bench {time.monotonic_ns()}", NdiSettings()) as sink:

        def chunk() -> int:
            with timer("capture"):
                frames = ring.take(stream.prepare(like, params))
            waiting.append(stream.launch(Chunk.of(frames, params), wait_for_prompt=True))
            painted = waiting.popleft().result().pictures if len(waiting) > overlap else []
            with timer("send"):
                for frame in painted:
                    sink.send(frame)
            return len(painted)

        like = ring.take(1)[0]
        stream.prepare(like, params)  # set up, kernels compiled, graphs captured: what a show does before its first frame
        begin = time.perf_counter()
        while chunk() == 0:  # with overlap the first pictures are fetched by the second call
            pass
        first_ms = (time.perf_counter() - begin) * 1e3
        for _ in range(WARM_UP):
            chunk()
        launches = kernel_launches(chunk) if stream.engine.device.type == "cuda" else None
        timer.clear()
        count, begin = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds:
            start = time.perf_counter()
            count += chunk()
            chunk_ms.add((time.perf_counter() - start) * 1e3)
        wait(waiting)
    summaries, jitter = timer.summaries(), chunk_ms.summary()
    result: dict[str, Any] = {
        "fps": round(count / elapsed, 2),
        "stages_ms": {stage: round(summaries[stage].mean, 3) for stage in STAGES if stage in summaries},
        "chunk_ms": {"mean": jitter.mean, "p50": jitter.p50, "p95": jitter.p95, "p99": jitter.p99},
        "first_chunk_ms": round(first_ms, 1),  # from the fifth frame to the first pictures in hand
        "chunks": jitter.count,
        "max_rss_mb": max_rss_mb(),
    }
    if launches is not None:
        result["launches_a_chunk"] = launches
        result["gpu_memory_mb"] = torch.cuda.max_memory_allocated() // 2**20
    return result


def max_rss_mb() -> int:
    """The most memory that this process has had at a time."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset // 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10)


def kernel_launches(chunk: Callable[[], int], chunks: int = 4) -> dict[str, float]:
    """What the host asks of CUDA's runtime, a chunk: kernels, whole graphs, copies and waits."""
    kinds = {"kernels": "LaunchKernel", "graphs": "GraphLaunch", "copies": "emcpyAsync", "waits": "Synchronize"}
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]) as seen:
        for _ in range(chunks):
            chunk()
        torch.cuda.synchronize()
    calls = {event.key: event.count for event in seen.key_averages() if event.key.startswith("cu")}
    return {kind: sum(n for name, n in calls.items() if part in name) / chunks for kind, part in kinds.items()}


def throughput(options: argparse.Namespace) -> dict[str, Any]:
    """Build the models and measure."""
    settings = [
        f"video.size={options.size}",
        f"engine.schedule={options.schedule}",
        f"params.steps={STEPS[options.steps]}",
        f"model.device={options.device}",
    ]
    config = load_config(None, settings + options.set)
    device = choose_device(config.model.device)
    dtype = choose_dtype(options.dtype, device)
    torch.backends.cudnn.benchmark = options.autotune
    chosen = find_profile(options.model)
    set_threads(config.with_keys({"model.threads": options.threads}), device, chosen)
    if chosen.files is None:
        models = load_models(chosen, device=device, dtype=dtype, vae=options.vae, weights_dir=config.model.weights_dir)
    else:
        models = synthetic_models(chosen, options.vae, device, dtype)
    prompts = PromptCache(models.text)
    try:
        size = config.video.size
        assert size is not None
        stream = new_stream(config, models, prompts, StageTimer(100_000))
        result = measure(stream, config, size, options.seconds, overlap=options.overlap)
    finally:
        prompts.close()
    measured = card_peaks(device, dtype) if None in (options.peak_tflops, options.bandwidth) else (0.0, 0.0)
    peaks = options.peak_tflops or measured[0], options.bandwidth or measured[1]
    result["floor"] = floor(chosen, vae_kind(chosen, options.vae), size, options.steps, peaks, result)
    about = {
        "model": chosen.name,
        "vae": type(models.vae).__name__,
        "size": options.size,
        "steps": list(config.params.steps),
        "schedule": options.schedule,
        "overlap": options.overlap,
        "cuda_graphs": config.engine.cuda_graphs,
        "autotune": options.autotune,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or "cpu",
        "dtype": str(dtype)[6:],
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "kernels": kernels(config, models.dit),
    }
    return about | result
