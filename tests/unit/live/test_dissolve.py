"""A short crossfade from one picture to those that follow another."""

from __future__ import annotations

from fractions import Fraction

import pytest
from support.fakes import fake_frame

from sdv2_live.frame import Frame
from sdv2_live.live.dissolve import Dissolve

MS = 1_000_000


def frames(value: int, count: int, first: int, height: int = 16) -> list[Frame]:
    return [
        fake_frame(value, height, rate=Fraction(10), captured_ns=i * 100 * MS).at(
            rate=Fraction(10), captured_ns=i * 100 * MS, index=i
        )
        for i in range(first, first + count)
    ]


def means(shown: list[Frame]) -> list[int]:
    return [round(float(frame.data.mean())) for frame in shown]


def test_pictures_pass_as_they_are() -> None:
    given = frames(100, 4, 0)
    assert all(a is b for a, b in zip(Dissolve(0.5).over(given), given, strict=True))


def test_the_last_picture_fades_over_chunks_from_the_first_new_one_on() -> None:
    dissolve = Dissolve(0.5)
    dissolve.over(frames(0, 4, 0))
    dissolve.begin()
    shown = dissolve.over(frames(200, 4, 40)) + dissolve.over(frames(200, 4, 44))
    assert means(shown) == pytest.approx([40, 80, 120, 160, 200, 200, 200, 200], abs=1)
    assert [frame.captured_ns for frame in shown] == [frame.captured_ns for frame in frames(0, 8, 40)]


def test_no_time_is_a_cut_and_nothing_shown_is_nothing_to_fade() -> None:
    dissolve = Dissolve(0.0)
    dissolve.over(frames(0, 1, 0))
    dissolve.begin()
    assert means(dissolve.over(frames(200, 1, 1))) == [200]
    fresh = Dissolve(1.0)
    fresh.begin()
    assert means(fresh.over(frames(200, 1, 1))) == [200]


def test_another_size_fades_too() -> None:
    dissolve = Dissolve(0.4)
    dissolve.over(frames(0, 1, 0))
    dissolve.begin()
    shown = dissolve.over(frames(200, 4, 1, height=32))
    assert {frame.size for frame in shown} == {(32, 16)}
    assert means(shown)[0] < 80
    assert means(shown)[-1] == 200


def test_a_dissolve_within_one_begins_at_what_is_seen() -> None:
    dissolve = Dissolve(0.4)
    dissolve.over(frames(0, 1, 0))
    dissolve.begin()
    assert means(dissolve.over(frames(200, 2, 1))) == pytest.approx([50, 100], abs=1)
    dissolve.begin()
    assert means(dissolve.over(frames(0, 4, 3))) == pytest.approx([75, 50, 25, 0], abs=1)
