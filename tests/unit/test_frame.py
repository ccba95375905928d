"""Frame rates: those that are declared and those that are measured."""

from __future__ import annotations

from fractions import Fraction

import pytest

from sdv2_live.frame import MAX_RATE, MIN_RATE, measured_rate, plausible_rate


@pytest.mark.parametrize("rate", [Fraction(1), Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(240)])
def test_a_plausible_rate_is_believed(rate: Fraction) -> None:
    assert plausible_rate(rate) == rate


@pytest.mark.parametrize("rate", [None, Fraction(0), Fraction(-25), Fraction(1, 10), Fraction(241), Fraction(90_000)])
def test_no_other_is(rate: Fraction | None) -> None:
    assert plausible_rate(rate) is None


@pytest.mark.parametrize(
    "rate", [Fraction(10_000_000, 166_833), Fraction(1_000_000_000, 16_683_333), Fraction(2**31 - 1, 35_791_394)]
)
def test_its_terms_are_short(rate: Fraction) -> None:
    short = plausible_rate(rate)
    assert short is not None
    assert max(short.numerator, short.denominator) < 10**8
    assert abs(short - rate) < 1e-6


@pytest.mark.parametrize(("seconds", "rate"), [(0.04, 25), (0.5, 2), (60.0, MIN_RATE), (1 / 90_000, MAX_RATE), (0.0, MAX_RATE)])
def test_a_measured_rate_is_a_plausible_one(seconds: float, rate: float) -> None:
    assert measured_rate(seconds) == rate
