"""Pictures alike: the same to within one code of 255, and no more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdv2_live.frame import Frame, PixelFormat
from sdv2_live.takes.compare import SAMPLES, samples_of, sha256_of, within


def picture(data: np.ndarray) -> Frame:
    return Frame(data, data.shape[1] // 4, data.shape[0], PixelFormat.BGRX)


def noise(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(2, 254, (height, width * 4), np.uint8)


@given(st.integers(0, 99), st.integers(1, 5), st.sampled_from([(2, 2), (48, 64), (64, 64), (99, 130)]))
def test_a_code_more_or_less_is_alike_and_another_hash(seed: int, count: int, size: tuple[int, int]) -> None:
    shown = [noise(seed + i, *size) for i in range(count)]
    near = [data + np.random.default_rng(seed).integers(-1, 2, data.shape).astype(np.uint8) for data in shown]
    near[0][0, 0] = shown[0][0, 0] + 1
    before, after = [picture(data) for data in shown], [picture(data) for data in near]
    assert sha256_of(before) != sha256_of(after)
    assert within(after, samples_of(before))
    assert within(before, samples_of(before))


@pytest.mark.parametrize("channel", range(4))
def test_two_codes_in_one_channel_are_not(channel: int) -> None:
    shown = noise(1)
    far = shown.copy()
    far[:, channel::4] += 2
    assert not within([picture(far)], samples_of([picture(shown)]))


def test_other_pictures_are_not() -> None:
    samples = samples_of([picture(noise(1)), picture(noise(2))])
    assert not within([picture(noise(1))], samples)
    assert not within([picture(noise(2)), picture(noise(1))], samples)
    assert not within([], samples)
    assert not within([picture(noise(1))], None)  # a take that kept none


def test_no_pictures_are_alike() -> None:
    assert samples_of([]) is sha256_of([]) is None
    assert within([], None)


def test_a_line_stays_short() -> None:
    assert len(samples_of([picture(noise(1, 1080, 1920))] * 4) or "") < 4 * SAMPLES * 4 / 3 + 4
