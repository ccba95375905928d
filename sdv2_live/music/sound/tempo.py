"""The tempo of the last seconds, from their flux."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdv2_live.music.sound.hops import HOPS_PER_S
from sdv2_live.music.sound.onset import summit

SPAN_S = 8.0  # of flux that an estimate reads
LEAST_S = 4.0  # less gives none
MEAN_HOPS = HOPS_PER_S * 4 // 10  # of the moving mean that is taken away
STEP_BPM = 0.25
MULTIPLES = ((1, 1.0), (2, 0.5), (3, 0.33), (4, 0.5))  # of a beat at which flux repeats, and what each counts
FAVOUR, NEAR = 0.3, 0.02  # a tempo this near to the last one, as a share, counts for so much more
FINE = ((31, 0.1), (25, 0.01))  # steps of bpm around the best, then around the best of those
BINS = 48  # of a beat, for its phase
BELIEVED_SCORE, BELIEVED_FLUX = 0.25, 0.5
DRUMS, DRUMS_FLUX = 0.02, 5.0  # so much of the time has more flux than this where there are drums: chords only beat evenly


@dataclass(frozen=True, slots=True)
class Estimate:
    """A tempo that was heard.

    Attributes:
        ago: hops from the last beat to the newest hop, less than a beat.
        score: how well the flux repeats at it, about 0..1.
        flux: its mean; little where nothing begins and ends.
        drums: the flux of its strongest moments.
    """

    bpm: float
    ago: float
    score: float
    flux: float
    drums: float

    @property
    def believed(self) -> bool:
        """False for noise, free rhythms, chords, and sounds that only swell."""
        return self.score > BELIEVED_SCORE and self.flux > BELIEVED_FLUX and self.drums > DRUMS_FLUX


def estimate(flux: np.ndarray, low_bpm: float, last_bpm: float | None = None) -> Estimate | None:
    """The tempo from `low_bpm` to its double, or None for too short a time or for silence.

    Args:
        flux: of successive hops, the newest last; SPAN_S of it are read.
        last_bpm: the tempo until now, which is favoured.
    """
    flux = flux[-int(SPAN_S * HOPS_PER_S) :]
    if flux.size < LEAST_S * HOPS_PER_S or not flux.any():
        return None
    peaks = _peaks(flux)
    tempi = np.arange(low_bpm, 2 * low_bpm, STEP_BPM)
    scores = _scores(peaks, tempi)
    favoured = scores
    if last_bpm is not None:
        favoured = scores * (1 + FAVOUR * np.exp(-(((tempi / last_bpm - 1) / NEAR) ** 2)))
    best = int(favoured.argmax())
    bpm = float(tempi[best])
    for steps, step in FINE:
        bpm = _finest(peaks, bpm + step * (np.arange(steps) - steps // 2))
    drums = np.partition(flux, -int(DRUMS * flux.size))[-int(DRUMS * flux.size)]
    return Estimate(bpm, _ago(peaks, bpm), float(scores[best]), float(flux.mean()), float(drums))


def _peaks(flux: np.ndarray) -> np.ndarray:
    """What rises above the moving mean."""
    mean = np.convolve(flux, np.full(MEAN_HOPS, 1 / MEAN_HOPS), "same")
    peaks: np.ndarray = np.maximum(flux - mean, 0)
    return peaks


def _scores(peaks: np.ndarray, tempi: np.ndarray) -> np.ndarray:
    """How well peaks repeat at each tempo."""
    size = peaks.size
    spectrum = np.fft.rfft(peaks - peaks.mean(), 2 * size)
    repeats = np.fft.irfft(spectrum * spectrum.conj())[:size] / (1 - np.arange(size) / size)
    repeats /= repeats[0] or 1.0
    beats = HOPS_PER_S * 60 / tempi  # in hops
    total = sum(weight * np.interp(multiple * beats, np.arange(size), repeats) for multiple, weight in MULTIPLES)
    return np.asarray(total / sum(weight for _, weight in MULTIPLES))


def _finest(peaks: np.ndarray, tempi: np.ndarray) -> float:
    """The tempo with which peaks go together best, at one, two and four times it."""
    hops = np.flatnonzero(peaks)
    once = np.exp(-2j * np.pi / (HOPS_PER_S * 60) * np.outer(tempi, hops))
    twice = once * once
    together = sum(np.abs(turns @ peaks[hops]) for turns in (once, twice, twice * twice))
    return float(tempi[np.asarray(together).argmax()])


def _ago(peaks: np.ndarray, bpm: float) -> float:
    """Hops from the last beat to the newest hop: where the peaks, folded into one beat, are highest."""
    beat = HOPS_PER_S * 60 / bpm
    back = np.arange(peaks.size - 1, -1, -1)
    folded = np.bincount(np.rint(back % beat * (BINS / beat)).astype(int) % BINS, peaks, BINS)
    smooth = 0.25 * np.roll(folded, 1) + 0.5 * folded + 0.25 * np.roll(folded, -1)
    best = int(smooth.argmax())
    shift = summit(smooth[best - 1], smooth[best], smooth[(best + 1) % BINS])
    return float((best + shift) % BINS * beat / BINS)
