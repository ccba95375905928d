"""The tempo's row, what waits for the beat, and modulation, by hand and by OSC."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.browser import Browser
from support.stage import Stage


@pytest.fixture(autouse=True)
def usual(stage: Stage) -> Iterator[None]:
    yield
    for name, value in (
        ("tempo/cancel", 1),
        ("tempo/quantise", "none"),
        ("tempo/bpm", 120.0),
        ("mod/1/on", 0),
        ("mod/1/depth", 0.0),
    ):
        stage.set(name, value)
    stage.until("tempo/quantise", "none")
    stage.until("mod/1/depth", 0)


def test_the_lamp_walks_with_the_beat(page: Browser) -> None:
    for beat in (1, 2, 3, 4):
        page.until(f"document.querySelector('.beats i:nth-child({beat})').classList.contains('on')")
    page.until("/^\\d+\\.\\d$/.test(document.querySelector('.barno').textContent)")


def test_the_tempo_is_typed_doubled_and_tapped(page: Browser, stage: Stage) -> None:
    page.click(".bpm")
    page.type(".bpm input", "97,5\n")
    stage.until("tempo/bpm", 97.5)
    page.until("document.querySelector('.bpm .num').textContent === '97.5'")
    page.click(".nudges [aria-label='Double the tempo']")
    stage.until("tempo/bpm", 195)
    page.click(".nudges [aria-label='Half the tempo']")
    stage.until("tempo/bpm", 97.5)


def test_what_waits_is_shown_counted_cancelled_and_launched(page: Browser, stage: Stage) -> None:
    stage.set("tempo/bpm", 20.0)  # eight bars last 96 seconds: what waits stays until the test lets it go
    stage.set("tempo/resync", 1)
    stage.until("tempo/bpm", 20)
    page.click(".quant [data-key='8bars']")
    stage.until("tempo/quantise", "8bars")
    page.click(".tile[data-number='1']")
    page.until("document.querySelector(\".tile[data-number='1']\").classList.contains('waiting')")
    page.until("document.querySelector('.pend b')?.textContent.includes('thermal')")
    page.until("/^\\d+ beats?$/.test(document.querySelector('.pend .left')?.textContent)")
    page.until("Number(document.querySelector('.waiting .when b')?.textContent) > 0")
    page.click(".pending [aria-label='Cancel what waits']")
    page.until("document.querySelector('.tile.waiting') === null && document.querySelector('.pending .none') !== null")
    page.click("[data-name=mix]")  # keys are the page's own
    page.run("document.activeElement.blur()")
    page.keys("2")
    page.until("document.querySelector(\".tile[data-number='2']\").classList.contains('waiting')")
    page.click(".pending .btn")
    page.until("document.querySelector(\".tile[data-number='2']\")?.getAttribute('aria-pressed') === 'true'")


def test_a_slot_is_set_up_in_the_drawer_and_the_fader_shows_where_it_is_moved(page: Browser, stage: Stage) -> None:
    page.click(".slot[data-slot='1']")
    page.until("!document.querySelector('[data-drawer=slot]').hidden")
    assert page.value("document.querySelector('[data-drawer=slot] h2').textContent") == "Modulation 1"
    page.run("document.querySelector('[data-drawer=slot]').close()")
    for name, value in (("mod/1/target", "noise_scale"), ("mod/1/depth", 0.4), ("mod/1/rate", "beat"), ("mod/1/on", 1)):
        stage.set(name, value)
    page.until("!document.querySelector('sdv2-bank [data-name=noise_scale] .e').hidden")
    place = "getComputedStyle(document.querySelector('sdv2-bank [data-name=noise_scale] .w')).getPropertyValue('--e')"
    first = page.value(place)
    page.until(f"{place} !== '{first}'")
    assert page.value("document.querySelector(\".slot[data-slot='1'] .t\").textContent") == "1Noise"
    page.click(".mods .tog")
    stage.until("mod/1/on", False)
    page.until("document.querySelector('sdv2-bank [data-name=noise_scale] .e').hidden")
