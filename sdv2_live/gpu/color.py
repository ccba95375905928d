"""Y'CbCr and R'G'B', both ways, for every matrix and range: the only place where these numbers are made.

ITU-R BT.601-7, BT.709-6 and BT.2020-2 define E'Y = Kr R + (1 - Kr - Kb) G + Kb B, E'Cb = (B - E'Y) / (2 - 2 Kb) and
E'Cr = (R - E'Y) / (2 - 2 Kr). Eight-bit codes: limited Y = 16 + 219 E'Y, C = 128 + 224 E'C; full Y = 255 E'Y, C = 128 + 255 E'C.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sdv2_live.frame import ColorMatrix, ColorRange, ColorSpec


@dataclass(frozen=True, slots=True)
class Affine:
    """out[i] = sum over j of matrix[i][j] * in[j], plus offset[i]: a change of colour space, as plain floats."""

    matrix: tuple[tuple[float, ...], ...]
    offset: tuple[float, ...]

    def scaled(self, scale: float, offset: float) -> Affine:
        """This, then `scale * out + offset` on every component."""
        matrix = np.array(self.matrix) * scale
        return _affine(matrix, np.array(self.offset) * scale + offset)

    def then(self, after: Affine) -> Affine:
        """This, then another."""
        matrix = np.array(after.matrix)
        return _affine(matrix @ np.array(self.matrix), matrix @ np.array(self.offset) + np.array(after.offset))

    def inverse(self) -> Affine:
        """The way back."""
        matrix = np.linalg.inv(np.array(self.matrix))
        return _affine(matrix, -matrix @ np.array(self.offset))


@lru_cache
def rgb_to_ycbcr(color: ColorSpec) -> Affine:
    """From R'G'B' codes (0..255) to Y'CbCr codes of `color`."""
    kr, kb = color.matrix.value
    luma = np.array([kr, 1 - kr - kb, kb])
    cb = (np.array([0, 0, 1]) - luma) / (2 - 2 * kb)
    cr = (np.array([1, 0, 0]) - luma) / (2 - 2 * kr)
    limited = color.range is ColorRange.LIMITED
    scale = np.array([219, 224, 224] if limited else [255, 255, 255]) / 255
    return _affine(scale[:, None] * np.stack([luma, cb, cr]), np.array([16 if limited else 0, 128, 128]))


@lru_cache
def ycbcr_to_rgb(color: ColorSpec) -> Affine:
    """From Y'CbCr codes of `color` to R'G'B' codes. Codes outside the RGB cube come out below 0 or above 255."""
    return rgb_to_ycbcr(color).inverse()


def code_limits(color: ColorSpec) -> tuple[tuple[int, int], tuple[int, int]]:
    """Lowest and highest nominal code: of Y, of Cb and Cr."""
    return ((16, 235), (16, 240)) if color.range is ColorRange.LIMITED else ((0, 255), (0, 255))


UNCHANGED = Affine(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), (0.0, 0.0, 0.0))


@lru_cache
def turned(hue: float, saturation: float, matrix: ColorMatrix) -> Affine:
    """R'G'B' with its colours turned by `hue` degrees and strengthened, at the same luma; on any scale, as no offset is in it."""
    there = np.array(rgb_to_ycbcr(ColorSpec(matrix, ColorRange.FULL)).matrix)
    sine, cosine = saturation * math.sin(math.radians(hue)), saturation * math.cos(math.radians(hue))
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    return _affine(np.linalg.inv(there) @ turn @ there, np.zeros(3))


def _affine(matrix: np.ndarray, offset: np.ndarray) -> Affine:
    return Affine(tuple(map(tuple, matrix.tolist())), tuple(offset.tolist()))
