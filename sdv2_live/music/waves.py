"""Waves of a low-frequency oscillator, as they are over a span of time: 0..1, by the count of cycles. Pure functions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, get_args

Shape = Literal["sine", "cosine", "triangle", "saw", "square", "exp_decay", "random"]
Rate = Literal["1/4beat", "1/2beat", "beat", "2beats", "bar", "2bars", "4bars", "8bars", "hz"]
SHAPES: tuple[str, ...] = get_args(Shape)
RATES: tuple[str, ...] = get_args(Rate)

PULSES = frozenset({"square", "exp_decay"})  # seen by their height, which a mean over a chunk would lower
DECAY = 0.15  # of a cycle, in which exp_decay falls to 1/e

_BEATS: Mapping[str, float] = MappingProxyType({"1/4beat": 0.25, "1/2beat": 0.5, "beat": 1.0, "2beats": 2.0})
_BARS: Mapping[str, int] = MappingProxyType({"bar": 1, "2bars": 2, "4bars": 4, "8bars": 8})


def cycle_beats(rate: str, beats_per_bar: int) -> float:
    """Beats that one cycle of a rate takes. Raises KeyError for hz, which goes by no beat."""
    return _BEATS[rate] if rate in _BEATS else float(_BARS[rate] * beats_per_bar)


def wave(shape: str, start: float, end: float, seed: int = 0) -> float:
    """The value of a wave, 0..1, for what is shown from the count of cycles `start` to `end`.

    A smooth wave has its mean over the span, a pulse its largest value in it, and random the value that it holds in the middle.

    Args:
        shape: one of SHAPES. A cycle begins at a whole count: sine and saw rise there, from the middle and from 0, cosine is at
            1, triangle at 0, square and exp_decay go to 1.
        start: cycles; may be below 0.
        end: at least `start`.
        seed: of random, which depends on nothing else but the whole part of its count.
    """
    if shape == "random":
        return drawn(seed, math.floor((start + end) / 2))
    if shape in PULSES:
        return _largest(shape, start, end)
    whole = math.floor(start)  # a sum over hours of cycles would lose the last digits
    start, end = start - whole, end - whole
    value, integral = _SMOOTH[shape]
    if end - start < 1e-6:
        return value(start % 1.0)
    mean = (integral(end) - integral(start)) / (end - start)
    return min(max(mean, 0.0), 1.0)


def drawn(seed: int, cycle: int) -> float:
    """A number 0..1 that depends on seed and cycle alone, on every machine."""
    digest = hashlib.blake2b(f"{seed}:{cycle}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / (2**64 - 1)


def decay(start: float, end: float) -> float:
    """The largest value of a hit at each whole count that falls to 1/e within DECAY."""
    return 1.0 if math.floor(end) > math.floor(start) else math.exp(-(start % 1.0) / DECAY)


def _largest(shape: str, start: float, end: float) -> float:
    if shape == "exp_decay":
        return decay(start, end)
    return 1.0 if start % 1.0 < 0.5 or math.floor(end) > math.floor(start) else 0.0


# Each wave over one cycle, and its integral from 0 to x for every x from 0 on.


def _sine(x: float) -> float:
    return 0.5 + 0.5 * math.sin(math.tau * x)


def _sine_sum(x: float) -> float:
    return 0.5 * x + 0.5 * (1 - math.cos(math.tau * x)) / math.tau


def _cosine(x: float) -> float:
    return 0.5 + 0.5 * math.cos(math.tau * x)


def _cosine_sum(x: float) -> float:
    return 0.5 * x + 0.5 * math.sin(math.tau * x) / math.tau


def _triangle(x: float) -> float:
    return 1 - abs(2 * x - 1)


def _triangle_sum(x: float) -> float:
    whole, part = divmod(x, 1.0)
    return 0.5 * whole + (part * part if part <= 0.5 else 0.5 - (1 - part) ** 2)


def _saw(x: float) -> float:
    return x


def _saw_sum(x: float) -> float:
    whole, part = divmod(x, 1.0)
    return 0.5 * (whole + part * part)


_SMOOTH: Mapping[str, tuple[Callable[[float], float], Callable[[float], float]]] = MappingProxyType(
    {
        "sine": (_sine, _sine_sum),
        "cosine": (_cosine, _cosine_sum),
        "triangle": (_triangle, _triangle_sum),
        "saw": (_saw, _saw_sum),
    }
)
