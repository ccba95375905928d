"""Waves over a span: means of smooth ones, the largest of pulses, and draws that depend on seed and cycle alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdv2_live.music.waves import DECAY, PULSES, RATES, SHAPES, cycle_beats, drawn, wave

cycles = st.floats(-1e5, 1e5)
spans = st.floats(0, 3)
shapes = st.sampled_from(SHAPES)


def reference(shape: str, count: np.ndarray) -> np.ndarray:
    """The shapes over -1..1 (exp_decay over 0..1) as formulas, brought to 0..1."""
    phase = count % 1
    bipolar = {
        "sine": np.sin(2 * np.pi * phase),
        "cosine": np.cos(2 * np.pi * phase),
        "triangle": 1 - 4 * np.abs(phase - 0.5),
        "saw": 2 * phase - 1,
        "square": np.where(phase < 0.5, 1.0, -1.0),
    }
    return np.exp(-phase / 0.15) if shape == "exp_decay" else (bipolar[shape] + 1) / 2


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "random"])
@pytest.mark.parametrize("start", [-3.7, 0.0, 0.26, 0.95, 1000.4])
@pytest.mark.parametrize("span", [1e-9, 0.1, 0.266, 1.3])
def test_a_wave_over_a_span(shape: str, start: float, span: float) -> None:
    values = reference(shape, np.linspace(start, start + span, 200_001)[:-1])
    expected = values.max() if shape in PULSES else values.mean()
    assert wave(shape, start, start + span) == pytest.approx(expected, abs=2e-3 if shape in PULSES else 1e-4)


@given(shapes, cycles, spans, st.integers(0, 2**63 - 1))
def test_every_wave_stays_within_0_and_1(shape: str, start: float, span: float, seed: int) -> None:
    assert 0.0 <= wave(shape, start, start + span, seed) <= 1.0


@given(st.integers(0, 2**63 - 1), st.integers(-1000, 1000), st.floats(0, 0.49), st.floats(0, 0.49))
def test_random_depends_on_seed_and_cycle_alone(seed: int, cycle: int, start: float, span: float) -> None:
    assert wave("random", cycle + start, cycle + start + span, seed) == drawn(seed, cycle)


def test_draws_are_the_same_on_every_machine_and_fill_the_range() -> None:
    assert drawn(42, 0) == pytest.approx(0.0977743324826413, abs=1e-15)
    assert drawn(42, -1) != drawn(42, 1)
    draws = np.array([drawn(7, cycle) for cycle in range(4000)])
    assert draws.mean() == pytest.approx(0.5, abs=0.03)
    assert (np.histogram(draws, 10, (0, 1))[0] > 300).all()
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 0.06
    assert abs(np.corrcoef(draws, [drawn(8, cycle) for cycle in range(4000)])[0, 1]) < 0.06


def test_a_hit_has_its_full_height_wherever_in_the_chunk_it_falls() -> None:
    assert {wave("exp_decay", start, start + 0.27) for start in (0.74, 0.8, 0.9, 0.999, 1.0)} == {1.0}
    assert wave("exp_decay", 0.15, 0.4) == pytest.approx(math.exp(-0.15 / DECAY))


def test_cycles_of_the_rates_in_beats() -> None:
    assert [cycle_beats(rate, 3) for rate in RATES if rate != "hz"] == [0.25, 0.5, 1, 2, 3, 6, 12, 24]
