"""What a show takes and counts at a moment, and whether it grew or slowed between the first moments and the last."""

from __future__ import annotations

import math
import re
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

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


def fullest(samples: Sequence[Sample]) -> dict[str, dict[str, Any]]:
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
