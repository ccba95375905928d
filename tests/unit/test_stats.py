from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import DEADLINE_S

from sdv2_live.stats import Counters, Rate, StageTimer, Summary, Window


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def in_threads(count: int, work: Any) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert not any(thread.is_alive() for thread in threads)


def test_counters_count() -> None:
    counters = Counters()
    counters.add("dropped")
    counters.add("sent", 4)
    counters.add("dropped", 2)
    assert counters.snapshot() == {"dropped": 3, "sent": 4}
    assert (counters["dropped"], counters["never"]) == (3, 0)
    assert "never" not in counters.snapshot()


def test_a_snapshot_does_not_follow_the_counters() -> None:
    counters = Counters()
    counters.add("sent")
    before = counters.snapshot()
    counters.add("sent")
    assert before == {"sent": 1}


def test_counters_lose_nothing_between_threads() -> None:
    counters = Counters()
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        in_threads(4, lambda: [counters.add("sent") for _ in range(5000)])
    finally:
        sys.setswitchinterval(switch)
    assert counters["sent"] == 20000


def test_window_knows_percentiles_by_nearest_rank() -> None:
    window = Window(200)
    for value in range(100, 0, -1):
        window.add(value)
    assert window.summary() == Summary(count=100, mean=50.5, p50=50, p95=95, p99=99, max=100)


def test_window_forgets_the_oldest() -> None:
    window = Window(3)
    for value in (1000, 1, 2, 3):
        window.add(value)
    assert window.summary() == Summary(count=3, mean=2, p50=2, p95=3, p99=3, max=3)


def test_empty_window() -> None:
    assert Window().summary() == Summary()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_percentiles_are_values_in_order(values: Any) -> None:
    window = Window()
    for value in values:
        window.add(value)
    out = window.summary()
    assert {out.p50, out.p95, out.p99, out.max} <= set(values)
    assert min(values) <= out.p50 <= out.p95 <= out.p99 <= out.max == max(values)
    assert sum(value <= out.p95 for value in values) >= 0.95 * len(values)


def test_stage_timer_measures_each_stage() -> None:
    moments = iter([0, 5_000_000, 10_000_000, 11_000_000, 20_000_000, 27_000_000])
    timer = StageTimer(clock=lambda: next(moments))
    with timer("encode"):
        pass
    with timer("decode"):
        pass
    with timer("encode"):
        pass
    out = timer.summaries()
    assert list(out) == ["encode", "decode"]
    assert (out["encode"].count, out["encode"].mean, out["encode"].max) == (2, 6.0, 7.0)
    assert out["decode"].mean == 1.0


def test_a_stage_that_raises_is_timed_and_raises() -> None:
    timer = StageTimer()
    with pytest.raises(RuntimeError, match="broken"), timer("decode"):
        raise RuntimeError("broken")
    assert timer.summaries()["decode"].count == 1


def test_stages_nest_and_run_in_threads() -> None:
    timer = StageTimer(size=10_000)

    def work() -> None:
        for _ in range(500):
            with timer("outer"), timer("inner"):
                pass

    in_threads(4, work)
    assert {stage: out.count for stage, out in timer.summaries().items()} == {"inner": 2000, "outer": 2000}


def test_times_measured_elsewhere_count() -> None:
    timer = StageTimer()
    timer.add("denoise", 12.5)
    assert timer.summaries()["denoise"].mean == 12.5


def test_rate_of_a_steady_stream() -> None:
    clock = Clock()
    rate = Rate(seconds=2, clock=clock)
    assert rate.per_second() == 0
    rate.add()
    assert rate.per_second() == 0  # one event tells no rate
    for _ in range(30):
        clock.now += 1 / 30
        rate.add()
    assert rate.per_second() == pytest.approx(30)
    for _ in range(300):
        clock.now += 1 / 25
        rate.add()
    assert rate.per_second() == pytest.approx(25)


def test_rate_counts_chunks_by_their_frames() -> None:
    clock = Clock()
    rate = Rate(seconds=2, clock=clock)
    for _ in range(100):
        rate.add(4)
        clock.now += 4 / 30
    assert rate.per_second() == pytest.approx(30, rel=0.07)


def test_rate_falls_to_zero_and_starts_anew() -> None:
    clock = Clock()
    rate = Rate(seconds=2, clock=clock)
    for _ in range(61):
        rate.add()
        clock.now += 1 / 30
    clock.now += 1
    assert 0 < rate.per_second() < 20
    clock.now += 2
    assert rate.per_second() == 0
    rate.add()
    clock.now += 0.1
    rate.add()
    assert rate.per_second() == pytest.approx(10)


def test_stats_do_not_import_torch() -> None:
    code = "import sys, sdv2_live.stats; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
