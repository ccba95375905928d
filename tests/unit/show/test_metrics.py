"""The metrics page, read back by Prometheus' own parser."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from sdv2_live.show.metrics import Metrics, Reading
from sdv2_live.stats import BUCKETS, Counters, Fill, StageTimer, Window


def scraped(reading: Reading) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    body, kind = Metrics(lambda: reading).page()
    assert kind.startswith("text/plain")
    text = body.decode()
    families = text_string_to_metric_families(text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_counters_and_gauges() -> None:
    page = scraped(Reading({"frames_in": 1200, "fps_out": 29.5}, info={"model": 'ti"ny\n', "device": "cpu"}))
    assert page["sdv2_frames_in_total", ()] == 1200
    assert page["sdv2_fps_out", ()] == 29.5
    assert page["sdv2_info", (("device", "cpu"), ("model", 'ti"ny\n'))] == 1


def test_a_histogram_holds_every_value_since_the_start() -> None:
    window = Window(2)  # the statistics forget, the distribution does not
    for ms in (4.0, 5.0, 6.0, 150.0, 9000.0):
        window.add(ms)
    page = scraped(Reading(distributions={"latency_seconds": window.distribution()}))
    assert page["sdv2_latency_seconds_bucket", (("le", "0.005"),)] == 2  # a bound belongs to its bucket
    assert page["sdv2_latency_seconds_bucket", (("le", "0.01"),)] == 3
    assert page["sdv2_latency_seconds_bucket", (("le", "0.133"),)] == 3
    assert page["sdv2_latency_seconds_bucket", (("le", "0.167"),)] == 4
    assert page["sdv2_latency_seconds_bucket", (("le", "5.0"),)] == 4
    assert page["sdv2_latency_seconds_bucket", (("le", "+Inf"),)] == page["sdv2_latency_seconds_count", ()] == 5
    assert abs(page["sdv2_latency_seconds_sum", ()] - 9.165) < 1e-9
    assert len([key for key in page if key[0].endswith("_bucket")]) == len(BUCKETS)


def test_stages_are_told_apart() -> None:
    timer = StageTimer()
    timer.add("decode", 12.0)
    timer.add("encode", 900.0)
    timer.add("encode", 1.0)
    page = scraped(Reading(stages=timer.distributions()))
    assert page["sdv2_stage_seconds_bucket", (("le", "0.02"), ("stage", "decode"))] == 1
    assert page["sdv2_stage_seconds_bucket", (("le", "0.02"), ("stage", "encode"))] == 1
    assert page["sdv2_stage_seconds_count", (("stage", "encode"),)] == 2


def test_every_queue_has_its_length_and_its_bound() -> None:
    page = scraped(Reading(queues={"playout": Fill(3, 16), "osc": Fill(0, 1024)}))
    assert page["sdv2_queue_length", (("queue", "playout"),)] == 3
    assert page["sdv2_queue_bound", (("queue", "playout"),)] == 16
    assert page["sdv2_queue_length", (("queue", "osc"),)] == 0


def test_the_page_is_of_the_moment() -> None:
    counters = Counters()
    metrics = Metrics(lambda: Reading(counters.snapshot()))
    assert metrics.page()[0] == b""
    counters.add("chunks")
    first, _ = metrics.page()
    counters.add("chunks")
    assert b"sdv2_chunks_total 1.0" in first
    assert b"sdv2_chunks_total 2.0" in metrics.page()[0]
