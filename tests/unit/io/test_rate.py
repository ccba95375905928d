"""Rates of sources that tell none."""

from __future__ import annotations

from fractions import Fraction

import pytest

from sdv2_live.frame import MAX_RATE
from sdv2_live.io.rate import MeasuredRate, usual_rate


@pytest.mark.parametrize(
    ("measured", "meant"),
    [(29.7, 30), (59.2, 60), (24.2, 24), (25.4, 25), (119.0, 120), (40.3, 40), (15.2, 15), (924.0, MAX_RATE)],
)
def test_usual_rates(measured: float, meant: int) -> None:
    assert usual_rate(measured) == Fraction(meant)
    assert usual_rate(0.0) is usual_rate(0.7) is None


def test_the_first_rate_holds_until_another_is_known() -> None:
    rate = MeasuredRate(Fraction(30))
    assert rate.add(1000.0) == 30
    assert rate.value == 30
