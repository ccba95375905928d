from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdv2_live.gpu import resample as planes
from sdv2_live.gpu.resample import Filter
from sdv2_live.gpu.taps import Taps, downsample_chroma, resample, upsample_chroma

SIDES = st.integers(1, 200)


def matrix(taps: Taps) -> np.ndarray:
    """(outputs, inputs)."""
    out = np.zeros((len(taps.start), taps.size))
    for row, start, weights in zip(out, taps.start, taps.weights, strict=True):
        row[start : start + len(weights)] = weights
    return out


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("size", "outputs"), [(1920, 832), (832, 1920), (1080, 480), (7, 13), (13, 7), (5, 1), (64, 64), (3840, 48), (100, 99)]
)
def test_resample_is_what_torch_does(size: Any, outputs: int, mode: Filter) -> None:
    eye = torch.eye(size, dtype=torch.float64)[None, None]
    assert np.abs(matrix(resample(size, outputs, mode)) - planes.resize_rows(eye, outputs, mode)[0, 0].numpy()).max() < 1e-14


@given(SIDES, SIDES, st.sampled_from(["bilinear", "bicubic"]))
@settings(deadline=None)
def test_every_window_lies_within_the_input_and_keeps_flat_colours(size: Any, outputs: int, mode: Filter) -> None:
    taps = resample(size, outputs, mode)
    assert taps.start.shape == (outputs,)
    assert taps.start.min() >= 0
    assert (taps.start + taps.weights.shape[1]).max() <= size
    assert taps.weights.sum(1) == pytest.approx(1)


def test_the_same_size_is_one_tap() -> None:
    taps = resample(48, 48, "bicubic")
    assert np.array_equal(taps.start, np.arange(48))
    assert np.array_equal(taps.weights, np.ones((48, 1)))


@pytest.mark.parametrize("size", [1, 2, 5, 416])
def test_chroma_is_what_the_plane_operations_do(size: Any) -> None:
    there = torch.randn(1, 1, 1, size, dtype=torch.float64)
    back = torch.randn(1, 1, 1, 2 * size, dtype=torch.float64)
    for taps, given_, wanted in (
        (upsample_chroma(size), there, planes.upsample_chroma(there)),
        (downsample_chroma(2 * size), back, planes.downsample_chroma(back)),
    ):
        assert matrix(taps) @ given_.flatten().numpy() == pytest.approx(wanted.flatten().numpy(), abs=1e-14)


@given(SIDES, SIDES, SIDES)
@settings(deadline=None)
def test_then_is_the_product(size: Any, middle: int, outputs: int) -> None:
    first, second = resample(size, middle, "bicubic"), resample(middle, outputs, "bilinear")
    assert np.abs(matrix(first.then(second)) - matrix(second) @ matrix(first)).max() < 1e-12


@given(SIDES, st.integers(1, 100))
@settings(deadline=None)
def test_the_window_of_chroma_holds_those_of_its_luma(size: Any, pairs: int) -> None:
    """The kernel walks over the chroma sample's window alone."""
    luma = resample(size, 2 * pairs, "bicubic")
    chroma = luma.then(downsample_chroma(2 * pairs))
    for offset in (0, 1):
        assert (luma.start[offset::2] >= chroma.start).all()
        ends = luma.start[offset::2] + luma.weights.shape[1]
        assert (ends <= chroma.start + chroma.weights.shape[1]).all()
