"""What a show counts, in Prometheus' text form: counters, gauges, and histograms of chunk times and latency.

Read on demand from the parts that count anyway; nothing on the frame path knows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from sdv2_live.stats import Distribution, Fill

PREFIX = "sdv2_"

DESCRIPTIONS: Mapping[str, str] = {
    "frames_in": "Frames read from the input.",
    "frames_out": "Frames sent to the output, repeats included.",
    "frames_skipped": "Input frames that no chunk took, because the engine was busy.",
    "frames_repeated": "Frames sent again for want of a new one.",
    "frames_late": "Painted frames that were overtaken before they could be sent.",
    "frames_failed": "Frames that could not be sent.",
    "reads_failed": "Reads of the input that failed.",
    "inputs_lost": "Times the main input gave no frames any more.",
    "inputs_frozen": "Times the main input stood still.",
    "inputs_black": "Times the main input was black.",
    "inputs_repeated": "Frames of a silent but connected input that were given once more.",
    "inputs_returned": "Times the main input took its place again.",
    "chunks": "Chunks painted.",
    "engine_failures": "Chunks that failed.",
    "engine_restarts": "Times the engine's process was started again.",
    "shed_down": "Times less was asked of an engine that was too slow.",
    "shed_up": "Times more was asked of it again.",
    "shed_steps": "Steps of shedding taken now.",
    "refreshes": "Times the stream was begun anew, unseen.",
    "drift": "Change of the pictures' colour or contrast since the look began, of full scale.",
    "oscquery_gave_way": "HTTP connections that were closed for newer ones.",
    "oscquery_turned_away": "HTTP connections for which there was no place.",
    "oscquery_late": "HTTP connections that were closed for silence.",
    "oscquery_barred": "HTTP connections from outside the allowed networks.",
    "oscquery_malformed": "What came by HTTP and was no request.",
    "oscquery_foreign": "HTTP requests of other sites' pages, and by other machines' names.",
    "oscquery_flooded": "HTTP requests and commands beyond their rate.",
    "oscquery_held": "Times that a WebSocket had to wait until OSC had caught up.",
    "oscquery_unread": "Messages for WebSockets that were dropped because their clients do not read.",
    "oscquery_failures": "The HTTP server's own mistakes.",
    "chunk_seconds": "Time to paint one chunk.",
    "queue_length": "What waits in each queue.",
    "queue_bound": "The most that each queue can hold.",
    "latency_seconds": "From a frame's capture to its painted picture's sending.",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One moment of everything that is counted. Names without prefix; counters without `_total`."""

    counters: Mapping[str, float] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)
    distributions: Mapping[str, Distribution] = field(default_factory=dict)
    stages: Mapping[str, Distribution] = field(default_factory=dict)
    queues: Mapping[str, Fill] = field(default_factory=dict)
    info: Mapping[str, str] = field(default_factory=dict)


class _Show(Collector):
    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """The reading as Prometheus' families."""
        reading = self._read()
        if reading.info:
            about = GaugeMetricFamily(PREFIX + "info", "What is running.", labels=list(reading.info))
            about.add_metric(list(reading.info.values()), 1)
            yield about
        for name, value in reading.counters.items():
            yield CounterMetricFamily(PREFIX + name, _described(name), value=value)
        for name, value in reading.gauges.items():
            yield GaugeMetricFamily(PREFIX + name, _described(name), value=value)
        for name, one in reading.distributions.items():
            histogram = HistogramMetricFamily(PREFIX + name, _described(name))
            histogram.add_metric([], _buckets(one), one.sum)
            yield histogram
        if reading.stages:
            stages = HistogramMetricFamily(PREFIX + "stage_seconds", "Time of each stage of a chunk.", labels=["stage"])
            for name, one in reading.stages.items():
                stages.add_metric([name], _buckets(one), one.sum)
            yield stages
        if reading.queues:
            lengths = GaugeMetricFamily(PREFIX + "queue_length", _described("queue_length"), labels=["queue"])
            bounds = GaugeMetricFamily(PREFIX + "queue_bound", _described("queue_bound"), labels=["queue"])
            for name, queue in reading.queues.items():
                lengths.add_metric([name], queue.length)
                bounds.add_metric([name], queue.bound)
            yield from (lengths, bounds)


def _described(name: str) -> str:
    return DESCRIPTIONS.get(name, name.replace("_", " ").capitalize() + ".")


def _buckets(one: Distribution) -> list[tuple[str, float]]:
    return [("+Inf" if bound == float("inf") else str(bound), count) for bound, count in one.cumulative()]


class Metrics:
    """The page that a Prometheus server scrapes."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Show(read))

    def page(self) -> tuple[bytes, str]:
        """All of it, now, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
