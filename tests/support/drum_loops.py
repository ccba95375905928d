"""Music made by a script: drums on a known grid, with a pad and noise behind them; the same samples each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

RATE = 48_000
SECONDS = 24.0


@dataclass(frozen=True)
class Loop:
    """Mono sound, float32, and when what begins in it, in seconds and in order.

    Attributes:
        hits: every sound.
        drums: clicks, kicks and snares, without hats.
    """

    name: str
    sound: np.ndarray
    bpm: float
    beats: np.ndarray
    hits: np.ndarray
    drums: np.ndarray
    kicks: np.ndarray


def kick() -> np.ndarray:
    t = np.arange(int(0.25 * RATE)) / RATE
    pitch = 50 + 90 * np.exp(-t / 0.02)
    return 0.9 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.exp(-t / 0.09)


def snare(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(int(0.2 * RATE)) / RATE
    return (0.45 * rng.standard_normal(t.size) + 0.4 * np.sin(2 * np.pi * 190 * t)) * np.exp(-t / 0.06)


def hat(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(int(0.12 * RATE)) / RATE
    return 0.5 * np.diff(rng.standard_normal(t.size + 1)) * np.exp(-t / 0.03)


def click() -> np.ndarray:
    t = np.arange(int(0.01 * RATE)) / RATE
    return 0.8 * np.sin(2 * np.pi * 1000 * t) * np.exp(-t / 0.002)


def pad(seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 0.07 * t)
    return 0.05 * swell * sum(np.sin(2 * np.pi * f * t + f) for f in (110.0, 164.8, 220.5, 277.2))


# (kicks, snares, hats) in beats of a bar of four
HOUSE = ((0, 1, 2, 3), (1, 3), (0.5, 1.5, 2.5, 3.5))
DRUM_AND_BASS = ((0, 2.5), (1, 3), (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5))


def drums(
    name: str,
    bpm: float,
    pattern: tuple[Sequence[float], ...],
    *,
    noise: float = 0.02,
    gain: float = 0.5,
    seconds: float = SECONDS,
    seed: int = 1,
    first_s: float = 0.1234,
) -> Loop:
    """A drum loop with a pad and noise; the first beat of bar 1 is at `first_s`."""
    rng = np.random.default_rng(seed)
    beat_s = 60 / bpm
    beats = np.arange(first_s, seconds, beat_s)
    sound = pad(seconds) + noise * rng.standard_normal(int(seconds * RATE))
    begins: list[list[float]] = []
    for places, make in zip(pattern, (kick, lambda: snare(rng), lambda: hat(rng)), strict=True):
        times = [t for bar in beats[::4] for t in (bar + hit * beat_s for hit in places) if t < seconds - 0.3]
        begins.append(times)
        for t in times:
            _add(sound, t, make())
    hits, loud = (np.unique(np.round(np.concatenate(some), 6)) for some in (begins, begins[:2]))
    return Loop(name, (gain * sound).astype(np.float32), bpm, beats, hits, loud, np.array(begins[0]))


def clicks(bpm: float, *, noise: float = 0.02, gain: float = 0.5, seconds: float = SECONDS, first_s: float = 0.1234) -> Loop:
    """A metronome."""
    rng = np.random.default_rng(2)
    beats = np.arange(first_s, seconds, 60 / bpm)
    sound = noise * rng.standard_normal(int(seconds * RATE))
    for t in beats:
        _add(sound, t, click())
    return Loop(f"clicks {bpm:g}", (gain * sound).astype(np.float32), bpm, beats, beats, beats, np.zeros(0))


def free_clicks(*, seconds: float = SECONDS) -> Loop:
    """Clicks with no rhythm at all."""
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.uniform(0.15, 1.2, 200))
    times = times[times < seconds - 0.3]
    sound = 0.02 * rng.standard_normal(int(seconds * RATE))
    for t in times:
        _add(sound, t, click())
    return Loop("free clicks", (0.5 * sound).astype(np.float32), 0.0, times, times, times, np.zeros(0))


def beatless(name: str, *, noise: float = 0.1, with_pad: bool = False, seconds: float = SECONDS) -> Loop:
    """Noise, or a pad that only swells."""
    rng = np.random.default_rng(4)
    sound = noise * rng.standard_normal(int(seconds * RATE)) + (pad(seconds) if with_pad else 0)
    none = np.zeros(0)
    return Loop(name, sound.astype(np.float32), 0.0, none, none, none, none)


def _add(sound: np.ndarray, at_s: float, drum: np.ndarray) -> None:
    begin = round(at_s * RATE)
    end = min(begin + drum.size, sound.size)
    sound[begin:end] += drum[: end - begin]


MADE: Mapping[str, Callable[[float, float], Loop]] = {
    "clicks 120": lambda noise, gain: clicks(120, noise=noise, gain=gain),
    "house 90": lambda noise, gain: drums("house 90", 90, HOUSE, noise=noise, gain=gain),
    "house 120": lambda noise, gain: drums("house 120", 120, HOUSE, noise=noise, gain=gain),
    "house 128": lambda noise, gain: drums("house 128", 128, HOUSE, noise=noise, gain=gain),
    "drum and bass 174": lambda noise, gain: drums("drum and bass 174", 174, DRUM_AND_BASS, noise=noise, gain=gain),
}


def resampled(loop: Loop, rate: int) -> np.ndarray:
    """The loop's sound at another rate, by its spectrum."""
    size = round(loop.sound.size * rate / RATE)
    spectrum = np.fft.rfft(loop.sound.astype(float))
    return (np.fft.irfft(spectrum, size) * (size / loop.sound.size)).astype(np.float32)
