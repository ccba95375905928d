"""What is heard in each hop: levels against their own recent peaks, and flux, which is how much of the sound is new."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from sdv2_live.music.sound.bands import BANDS, HIGH, LOW, MID, band_matrix, hann
from sdv2_live.music.sound.hops import HOP_S, Cut

HALF_LIFE_S = 6.0  # of the peaks that levels are measured by
DECAY = 0.5 ** (HOP_S / HALF_LIFE_S)
QUIETEST = 1e-3  # -60 dB: what is quieter is not raised further
QUIETEST_BAND = 1e-4
LOUD = 0.25  # RMS of loud music at a full scale of 1, for a gain that is fixed
COMPRESSION = 50.0
FLUX_HOPS = 2  # flux is against the spectrum so many hops before
ATTACK = 1 - math.exp(-HOP_S / 0.005)
RELEASE = 1 - math.exp(-HOP_S / 0.150)

_GROUPS = [LOW.start, MID.start, HIGH.start]
_SIZES = np.array([LOW.stop - LOW.start, MID.stop - MID.start, HIGH.stop - HIGH.start], np.float32)


@dataclass(frozen=True, slots=True)
class Gain:
    """How loud sound counts.

    Attributes:
        auto: against its own peaks of the last seconds; else against loud music at full scale.
        factor: and times this.
    """

    auto: bool = True
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Hop:
    """What was heard in one hop.

    Attributes:
        at_ns: when.
        env: level of the whole; as those of the groups of bands within 0..1.
        peak: the largest sample, as it came.
        flux: 0 and up.
        flux_low: the same of the low bands alone.
    """

    at_ns: int
    env: float = 0.0
    low: float = 0.0
    mid: float = 0.0
    high: float = 0.0
    peak: float = 0.0
    flux: float = 0.0
    flux_low: float = 0.0

    def at(self, at_ns: int) -> Hop:
        """The same at another time."""
        return replace(self, at_ns=at_ns)


class Features:
    """Hears one hop after another of a sound that began in silence."""

    def __init__(self) -> None:
        self._peak = self._rms = QUIETEST
        self._bands = np.full(BANDS, QUIETEST_BAND, np.float32)
        self._faders = np.zeros(BANDS, np.float32)
        self._env = 0.0
        self._before = [np.zeros(BANDS, np.float32)] * FLUX_HOPS  # compressed, the oldest first

    def hear(self, cut: Cut, gain: Gain) -> list[Hop]:
        """The hops of a cut, in order."""
        count, window = cut.windows.shape
        if not count:
            return []
        matrix = band_matrix(cut.rate, window)
        bands = np.abs(np.fft.rfft(cut.windows * hann(window))).astype(np.float32) @ matrix
        new = cut.windows[:, -cut.hop :]
        peaks = np.abs(new).max(axis=1).tolist()
        levels = np.sqrt(np.einsum("ij,ij->i", new, new) / cut.hop).tolist()
        fixed = None if gain.auto else _loud_bands(matrix)
        hops = zip(cut.at_ns, bands, peaks, levels, strict=True)
        return [self._hop(at_ns, m, peak, rms, fixed, gain.factor) for at_ns, m, peak, rms in hops]

    def _hop(self, at_ns: int, m: np.ndarray, peak: float, rms: float, fixed: np.ndarray | None, factor: float) -> Hop:
        self._peak = max(peak, self._peak * DECAY, QUIETEST)
        self._rms = max(rms, self._rms * DECAY, QUIETEST)
        self._bands = np.maximum(np.maximum(m, self._bands * np.float32(DECAY)), np.float32(QUIETEST_BAND))
        env = min(factor * rms / (self._rms if fixed is None else LOUD), 1.0)
        self._env += (ATTACK if env > self._env else RELEASE) * (env - self._env)
        faders = np.minimum(m * np.float32(factor) / (self._bands if fixed is None else fixed), np.float32(1))
        rises = faders > self._faders
        self._faders += np.where(rises, np.float32(ATTACK), np.float32(RELEASE)) * (faders - self._faders)
        low, mid, high = (np.add.reduceat(self._faders, _GROUPS) / _SIZES).tolist()
        compressed = np.log1p(m * np.float32(COMPRESSION / self._peak))
        new = np.maximum(compressed - self._before.pop(0), 0)
        self._before.append(compressed)
        return Hop(at_ns, self._env, low, mid, high, peak, float(new.sum()), float(new[LOW].sum()))


def _loud_bands(matrix: np.ndarray) -> np.ndarray:
    """The bands' levels in loud music that has as much power in each band."""
    bins = np.maximum(np.count_nonzero(matrix, axis=0), 1)
    # A Hann window spreads a sine over 1.5 bins, and a sine of amplitude a has the power a^2 / 2.
    loud: np.ndarray = np.sqrt(3 * LOUD**2 / (BANDS * bins))
    return loud.astype(np.float32)
