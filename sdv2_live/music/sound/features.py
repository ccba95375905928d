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
        self._levels = [0.0] * 4  # env, low, mid, high
        self._before = np.zeros((FLUX_HOPS, BANDS), np.float32)  # compressed, the oldest first

    def hear(self, cut: Cut, gain: Gain) -> list[Hop]:
        """The hops of a cut, in order."""
        count, window = cut.windows.shape
        if not count:
            return []
        matrix = band_matrix(cut.rate, window)
        bands = np.abs(np.fft.rfft(cut.windows * hann(window))).astype(np.float32) @ matrix
        new = cut.windows[:, -cut.hop :]
        peaks = np.abs(new).max(axis=1).tolist()
        rms = np.sqrt(np.einsum("ij,ij->i", new, new) / cut.hop).tolist()
        loud = [self._followed(*pair) for pair in zip(peaks, rms, strict=True)]
        usual = self._followed_bands(bands) if gain.auto else _loud_bands(matrix)
        faders = np.minimum(bands * np.float32(gain.factor) / usual, np.float32(1))
        groups = (np.add.reduceat(faders, _GROUPS, axis=1) / _SIZES).tolist()
        flux, flux_low = self._flux(bands / np.array([[peak] for peak, _ in loud], np.float32))
        hops = []
        for i, at_ns in enumerate(cut.at_ns):
            env = min(gain.factor * rms[i] / (loud[i][1] if gain.auto else LOUD), 1.0)
            env, low, mid, high = (_smoothed(*pair) for pair in zip(self._levels, (env, *groups[i]), strict=True))
            self._levels = [env, low, mid, high]
            hops.append(Hop(at_ns, env, low, mid, high, peaks[i], flux[i], flux_low[i]))
        return hops

    def _followed(self, peak: float, rms: float) -> tuple[float, float]:
        """The loudest of late, peak and RMS, with those of a hop."""
        self._peak = max(peak, self._peak * DECAY, QUIETEST)
        self._rms = max(rms, self._rms * DECAY, QUIETEST)
        return self._peak, self._rms

    def _followed_bands(self, bands: np.ndarray) -> np.ndarray:
        """The loudest of late in each band, after each hop."""
        since = DECAY ** np.arange(len(bands) + 1, dtype=np.float32)[:, None]  # a peak fades by as much in every hop
        fading = np.maximum.accumulate(np.concatenate((self._bands[None], bands)) / since) * since
        followed: np.ndarray = np.maximum(fading[1:], np.float32(QUIETEST_BAND))
        self._bands = followed[-1]
        return followed

    def _flux(self, bands: np.ndarray) -> tuple[list[float], list[float]]:
        """How much is new in each hop, and how much of that in the low bands."""
        compressed = np.concatenate((self._before, np.log1p(COMPRESSION * bands)))
        self._before = compressed[-FLUX_HOPS:]
        new = np.maximum(compressed[FLUX_HOPS:] - compressed[:-FLUX_HOPS], 0)
        return new.sum(axis=1).tolist(), new[:, LOW].sum(axis=1).tolist()


def _smoothed(before: float, level: float) -> float:
    return before + (ATTACK if level > before else RELEASE) * (level - before)


def _loud_bands(matrix: np.ndarray) -> np.ndarray:
    """The bands' levels in loud music that has as much power in each band."""
    bins = np.maximum(np.count_nonzero(matrix, axis=0), 1)
    # A Hann window spreads a sine over 1.5 bins, and a sine of amplitude a has the power a^2 / 2.
    loud: np.ndarray = np.sqrt(3 * LOUD**2 / (BANDS * bins))
    return loud.astype(np.float32)
