from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.reference import COLORS

from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec
from sdv2_live.gpu.color import Affine, code_limits, rgb_to_ycbcr, ycbcr_to_rgb

BT601 = ColorSpec(ColorMatrix.BT601)
BT709 = ColorSpec(ColorMatrix.BT709)


def apply(affine: Affine, codes: Any) -> np.ndarray:
    return np.array(affine.matrix) @ np.array(codes, float) + np.array(affine.offset)


@pytest.mark.parametrize("color", COLORS, ids=str)
def test_directions_are_inverse(color: ColorSpec) -> None:
    codes = np.random.default_rng(0).uniform(0, 255, (3, 100))
    there, back = rgb_to_ycbcr(color), ycbcr_to_rgb(color)
    for code in codes.T:
        assert apply(back, apply(there, code)) == pytest.approx(code, abs=1e-9)


@pytest.mark.parametrize("color", COLORS, ids=str)
def test_greys_have_no_chroma_and_span_the_luma_range(color: ColorSpec) -> None:
    low, high = code_limits(color)[0]
    assert apply(rgb_to_ycbcr(color), [0, 0, 0]) == pytest.approx([low, 128, 128])
    assert apply(rgb_to_ycbcr(color), [255, 255, 255]) == pytest.approx([high, 128, 128])


@pytest.mark.parametrize("color", COLORS, ids=str)
def test_primaries_reach_the_chroma_limits(color: ColorSpec) -> None:
    high = 240 if color.range is ColorRange.LIMITED else 255.5
    assert apply(rgb_to_ycbcr(color), [0, 0, 255])[1] == pytest.approx(high)
    assert apply(rgb_to_ycbcr(color), [255, 0, 0])[2] == pytest.approx(high)


@pytest.mark.parametrize(
    ("color", "rgb", "codes"),
    [  # 100 % colour bars as broadcast equipment codes them
        (BT601, (255, 255, 0), (210, 16, 146)),
        (BT601, (0, 255, 255), (170, 166, 16)),
        (BT601, (0, 255, 0), (145, 54, 34)),
        (BT601, (255, 0, 255), (106, 202, 222)),
        (BT601, (255, 0, 0), (81, 90, 240)),
        (BT601, (0, 0, 255), (41, 240, 110)),
        (BT709, (255, 255, 0), (219, 16, 138)),
        (BT709, (0, 255, 255), (188, 154, 16)),
        (BT709, (0, 255, 0), (173, 42, 26)),
        (BT709, (255, 0, 255), (78, 214, 230)),
        (BT709, (255, 0, 0), (63, 102, 240)),
        (BT709, (0, 0, 255), (32, 240, 118)),
    ],
)
def test_known_bars(color: ColorSpec, rgb: Any, codes: Any) -> None:
    assert tuple(np.rint(apply(rgb_to_ycbcr(color), rgb))) == codes


def test_known_decoding_factors() -> None:
    matrix = np.array(ycbcr_to_rgb(BT601).matrix)
    assert matrix == pytest.approx(np.array([[1.164, 0, 1.596], [1.164, -0.392, -0.813], [1.164, 2.017, 0]]), abs=6e-4)
    matrix = np.array(ycbcr_to_rgb(BT709).matrix)
    assert matrix == pytest.approx(np.array([[1.164, 0, 1.793], [1.164, -0.213, -0.533], [1.164, 2.112, 0]]), abs=6e-4)


def test_scaled_composes() -> None:
    affine = ycbcr_to_rgb(BT709)
    code = [100, 90, 200]
    assert apply(affine.scaled(1 / 127.5, -1), code) == pytest.approx(apply(affine, code) / 127.5 - 1)
