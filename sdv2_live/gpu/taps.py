"""Filters as tables: for each output sample, which input samples it is made of and with what weights.

The fused kernels read these tables, so that they need to know nothing of filters: a resize, a resize of the same size, and
a resize of chroma that lies at half the width are one loop over weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdv2_live.gpu.resample import Filter


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """A linear filter along one axis: out[i] = sum over k of weights[i, k] * in[start[i] + k], every index within the input.

    start: int32 (outputs,). weights: float64 (outputs, taps), each row summing to 1. size: number of inputs.
    """

    start: np.ndarray
    weights: np.ndarray
    size: int

    @classmethod
    def of(cls, size: int, index: np.ndarray, weights: np.ndarray) -> Taps:
        """out[i] = sum over k of weights[i, k] * in[index[i, k]], in whatever order; an index may come twice."""
        taps = int(np.ptp(index, axis=1).max()) + 1
        start = np.minimum(index.min(1), size - taps)
        table = np.zeros((len(index), taps))
        np.add.at(table, (np.arange(len(index))[:, None], index - start[:, None]), weights)
        return cls(start.astype(np.int32), table, size)

    def then(self, second: Taps) -> Taps:
        """This filter and `second` over its outputs, as one."""
        rows = second.start[:, None] + np.arange(second.weights.shape[1])
        index = self.start[rows][..., None] + np.arange(self.weights.shape[1])
        weights = second.weights[..., None] * self.weights[rows]
        return Taps.of(self.size, index.reshape(len(rows), -1), weights.reshape(len(rows), -1))


def resample(size: int, outputs: int, mode: Filter) -> Taps:
    """Taps that do what `torch.nn.functional.interpolate(antialias=True)` does along one axis; identity where the sizes agree.

    bilinear is the triangle filter, bicubic Keys' cubic with a = -0.5, both stretched by the scale on the way down.
    """
    if size == outputs:
        return Taps.of(size, np.arange(size)[:, None], np.ones((size, 1)))
    scale = size / outputs
    stretch = max(scale, 1.0)
    radius = stretch * (1 if mode == "bilinear" else 2)
    centre = ((np.arange(outputs) + 0.5) * scale)[:, None]
    first = np.maximum(np.floor(centre - radius + 0.5), 0).astype(int)
    last = np.minimum(np.floor(centre + radius + 0.5), size).astype(int)
    index = np.minimum(first + np.arange((last - first).max()), size - 1)
    distance = np.abs(index + 0.5 - centre) / stretch
    weights = np.maximum(1 - distance, 0) if mode == "bilinear" else _cubic(distance)
    weights[first + np.arange(index.shape[1]) >= last] = 0
    return Taps.of(size, index, weights / weights.sum(1, keepdims=True))


def upsample_chroma(size: int) -> Taps:
    """Twice the width, for 4:2:2 sited on the left; as `resample.upsample_chroma`."""
    column = np.arange(2 * size)
    following = np.minimum((column + 1) // 2, size - 1)
    return Taps.of(size, np.stack([column // 2, following], 1), np.full((2 * size, 2), 0.5))


def downsample_chroma(size: int) -> Taps:
    """Half the width (of an even `size`), sited on the left: (1, 2, 1) / 4; as `resample.downsample_chroma`."""
    column = np.arange(0, size, 2)[:, None] + np.array([-1, 0, 1])
    return Taps.of(size, np.maximum(column, 0), np.tile([0.25, 0.5, 0.25], (size // 2, 1)))


def _cubic(distance: np.ndarray) -> np.ndarray:
    """Keys, Cubic convolution interpolation for digital image processing (1981), eq. 4 with a = -0.5."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
