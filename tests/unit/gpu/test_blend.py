from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from support.reference import random_frame

from sdv2_live.frame import PixelFormat
from sdv2_live.gpu.blend import crossfade


@pytest.mark.parametrize("format", PixelFormat)
@pytest.mark.parametrize("mix", [-1.0, 0.0, 0.25, 0.5, 0.99, 1.0, 2.0])
def test_crossfade_is_a_weighted_mean(format, mix):
    under = random_frame(18, 32, format, padding=6, seed=1)
    over = random_frame(18, 32, format, seed=2).at(rate=Fraction(25), captured_ns=5, index=9)
    out = crossfade(under, over, mix)
    bounded = min(max(mix, 0), 1)
    row = 32 * format.bytes_per_pixel
    expected = under.data[:, :row] * (1 - bounded) + over.data * bounded
    assert np.abs(out.data - expected).max() <= 0.5 + 255 / 256
    assert (out.rate, out.captured_ns, out.index) == (25, 5, 9)
    if mix <= 0:
        assert np.array_equal(out.data, under.data[:, :row])
    if mix >= 1:
        assert np.array_equal(out.data, over.data)


def test_extreme_codes_do_not_wrap():
    under, over = random_frame(2, 2, PixelFormat.BGRX), random_frame(2, 2, PixelFormat.BGRX)
    under.data[:], over.data[:] = 255, 0
    assert (crossfade(under, over, 0.999).data <= 2).all()
    assert (crossfade(over, under, 0.999).data >= 253).all()


def test_unequal_frames_are_refused():
    with pytest.raises(ValueError, match="cannot crossfade"):
        crossfade(random_frame(2, 2, PixelFormat.BGRX), random_frame(2, 4, PixelFormat.BGRX), 0.5)
