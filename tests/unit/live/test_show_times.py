"""When a chunk will be seen, told as it is taken."""

from __future__ import annotations

from sdv2_live.control.params import Params
from sdv2_live.live.show_times import USUAL_NS, ShowTimes, with_transition

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


def test_a_prompt_fades_in_for_as_many_chunks_as_the_beats_take() -> None:
    params = Params(tempo_morph_beats=4.0, tempo_bpm=120.0, transition_chunks=3)
    assert with_transition(params, 133 * MS).transition_chunks == 15
    assert with_transition(params, 10_000 * MS).transition_chunks == 1
    assert with_transition(params, 1 * MS).transition_chunks == 64
    assert with_transition(Params(transition_chunks=3), 133 * MS).transition_chunks == 3
    assert with_transition(Params(tempo_morph_beats=4.0, prompt_change="cut"), 133 * MS).transition_chunks == 0
