"""Play a show at random for a long time, and see whether it grows or slows: `python tools/soak.py --minutes 30`.

A real daemon with `tiny` on the CPU; sender and receiver by real NDI in this process. The sender changes its size, stops and
comes back; by OSC come faders, prompts, presets, seeds, steps and resets, all drawn from `--seed`. Compared are the first and the
last five minutes (a sixth of the time, if that is less) after a warm-up: memory of the daemon and its engine together, and the
99th percentile of latency (from the histogram of the metrics page). Every queue that the
metrics page tells of must keep within its bound. Prints JSON; exits with 1 when the verdict is bad.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import numpy as np
import psutil
from bench_live import READY_S, daemon, uyvy
from pythonosc.udp_client import SimpleUDPClient

from sdv2_live.errors import EngineError
from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.io.ndi.settings import NdiSettings
from sdv2_live.io.ndi.sink import NdiSink
from sdv2_live.io.ndi.source import NdiSource
from sdv2_live.io.synthetic import TestSource

SIZES = ((180, 320), (240, 320), (360, 640))
RATE = 30
PICTURES = 15  # different ones of a size
PROMPTS = [f"{look} of {what}" for look in ("a pencil sketch", "golden hour", "a comic", "underwater") for what in
           ("a dancer", "two singers", "a crowd", "a hand", "a city at night", "a forest", "the sea", "smoke")]  # fmt: skip
SAMPLE_S = 5.0
PLAY_S = 0.25
TOLD = 20  # warnings that are kept, the last ones
MAX_GROWTH = 2.0  # percent
MAX_SLOWER = 10.0  # percent
FAILURES = ("engine_restarts", "engine_failures", "frames_failed", "reads_failed", "osc_failures")


@dataclass
class Sample:
    """One moment: seconds since the warm-up, MB of the daemon and of its children, and what the metrics page counted."""

    at: float
    daemon_mb: float
    engine_mb: float
    counters: dict[str, float] = field(default_factory=dict)
    latency: dict[float, float] = field(default_factory=dict)  # frames by upper bound in seconds, cumulative
    lengths: dict[str, float] = field(default_factory=dict)  # what waits, by queue
    bounds: dict[str, float] = field(default_factory=dict)  # the most that may

    @property
    def memory_mb(self) -> float:
        return self.daemon_mb + self.engine_mb


class Camera:
    """A sender whose size changes, and that stops."""

    def __init__(self, name: str) -> None:
        self.size, self.on = SIZES[0], True
        self._name = name
        self._end = threading.Event()
        self._pictures = {size: _pictures(size) for size in SIZES}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with NdiSink(self._name, NdiSettings()) as sink:
            begin, count = time.monotonic(), 0
            while not self._end.wait(max(begin + count / RATE - time.monotonic(), 0)):
                height, width = self.size
                if self.on:
                    rows = self._pictures[self.size][count % PICTURES]
                    sink.send(Frame(rows, width, height, PixelFormat.UYVY, Fraction(RATE), time.monotonic_ns(), count))
                count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()


def _pictures(size: tuple[int, int]) -> list[np.ndarray]:
    with TestSource(*size, Fraction(RATE), realtime=False) as card:
        return [uyvy(frame) for frame in (card.read(1.0) for _ in range(PICTURES)) if frame is not None]


class Player:
    """Somebody who plays without thinking."""

    def __init__(self, port: int, camera: Camera, seed: int) -> None:
        self.osc = SimpleUDPClient("127.0.0.1", port)
        self.done: dict[str, int] = {}
        self._camera = camera
        self._draw = random.Random(seed)
        self._back_at = 0.0

    def warm_up(self) -> None:
        """Every prompt and size once: what is remembered of them is no growth later on."""
        for i, prompt in enumerate(PROMPTS):
            self._camera.size = SIZES[i % len(SIZES)]
            self._send("prompt", prompt)
            time.sleep(0.5)

    def play(self, now: float) -> None:
        """One thing, drawn at random; called some times a second."""
        if not self._camera.on:
            self._camera.on = now >= self._back_at
        kinds: Sequence[tuple[Callable[[], None], int]] = (
            (lambda: self._send("noise_scale", self._draw.uniform(0.2, 0.6)), 30),
            (lambda: self._send("mix", self._draw.uniform(0.5, 1)), 20),
            (lambda: self._send("prompt/2/weight", self._draw.random()), 10),
            (lambda: self._send("prompt", self._draw.choice(PROMPTS)), 10),
            (lambda: self._send("preset", self._draw.randrange(1, 9)), 4),
            (lambda: self._send("seed", self._draw.randrange(2**31)), 4),
            (lambda: self._send("steps", self._draw.choice(("400", "500", "600,300"))), 3),
            (lambda: self._send("transition_chunks", self._draw.randrange(8)), 3),
            (lambda: self._send("reset", 1), 2),
            (self._resize, 2),
            (self._lose, 1),
        )
        self._draw.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()

    def _send(self, name: str, value: Any) -> None:
        self.done[name] = self.done.get(name, 0) + 1
        self.osc.send_message("/sdv2/" + name, value)

    def _resize(self) -> None:
        self.done["input size"] = self.done.get("input size", 0) + 1
        self._camera.size = self._draw.choice(SIZES)

    def _lose(self) -> None:
        self.done["input lost"] = self.done.get("input lost", 0) + 1
        self._camera.on, self._back_at = False, time.monotonic() + self._draw.uniform(0.5, 4)


class Watcher:
    """Receives the output, so that it is sent at all, and keeps the longest time without a frame."""

    def __init__(self, name: str) -> None:
        self.frames, self.longest_s = 0, 0.0
        self._name = name
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        last = 0.0
        with NdiSource(self._name) as source:
            while not self._end.is_set():
                if source.read(0.1) is not None:
                    now = time.monotonic()
                    self.longest_s = max(self.longest_s, now - last if last else 0.0)
                    self.frames, last = self.frames + 1, now

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()


def sample(pid: int, http: str, begin: float) -> Sample:
    """What the daemon takes and counts now."""
    daemon = psutil.Process(pid)
    children = sum(child.memory_info().rss for child in daemon.children(recursive=True))
    one = Sample(round(time.monotonic() - begin, 1), round(daemon.memory_info().rss / 2**20, 1), round(children / 2**20, 1))
    with urllib.request.urlopen(f"{http.rstrip('/')}/metrics", timeout=60) as answer:
        page = answer.read().decode()
    one.counters = {name: float(value) for name, value in re.findall(r"^sdv2_(\w+)_total (\S+)$", page, re.M)}
    bounds = re.findall(r'^sdv2_latency_seconds_bucket\{le="(\S+)"\} (\S+)$', page, re.M)
    one.latency = {float(bound): float(count) for bound, count in bounds}
    one.lengths, one.bounds = (
        {name: float(value) for name, value in re.findall(rf'^sdv2_queue_{what}\{{queue="(\w+)"\}} (\S+)$', page, re.M)}
        for what in ("length", "bound")
    )
    return one


def p99_ms(first: Sample, last: Sample) -> float:
    """99th percentile of the latencies between two samples, linear within a bucket of the histogram."""
    counts = {bound: count - first.latency.get(bound, 0.0) for bound, count in last.latency.items()}
    wanted = 0.99 * max(counts.values(), default=0.0)
    low, below = 0.0, 0.0
    for bound in sorted(counts):
        if counts[bound] >= wanted > 0:
            share = 0.0 if math.isinf(bound) else (bound - low) * (wanted - below) / (counts[bound] - below)
            return (low + share) * 1000
        low, below = bound, counts[bound]
    return 0.0


def fullest(samples: Sequence[Sample]) -> dict[str, dict[str, float | None]]:
    """Of every queue, the most that waited at any look, and the least bound that was told, None where none was."""
    names = sorted({name for one in samples for name in one.lengths})
    return {
        name: {
            "most": max(one.lengths.get(name, 0.0) for one in samples),
            "bound": min((one.bounds[name] for one in samples if name in one.bounds), default=None),
        }
        for name in names
    }


def judged(samples: Sequence[Sample], window_s: float) -> dict[str, Any]:
    """The first and the last `window_s` seconds compared; queues at every moment."""
    early = [one for one in samples if one.at <= window_s]
    late = [one for one in samples if one.at >= samples[-1].at - window_s]

    def mean(some: Sequence[Sample]) -> float:
        return sum(one.memory_mb for one in some) / len(some)

    before, after = p99_ms(early[0], early[-1]), p99_ms(late[0], late[-1])
    growth, slower = (mean(late) / mean(early) - 1) * 100, (after / before - 1) * 100 if before else 0.0
    failed = {name: samples[-1].counters.get(name, 0.0) for name in FAILURES}
    queues = fullest(samples)
    return {
        "memory_mb": {"first": round(mean(early), 1), "last": round(mean(late), 1), "growth_percent": round(growth, 2)},
        "latency_p99_ms": {"first": round(before, 1), "last": round(after, 1), "change_percent": round(slower, 1)},
        "failed": failed,
        "queues": queues,
        "verdict": {
            "memory": growth < MAX_GROWTH,
            "latency": slower < MAX_SLOWER,
            "failures": not any(failed.values()),
            "queues": all(queue["bound"] is not None and queue["most"] <= queue["bound"] for queue in queues.values()),
        },
    }


def soak(options: argparse.Namespace) -> dict[str, Any]:
    """Play, and look every five seconds."""
    seconds, tag = options.minutes * 60, uuid.uuid4().hex[:8]
    fixed = ("model.prompt_cache=off", f"video.size={options.size}", "model.threads=1", "oscquery.announce=false", "log.file=off")
    settings = [part for value in (*fixed, "state.dir=off", *options.set) for part in ("--set", value)]
    names = ("--input", f"ndi:soak-in-{tag}", "--output", f"ndi:soak-out-{tag}")
    samples: list[Sample] = []
    with Camera(f"soak-in-{tag}") as camera, daemon("--model", "tiny", "--device", "cpu", *names, *settings) as (process, lines):
        osc, http = (_found(lines, pattern) for pattern in (r"osc://[\d.]+:(\d+)", r"(http://\S+) describes"))
        player = Player(int(osc), camera, options.seed)
        with Watcher(f"soak-out-{tag}") as watcher:
            player.warm_up()
            begin = time.monotonic()
            due = begin
            while (now := time.monotonic()) < begin + seconds and process.poll() is None:
                if now >= due:
                    samples.append(sample(process.pid, http, begin))
                    due += SAMPLE_S
                player.play(now)
                time.sleep(PLAY_S)
            if process.poll() is not None:
                raise EngineError(f"the daemon ended: {''.join(lines[-3:])}")
            samples.append(sample(process.pid, http, begin))
        told = {level: [line.strip() for line in lines if f" {level} " in line] for level in ("ERROR", "WARNING")}
    return {
        "minutes": options.minutes,
        "size": options.size,
        "load": os.getloadavg(),
        "played": player.done,
        "frames_received": watcher.frames,
        "longest_without_frame_s": round(watcher.longest_s, 3),
        **judged(samples, min(300.0, seconds / 6)),
        "counters": samples[-1].counters,
        "errors": told["ERROR"],
        "warnings": told["WARNING"][-TOLD:],
        "samples": [[one.at, one.daemon_mb, one.engine_mb] for one in samples],
    }


def _found(lines: list[str], pattern: str) -> str:
    until = time.monotonic() + READY_S
    while not (found := re.findall(pattern, "".join(lines))):
        if time.monotonic() > until:
            raise EngineError(f"the daemon did not come up: {''.join(lines[-3:])}")
        time.sleep(0.05)
    return str(found[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--size", default="128x128", metavar="HEIGHTxWIDTH", help="of the model's frames")
    parser.add_argument("--seed", type=int, default=1, help="of what is played")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any key of the configuration")
    result = soak(parser.parse_args())
    print(json.dumps(result, indent=1))
    return 0 if all(result["verdict"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
