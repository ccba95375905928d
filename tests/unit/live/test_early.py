"""What acts on frames as they come holds for their chunk; where it moves by itself, they wait."""

from __future__ import annotations

from dataclasses import replace

from sdv2_live.control.params import PARAMS, Params, updated
from sdv2_live.live.early import FIELDS, frames_wait, held


def test_the_first_frames_look_holds_and_all_else_is_the_chunks() -> None:
    first, now = Params(), replace(Params(), input_hue=90.0, input_mirror=True, feedback=0.5, noise_scale=0.1, feedback_zoom=1.1)
    assert held(now, None) is now
    assert held(now, now) is now
    assert held(now, first) == replace(Params(), noise_scale=0.1, feedback_zoom=1.1)
    assert set(FIELDS) == {"feedback"} | {spec.field for name, spec in PARAMS.items() if name.startswith("input/")}


def test_frames_wait_for_feedback_and_for_a_look_that_moves() -> None:
    assert not frames_wait(replace(Params(), input_hue=90.0))
    assert frames_wait(replace(Params(), feedback=0.1))
    for target, waits in (("input/hue", True), ("feedback", True), ("feedback/zoom", False), ("noise_scale", False)):
        assert frames_wait(updated(Params(), {"mod/2/on": True, "mod/2/target": target})) is waits
        assert not frames_wait(updated(Params(), {"mod/2/target": target}))
