"""Presets, timelines and takes from the page: recalled, saved, recorded, played."""

from __future__ import annotations

import pytest
from support.browser import Browser
from support.stage import Stage
from support.waiting import eventually

NOISE = "sdv2-bank [data-name=noise_scale]"
SHOWN = "Number(document.querySelector('sdv2-bank [data-name=noise_scale]').getAttribute('aria-valuenow'))"


def test_presets_are_recalled_and_a_broken_one_says_its_line(page: Browser, stage: Stage) -> None:
    page.click(".tile[data-number='1']")
    stage.until("noise_scale", pytest.approx(0.3))
    page.until("document.querySelector('.tile[data-number=\"1\"]').getAttribute('aria-pressed') === 'true'")
    page.run("document.activeElement.blur()")
    page.keys("2")
    stage.until("noise_scale", pytest.approx(0.4))
    page.until("document.querySelector('.tile.broken em').textContent.includes('line 3')")
    page.click(".tile.broken")
    assert "noise_scale" in page.until("document.querySelector('.state .err .fix')?.textContent")


def test_a_preset_is_saved_with_its_picture(page: Browser, stage: Stage) -> None:
    page.click(".save")
    page.type(".saving input", "Night ride\n")
    eventually("the file", lambda: list((stage.folder / "presets").glob("*ight*ride*.yaml")))
    tile = "[...document.querySelectorAll('.tile')].find((one) => one.textContent.includes('Night ride'))"
    page.until(f"{tile}?.querySelector('img')?.naturalWidth > 0")


def test_what_the_hand_plays_is_recorded_and_plays_again(page: Browser, stage: Stage) -> None:
    stage.set("noise_scale", 0.5)
    page.until(f"{SHOWN} === 0.5")
    page.click(".recm")
    page.until("document.querySelector('.recm').getAttribute('aria-pressed') === 'true'")
    stage.until("status/timeline_recording", 1)
    with page.grip(NOISE, 0, -60):
        pass
    moved = page.until(f"{SHOWN} > 0.5 && {SHOWN}")
    stage.until("noise_scale", pytest.approx(moved, abs=0.006))
    page.click(".recm")
    page.until("document.querySelector('sdv2-strip path') !== null && !document.querySelector('[aria-label=Play]').disabled")
    assert list((stage.folder / "timelines").glob("*.yaml"))
    stage.set("noise_scale", 0.1)
    page.until(f"{SHOWN} === 0.1")
    page.click("[aria-label=Play]")
    page.until(f"{SHOWN} === {moved}")
    stage.until("noise_scale", pytest.approx(moved, abs=0.006))


def test_a_timeline_is_chosen_among_the_files_and_sought_by_a_tap(page: Browser, stage: Stage) -> None:
    page.click(".file")
    page.until("[...document.querySelectorAll('.menu button')].find((one) => one.textContent === 'two-looks.yaml')").click()
    page.until("document.querySelector('.file b').textContent === 'two-looks.yaml'")
    page.until("document.querySelectorAll('sdv2-strip .mk').length === 2")
    page.tap("sdv2-strip")
    eventually("the middle", lambda: 4 < float(stage["status/timeline"]) < 6)


def test_play_that_waits_for_the_beat_blinks_and_is_taken_back_by_another_press(page: Browser, stage: Stage) -> None:
    stage.set("timeline/load", "two-looks")
    page.until("document.querySelector('sdv2-timeline .file b').textContent.includes('two-looks')")
    stage.set("timeline/stop", 1)
    stage.until("status/timeline_playing", 0)
    stage.set("tempo/bpm", 20.0)  # eight bars last 96 seconds
    stage.set("tempo/quantise", "8bars")
    stage.until("tempo/quantise", "8bars")
    try:
        play = "sdv2-timeline [aria-label=Play]"
        page.click(play)
        page.until(f"document.querySelector('{play}').classList.contains('waiting')")
        page.until("document.querySelector('.pend b')?.textContent === 'timeline play'")
        page.click(play)
        page.until("document.querySelector('.pending .none') !== null")
        page.click(play)
        page.until("document.querySelector('.pend b')?.textContent === 'timeline play'")
        page.click(".pending .btn")
        stage.until("status/timeline_playing", 1)
    finally:
        for name, value in (("tempo/cancel", 1), ("tempo/quantise", "none"), ("tempo/bpm", 120.0), ("timeline/stop", 1)):
            stage.set(name, value)
        stage.until("tempo/quantise", "none")
        stage.until("status/timeline_playing", 0)
