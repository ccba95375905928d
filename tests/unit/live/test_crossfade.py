"""A short crossfade from one picture to those that follow another."""

from __future__ import annotations

from fractions import Fraction

import pytest
from support.fakes import fake_frame

from sdv2_live.frame import Frame
from sdv2_live.live.crossfade import Crossfade

MS = 1_000_000


def frames(value: int, count: int, first: int, height: int = 16) -> list[Frame]:
    return [
        fake_frame(value, height, rate=Fraction(10), captured_ns=i * 100 * MS).at(
            rate=Fraction(10), captured_ns=i * 100 * MS, index=i
        )
        for i in range(first, first + count)
    ]


def over(fade: Crossfade, given: list[Frame]) -> list[Frame]:
    return [fade.over(frame) for frame in given]


def means(shown: list[Frame]) -> list[int]:
    return [round(float(frame.data.mean())) for frame in shown]


def test_pictures_pass_as_they_are() -> None:
    given = frames(100, 4, 0)
    assert all(a is b for a, b in zip(over(Crossfade(0.5), given), given, strict=True))


def test_the_last_picture_fades_over_chunks_from_the_first_new_one_on() -> None:
    fade = Crossfade(0.5)
    over(fade, frames(0, 4, 0))
    fade.begin()
    shown = over(fade, frames(200, 4, 40)) + over(fade, frames(200, 4, 44))
    assert means(shown) == pytest.approx([40, 80, 120, 160, 200, 200, 200, 200], abs=1)
    assert [frame.captured_ns for frame in shown] == [frame.captured_ns for frame in frames(0, 8, 40)]


def test_no_time_is_a_cut_and_nothing_shown_is_nothing_to_fade() -> None:
    fade = Crossfade(0.0)
    over(fade, frames(0, 1, 0))
    fade.begin()
    assert means(over(fade, frames(200, 1, 1))) == [200]
    fresh = Crossfade(1.0)
    fresh.begin()
    assert means(over(fresh, frames(200, 1, 1))) == [200]


def test_another_size_fades_too() -> None:
    fade = Crossfade(0.4)
    over(fade, frames(0, 1, 0))
    fade.begin()
    shown = over(fade, frames(200, 4, 1, height=32))
    assert {frame.size for frame in shown} == {(32, 16)}
    assert means(shown)[0] < 80
    assert means(shown)[-1] == 200


def test_a_crossfade_within_one_begins_at_what_is_seen() -> None:
    fade = Crossfade(0.4)
    over(fade, frames(0, 1, 0))
    fade.begin()
    assert means(over(fade, frames(200, 2, 1))) == pytest.approx([50, 100], abs=1)
    fade.begin()
    assert means(over(fade, frames(0, 4, 3))) == pytest.approx([75, 50, 25, 0], abs=1)


def test_the_spacing_may_be_another_than_the_rate_declares() -> None:
    fade = Crossfade(0.5)
    over(fade, frames(0, 1, 0))
    fade.begin()
    shown = [fade.over(frame, 400 * MS) for frame in frames(200, 2, 40)]
    assert means(shown) == pytest.approx([160, 200], abs=1)
