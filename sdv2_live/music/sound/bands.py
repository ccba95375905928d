"""The 24 bands in which sound is heard, spaced as pitch is."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np

BANDS = 24
LOW_HZ, HIGH_HZ = 40.0, 16_000.0
KICK_HZ, BRIGHT_HZ = 150.0, 2_500.0  # where mid begins and ends

EDGES = np.geomspace(LOW_HZ, HIGH_HZ, BANDS + 1)
_CENTRES = np.sqrt(EDGES[:-1] * EDGES[1:])
LOW = slice(0, int(np.searchsorted(_CENTRES, KICK_HZ)))
MID = slice(LOW.stop, int(np.searchsorted(_CENTRES, BRIGHT_HZ)))
HIGH = slice(MID.stop, BANDS)


@lru_cache(maxsize=8)
def band_matrix(rate: int, window: int) -> np.ndarray:
    """float32, shape (window // 2 + 1, BANDS): from a spectrum's magnitudes to each band's mean; a sine of 1 in one bin gives 1.

    A band has one bin at least. Bands that a low rate does not reach are empty.
    """
    bins = np.arange(window // 2 + 1) * rate / window
    matrix = np.zeros((bins.size, BANDS), np.float32)
    for band, (low, high) in enumerate(pairwise(EDGES)):
        inside = np.flatnonzero((bins >= low) & (bins < high))
        if not inside.size and low < rate / 2:
            inside = np.array([np.abs(bins - _CENTRES[band]).argmin()])
        if inside.size:
            matrix[inside, band] = 1 / inside.size
    return matrix * np.float32(4 / window)  # of a Hann window


@lru_cache(maxsize=8)
def hann(window: int) -> np.ndarray:
    """float32, shape (window,)."""
    return np.hanning(window + 1)[:-1].astype(np.float32)
