"""The soak, for a minute in place of half an hour."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from bench.growth import Sample, judged, p99_ms
from support.places import TOOLS


@pytest.mark.slow
def test_a_minute_of_anything_leaves_the_show_as_it_was() -> None:
    command = [sys.executable, str(TOOLS / "soak.py"), "--minutes", "1", "--size", "64x64"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    result = json.loads(done.stdout)
    assert result["verdict"]["failures"], result["failed"]
    assert result["counters"]["chunks"] > 0
    assert result["frames_received"] > 0
    assert result["memory_mb"]["growth_percent"] < 5  # a minute in, some of it is still warming up
    assert result["latency_p99_ms"]["last"] > 0
    assert result["verdict"]["queues"], result["queues"]
    assert {"osc", "osc_feedback", "oscquery", "input_main", "intake", "playout", "sound_ms", "recorder", "prompts"} <= set(
        result["queues"]
    )
    assert done.returncode == (0 if all(result["verdict"].values()) else 1)


def at(seconds: float, mb: float, quick: float, slow: float) -> Sample:
    return Sample(seconds, mb / 2, mb / 2, {}, {0.1: quick, 0.2: quick + slow, float("inf"): quick + slow})


def test_the_percentile_is_that_of_the_time_between_two_samples() -> None:
    assert p99_ms(at(0, 0, 500, 500), at(1, 0, 600, 500)) == pytest.approx(99)
    assert p99_ms(at(0, 0, 500, 500), at(1, 0, 500, 600)) == pytest.approx(199)
    assert p99_ms(at(0, 0, 500, 500), at(1, 0, 500, 500)) == 0


def test_growth_and_slowness_are_judged() -> None:
    steady = [at(i, 100, 10 * i, 0) for i in range(61)]
    assert all(judged(steady, 10)["verdict"].values())
    growing = [at(i, 100 + i / 10, 10 * i, 0) for i in range(61)]
    assert judged(growing, 10)["verdict"] == {"memory": False, "latency": True, "failures": True, "queues": True}
    slower = [at(i, 100, 10 * min(i, 30), 10 * max(i - 30, 0)) for i in range(61)]
    assert judged(slower, 10)["verdict"] == {"memory": True, "latency": False, "failures": True, "queues": True}


@pytest.mark.parametrize(
    ("length", "bound", "good"),
    [(16.0, 16.0, True), (17.0, 16.0, False), (1.0, None, False)],
)
def test_a_queue_must_keep_within_its_bound(length: float, bound: float | None, good: bool) -> None:
    samples = [at(i, 100, 10 * i, 0) for i in range(61)]
    for one in samples:
        one.lengths, one.bounds = {"playout": 0.0, "odd": 0.0}, {"playout": 16.0} | ({"odd": bound} if bound else {})
    samples[30].lengths["odd"] = length  # once, in the middle
    result = judged(samples, 10)
    assert result["verdict"]["queues"] is good
    assert result["queues"] == {"playout": {"most": 0.0, "bound": 16.0}, "odd": {"most": length, "bound": bound}}
