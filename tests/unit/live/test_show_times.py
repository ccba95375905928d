"""When a chunk will be seen, told as it is taken."""

from __future__ import annotations

from sdv2_live.live.show_times import USUAL_NS, ShowTimes

MS = 1_000_000


def test_a_chunk_is_seen_the_outputs_delay_after_its_capture() -> None:
    moment = ShowTimes().of(5_000 * MS, 170 * MS)
    assert (moment.captured_ns, moment.shown_ns, moment.period_ns) == (5_000 * MS, 5_170 * MS, USUAL_NS)
    assert moment.decides_ns("room") == 5_170 * MS
    assert moment.decides_ns("sound") == 5_000 * MS


def test_the_period_is_the_median_distance_and_a_hitch_moves_nothing() -> None:
    times = ShowTimes()
    for at in (0, 133, 266, 900, 1033, 1166, 1299):
        moment = times.of(at * MS, 0)
    assert moment.period_ns == 133 * MS


def test_a_pause_is_no_period() -> None:
    times = ShowTimes()
    times.of(0, 0)
    times.paused()
    assert times.of(60_000 * MS, 0).period_ns == USUAL_NS
    assert times.of(60_100 * MS, 0).period_ns == 100 * MS
