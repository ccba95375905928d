"""Nominal steps and timesteps."""

from __future__ import annotations

import pytest

from sdv2_live.engine.scheduler import FlowSchedule, schedule_of


@pytest.mark.parametrize("shift", [5.0, 8.0, 3.0])
def test_a_warped_step_has_the_shifted_share_of_noise(shift: float) -> None:
    schedule = FlowSchedule(shift)
    for step in (1000, 999, 750, 666, 500, 333, 1, 0):
        share = step / 1000
        timestep = schedule.warped(step)
        assert timestep == pytest.approx(1000 * shift * share / (1 + (shift - 1) * share), rel=1e-6)
        assert schedule.nominal(timestep) == pytest.approx(step, rel=1e-9)
        if step:
            assert schedule.sigma(timestep) == pytest.approx(timestep / 1000, rel=1e-6)


def test_a_schedule_is_made_once() -> None:
    assert schedule_of(5.0) is schedule_of(5.0)
    assert schedule_of(5.0).sigma(0) == pytest.approx(0.00498, abs=1e-5)
