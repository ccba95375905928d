"""Asking less of the machine: which step comes when, and what it changes."""

from __future__ import annotations

from sdv2_live.config import load_config
from sdv2_live.worker.ladder import STABLE_S, Recovery, lowered


def test_short_lives_lead_down_the_ladder_and_then_away() -> None:
    recovery = Recovery(2, ["taehv", "60%"], 30.0)
    assert recovery.ended(1.0) == 0.0
    assert recovery.steps == ()
    recovery.ended(1.0)
    assert recovery.steps == ("taehv",)
    recovery.ended(1.0)
    recovery.ended(1.0)
    assert recovery.steps == ("taehv", "60%")
    assert not recovery.away
    assert [recovery.ended(0.0) for _ in range(4)][1:] == [30.0] * 3
    assert recovery.away
    assert recovery.steps == ("taehv", "60%")


def test_a_long_life_is_no_crash_loop() -> None:
    recovery = Recovery(2, ["60%"], 30.0)
    for _ in range(5):
        assert recovery.ended(STABLE_S) == 0.0
    assert recovery.steps == ()


def test_pauses_grow_while_no_step_is_taken() -> None:
    recovery = Recovery(5, [], 30.0)
    assert [recovery.ended(0.0) for _ in range(5)] == [0.0, 1.0, 3.0, 7.0, 30.0]


def test_a_step_that_changes_nothing_is_left_out() -> None:
    recovery = Recovery(1, ["taehv", "60%"], 30.0)
    recovery.ended(0.0, vae="taehv")
    assert recovery.steps == ("60%",)


def test_a_step_asks_for_a_smaller_picture_of_the_same_shape() -> None:
    fixed = lowered(load_config(None, ["video.size=480x832"]), ["60%"], 480 * 832)
    assert fixed.video.size == (368, 640)
    free = lowered(load_config(None), ["60%", "30%"], 1000_000)
    assert free.video.size is None
    assert free.video.max_pixels == 300_000
    assert lowered(load_config(None, ["video.size=16x16"]), ["30%"], 256).video.size == (16, 16)


def test_the_small_autoencoder_is_a_step() -> None:
    config = load_config(None, ["model.vae=wan"])
    assert lowered(config, ["taehv"], 1).model.vae == "taehv"
    assert lowered(config, ["60%"], 1024).model.vae == "wan"
