"""The metrics of a show in Prometheus' text format: counters, gauges, and histograms of chunk times and latency.

They are read on demand from the parts that count anyway; the frame path does no work for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from sdv2_live.ranks.now import RankNow
from sdv2_live.show.status import STATUS
from sdv2_live.stats import Distribution, Fill

PREFIX = "sdv2_"

MEASURED = {  # beside STATUS: distributions, and what has a value for each of several names
    "info": "What is running.",
    "latency_seconds": "From a frame's capture to its painted picture's sending.",
    "chunk_seconds": "Time to paint one chunk.",
    "stage_seconds": "Time of each stage of a chunk.",
    "queue_length": "What waits in each queue.",
    "queue_bound": "The most that each queue can hold.",
    "rank_busy_ratio": "Share of the last second in which each card computed.",
    "rank_call_seconds": "Time of one call of each card's blocks, as a chunk needs one for each step.",
    "rank_memory_bytes": "Memory that each card's process holds.",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """All counters and measurements at one moment, by names without prefix.

    Attributes:
        values: the values of STATUS.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    distributions: Mapping[str, Distribution] = field(default_factory=dict)
    stages: Mapping[str, Distribution] = field(default_factory=dict)
    queues: Mapping[str, Fill] = field(default_factory=dict)
    info: Mapping[str, str] = field(default_factory=dict)
    ranks: Sequence[RankNow] = ()


class _Show(Collector):
    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """The reading as Prometheus metric families."""
        reading = self._read()
        if reading.info:
            about = GaugeMetricFamily(*_named("info"), labels=list(reading.info))
            about.add_metric(list(reading.info.values()), 1)
            yield about
        for row in STATUS:
            if row.metric in reading.values:
                family = CounterMetricFamily if row.counter else GaugeMetricFamily
                yield family(PREFIX + row.metric, row.doc, value=reading.values[row.metric])
        for name, one in reading.distributions.items():
            histogram = HistogramMetricFamily(*_named(name))
            histogram.add_metric([], _buckets(one), one.sum)
            yield histogram
        if reading.stages:
            stages = HistogramMetricFamily(*_named("stage_seconds"), labels=["stage"])
            for name, one in reading.stages.items():
                stages.add_metric([name], _buckets(one), one.sum)
            yield stages
        if reading.queues:
            lengths = GaugeMetricFamily(*_named("queue_length"), labels=["queue"])
            bounds = GaugeMetricFamily(*_named("queue_bound"), labels=["queue"])
            for name, queue in reading.queues.items():
                lengths.add_metric([name], queue.length)
                bounds.add_metric([name], queue.bound)
            yield from (lengths, bounds)
        if reading.ranks:
            names = ("rank_busy_ratio", "rank_call_seconds", "rank_memory_bytes")
            families = [GaugeMetricFamily(*_named(name), labels=["rank"]) for name in names]
            for number, rank in enumerate(reading.ranks):
                values = (rank.busy, rank.ms / 1e3, rank.memory_mb * 2.0**20)
                for gauge, value in zip(families, values, strict=True):
                    gauge.add_metric([str(number)], value)
            yield from families


def _named(name: str) -> tuple[str, str]:
    return PREFIX + name, MEASURED[name]


def _buckets(one: Distribution) -> list[tuple[str, float]]:
    return [("+Inf" if bound == float("inf") else str(bound), count) for bound, count in one.cumulative()]


class Metrics:
    """The page that a Prometheus server scrapes."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Show(read))

    def page(self) -> tuple[bytes, str]:
        """The page with all present values, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
