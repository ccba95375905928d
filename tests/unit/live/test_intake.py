"""The window between a source and the engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from support.fakes import FakeClock, fake_frame
from support.waiting import DEADLINE_S

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.live.intake import WINDOW, Intake, evenly_spaced
from sdv2_live.stats import Counters

MS = 1_000_000


def frames(count: int, *, first: int = 0, step_ms: float = 33.0, **keys: object) -> list[Frame]:
    return [fake_frame(i, captured_ns=int(i * step_ms * MS), **keys) for i in range(first, first + count)]  # type: ignore[arg-type]


def fed(given: list[Frame]) -> tuple[Intake, Counters]:
    intake = Intake(counters := Counters())
    came(intake, given)
    return intake, counters


def came(intake: Intake, given: list[Frame]) -> None:
    for frame in given:
        intake.accept(frame)


def indices(taken: list[Frame] | None) -> list[int] | None:
    return None if taken is None else [frame.index for frame in taken]


def test_as_many_frames_as_came_are_taken_as_they_are() -> None:
    intake, counters = fed(frames(5))
    assert indices(intake.pop_chunk(5, 5)) == [0, 1, 2, 3, 4]
    assert counters.snapshot() == {"frames_in": 5, "frames_skipped": 0}


def test_too_few_frames_are_kept_for_later() -> None:
    intake, _ = fed(frames(3))
    assert intake.pop_chunk(5, 0) is None
    came(intake, frames(2, first=3))
    taken = intake.pop_chunk(5, 0)
    assert indices(taken) == [0, 1, 2, 3, 4]
    assert taken is not None
    for frame, sent in zip(taken, frames(5), strict=True):
        np.testing.assert_array_equal(frame.data, sent.data)


def test_a_chunk_is_waited_for() -> None:
    intake, given = Intake(Counters()), frames(5)
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(intake.pop_chunk, 5, DEADLINE_S)
        came(intake, given)
        assert taken.result() == given


@pytest.mark.parametrize(("begun", "have"), [(0, 4), (0, 5), (0, 12), (2, 2), (3, 9)])
def test_the_first_frame_of_the_next_chunk_is_known_before_it_is_taken(begun: int, have: int) -> None:
    intake, _ = fed(frames(4))
    intake.pop_chunk(4, 5)
    came(intake, frames(begun, first=4))
    if begun:
        assert intake.begin(4, frames(1)[0])
    came(intake, frames(have, first=4 + begun))
    first = intake.first_ns(4)
    taken = intake.pop_chunk(4, 5)
    assert taken is not None
    assert taken[0].captured_ns == first
    assert intake.first_ns(4) is None


def test_a_slow_engine_gets_evenly_spaced_frames_ending_with_the_newest() -> None:
    intake, counters = fed(frames(12))
    assert indices(intake.pop_chunk(4, 5)) == [2, 5, 8, 11]
    assert counters["frames_skipped"] == 8


@pytest.mark.parametrize(("count", "have"), [(4, 5), (4, 7), (4, 9), (5, 6), (4, 30), (1, 3)])
def test_even_spacing_never_repeats_a_frame(count: int, have: int) -> None:
    chosen = evenly_spaced(frames(have), count, -33 * MS)
    found = [frame.index for frame in chosen]
    assert found == sorted(set(found))
    assert found[-1] == have - 1
    gaps = [b - a for a, b in zip([-1, *found], found, strict=False)]
    assert max(gaps) - min(gaps) <= 1


def test_spacing_is_even_in_time_not_in_number() -> None:
    bursts = [fake_frame(i, captured_ns=t * MS) for i, t in enumerate([0, 1, 2, 3, 40, 80, 120])]
    assert [frame.index for frame in evenly_spaced(bursts, 4, -40 * MS)] == [0, 4, 5, 6]


def test_a_standing_engine_keeps_the_time_span_in_bounded_memory() -> None:
    count = WINDOW * 5
    intake, counters = fed(frames(count))
    assert counters["frames_in"] == count
    taken = intake.pop_chunk(4, 5)
    assert taken is not None
    assert counters["frames_skipped"] == count - 4
    spans = [b.index - a.index for a, b in pairwise(taken)]
    assert taken[-1].index == count - 1
    assert max(spans) <= 1.5 * min(spans)


def test_a_change_of_size_or_format_starts_the_chunk_anew() -> None:
    other = [*frames(3), *frames(4, first=3, width=32), *frames(4, first=7, width=32, format=PixelFormat.UYVY)]
    intake, counters = fed(other)
    assert counters["frames_in"] == 11
    taken = intake.pop_chunk(4, 5)
    assert indices(taken) == [7, 8, 9, 10]
    assert taken is not None
    assert {frame.format for frame in taken} == {PixelFormat.UYVY}


def test_skip_drops_what_came() -> None:
    intake, counters = fed(frames(9))
    assert counters["frames_in"] == 9
    intake.skip()
    assert intake.pop_chunk(1, 0.01) is None
    assert counters["frames_skipped"] == 0  # nothing was being painted that they could be missing from


def test_every_frame_passes_the_tap() -> None:
    seen: list[int] = []
    came(Intake(Counters(), lambda frame: seen.append(frame.index)), frames(20))
    assert seen == list(range(20))


def test_rate_is_kept() -> None:
    intake, _ = fed(frames(5, rate=Fraction(25)))
    newest = intake.newest(5)
    assert newest is not None
    assert newest.rate == 25


def test_the_rate_is_that_at_which_frames_come() -> None:
    clock = FakeClock()
    intake = Intake(Counters(), clock=clock.now)
    for frame in frames(30):
        clock.advance(0.125)
        intake.accept(frame)
    assert intake.rate.per_second() == 8


@pytest.mark.parametrize(("input_fps", "chunk_s"), [(30, 20 * 4 / 30), (120, 4 / 15), (120, 20 * 4 / 30)])
def test_an_engine_far_slower_than_the_input_gets_even_steps_and_the_newest_frame(input_fps: int, chunk_s: float) -> None:
    """Chunk after chunk: each spans the time since the one before, in even steps, and every frame is accounted for."""
    per_chunk, chunks = round(input_fps * chunk_s), 12
    given = frames(per_chunk * chunks, step_ms=1000 / input_fps)
    intake = Intake(counters := Counters())
    taken: list[Frame] = []
    for chunk in range(chunks):
        for frame in given[chunk * per_chunk : (chunk + 1) * per_chunk]:
            intake.accept(frame)
        got = intake.pop_chunk(4, 0)
        assert got is not None
        assert got[-1] is given[(chunk + 1) * per_chunk - 1]  # nothing older than it must be: the delay does not grow
        taken += got
    assert counters["frames_in"] == len(given) == len(taken) + counters["frames_skipped"]
    steps = [b.index - a.index for a, b in pairwise(taken)]
    even = per_chunk / 4
    assert all(0.7 * even <= step <= 1.3 * even for step in steps), steps
    assert len(intake._window) == 0


def test_a_camera_of_120_frames_a_second_is_held_in_bounded_memory() -> None:
    intake = Intake(Counters())
    for frame in frames(120 * 60, step_ms=1000 / 120):
        intake.accept(frame)
        assert len(intake._window) <= WINDOW
    got = intake.pop_chunk(4, 0)
    assert got is not None
    assert [b.index - a.index for a, b in pairwise(got)] == pytest.approx([120 * 60 / 4] * 3, rel=0.15)


def test_a_chunk_that_must_wait_begins_with_what_has_come_and_ends_with_the_newest() -> None:
    intake, given = Intake(counters := Counters()), frames(12)
    came(intake, given[:2])
    assert intake.begin(4, given[0]) == given[:2]
    assert intake.begun
    assert intake.newest(0) is None  # no frame has come that no chunk has
    came(intake, given[2:3])
    assert intake.begin(4, given[0]) == given[:3]
    assert intake.pop_chunk(4, 0) is None
    came(intake, given[3:4])
    assert intake.begin(4, given[0]) == []  # they are all there
    assert intake.pop_chunk(4, 0) == given[:4]
    assert not intake.begun
    came(intake, given[4:5])
    assert intake.begin(4, given[0]) == given[4:5]
    came(intake, given[5:12])  # the engine was held up
    assert intake.begin(4, given[0]) == []
    assert indices(intake.pop_chunk(4, 0)) == [4, 6, 9, 11]  # the rest evenly over what came since
    assert counters["frames_in"] == len(given) == 4 + 4 + counters["frames_skipped"]


def test_where_enough_frames_wait_none_is_begun_with() -> None:
    intake = Intake(Counters())
    came(intake, given := frames(8))
    assert intake.begin(4, given[0]) == []
    assert indices(intake.pop_chunk(4, 0)) == [1, 3, 5, 7]


def test_a_chunk_that_needs_more_after_a_reset_keeps_the_frames_it_began_with() -> None:
    intake, given = Intake(Counters()), frames(5)
    came(intake, given[:3])
    intake.begin(4, given[0])
    came(intake, given[3:4])
    assert intake.begin(4, given[0]) == []
    assert intake.pop_chunk(5, 0) is None
    came(intake, given[4:])
    assert intake.pop_chunk(5, 0) == given


def test_a_chunk_that_needs_fewer_after_a_reset_takes_the_newest() -> None:
    """In text mode a stream begins with one frame, and goes on by four."""
    intake, given = Intake(counters := Counters()), frames(4)
    came(intake, given[:3])
    intake.begin(4, given[0])
    came(intake, given[3:])
    assert intake.pop_chunk(1, 0) == given[3:]
    assert not intake.begun
    assert counters["frames_skipped"] == 3


def test_a_source_that_stopped_in_a_chunk_completes_it_when_it_is_back() -> None:
    intake, before, after = Intake(counters := Counters()), frames(2), frames(2, first=3000)
    came(intake, before)
    assert intake.begin(4, before[0]) == before
    assert intake.newest(0) is None
    came(intake, after)  # minutes later
    assert intake.pop_chunk(4, 0) == before + after
    assert counters["frames_skipped"] == 0


@pytest.mark.parametrize("change", [{"width": 32}, {"format": PixelFormat.UYVY}])
def test_a_change_of_size_or_format_drops_the_chunk_that_was_begun_and_counts_it(change: dict[str, Any]) -> None:
    intake, before, after = Intake(counters := Counters()), frames(4), frames(4, first=4, **change)
    came(intake, before[:2])
    intake.begin(4, before[0])
    came(intake, before[2:3])
    came(intake, after[:2])
    assert not intake.begun
    assert intake.begin(4, before[0]) == []  # the engine is not ready for the other kind
    assert intake.begin(4, after[0]) == after[:2]
    assert counters["frames_skipped"] == 3
    came(intake, after[2:])
    assert intake.pop_chunk(4, 0, like=before[0]) is None  # nothing is consumed
    assert intake.pop_chunk(4, 0, like=after[0]) == after


def test_skip_drops_the_chunk_that_was_begun() -> None:
    intake = Intake(Counters())
    came(intake, given := frames(3))
    intake.begin(4, given[0])
    intake.skip()
    assert not intake.begun
    came(intake, later := frames(4, first=10))
    assert intake.pop_chunk(4, 0) == later


@pytest.mark.parametrize(
    "strays", [[{"width": 32}], [{"format": PixelFormat.UYVY}], [{"width": 32}, {"height": 8}], [{"width": 8}] * 2]
)
@pytest.mark.parametrize("begun", [1, 2])
def test_strays_of_another_kind_cost_the_chunk_nothing_that_was_begun(strays: list[dict[str, Any]], begun: int) -> None:
    """One, two that differ, and two alike, which are a change, and back again."""
    passed: list[Frame] = []
    intake, given = Intake(counters := Counters(), passed.append), frames(6)
    other = [frames(1, first=10 + i, **kind)[0] for i, kind in enumerate(strays)]
    came(intake, given[:begun])
    assert intake.begin(4, given[0]) == given[:begun]
    came(intake, other)
    came(intake, given[begun:])
    newest = intake.newest(0)
    assert newest is given[5]
    taken = intake.pop_chunk(4, 0, like=newest)
    assert taken is not None
    assert taken[:begun] == given[:begun]
    assert all(frame.alike(newest) for frame in taken)
    assert counters["frames_in"] == 6 + len(other) == 4 + counters["frames_skipped"]
    assert (other[0].index in [frame.index for frame in passed]) == (len(other) == 2 and other[0].alike(other[1]))


def test_a_lone_frame_of_another_size_never_becomes_the_newest() -> None:
    intake, given = Intake(Counters()), frames(1)
    came(intake, given)
    for i in range(9):
        came(intake, frames(1, first=1 + i, width=32 + 2 * i))
        assert intake.newest(0) is given[0]


def test_a_window_of_large_pictures_still_holds_long_chunks() -> None:
    intake, data = Intake(counters := Counters()), np.zeros((4320, 7680 * 4), np.uint8)
    for i in range(100):
        frame = Frame(data, 7680, 4320, PixelFormat.BGRX, captured_ns=i * 62 * MS, index=i)
        intake.accept(frame)
        assert intake.begin(13, frame) == [] or counters["frames_in"] < 13
    taken = intake.pop_chunk(13, 0)
    assert taken is not None
    assert taken[-1].index == 99


@pytest.mark.parametrize(("height", "width", "bound"), [(1080, 1920, 32), (2160, 3840, 16), (4320, 7680, 8)])
def test_the_window_is_bound_by_bytes(height: int, width: int, bound: int) -> None:
    """BGRX: 8 MB, 33 MB and 133 MB a frame."""
    intake = Intake(counters := Counters())
    data = np.zeros((height, width * 4), np.uint8)  # never written to: it takes no memory
    for i in range(100):
        intake.accept(Frame(data, width, height, PixelFormat.BGRX, captured_ns=i * 33 * MS, index=i))
        fill = intake.queues["intake"]
        assert fill.length <= fill.bound <= bound
    taken = intake.pop_chunk(5, 0)
    assert taken is not None
    assert taken[-1].index == 99
    assert min(b.index - a.index for a, b in pairwise(taken)) >= 8
    assert counters["frames_in"] == 5 + counters["frames_skipped"]
