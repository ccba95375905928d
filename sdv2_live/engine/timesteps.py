"""The timesteps of a chunk's denoising steps, from the steps that the performer chose."""

from __future__ import annotations

from sdv2_live.engine.scheduler import TRAIN_STEPS, schedule_of
from sdv2_live.engine.spec import Mode, StreamSpec


def timesteps_of(spec: StreamSpec, steps: tuple[int, ...], noise_scale: float, *, first: bool) -> tuple[float, ...]:
    """Timesteps (0..1000) of a chunk's denoising steps.

    From noise alone they are the model's own steps; from a picture with less noise all go down with it. In a video they are the
    performer's, and the first follows the noise scale.
    Nominal steps go down with it, all by the same share, to where the schedule has as much noise as is mixed into the input.

    Args:
        spec: the stream's kind.
        steps: the performer's, for a video.
        noise_scale: 0..1, share of noise in the noisy latent.
        first: of the stream's first generated chunk.
    """
    schedule = schedule_of(spec.shift)
    if spec.mode is Mode.TEXT:
        steps = spec.first_steps if first and spec.first_steps is not None else spec.steps
        if noise_scale < 1:
            share = schedule.nominal(TRAIN_STEPS * noise_scale) / TRAIN_STEPS if spec.warp else noise_scale
            return tuple(schedule.warped(share * step) if spec.warp else int(share * step) for step in steps)
        return tuple(map(schedule.warped, steps)) if spec.warp else steps
    if spec.warp:
        share = schedule.nominal(TRAIN_STEPS * noise_scale) / max(steps[0], 1)
        return tuple(schedule.warped(share * step) for step in (max(steps[0], 1), *steps[1:]))
    if first and not spec.clean_past:
        return steps
    lowest = steps[1] + 1 if len(steps) > 1 else 0
    return max(int(TRAIN_STEPS * noise_scale) - 100, lowest), *steps[1:]
