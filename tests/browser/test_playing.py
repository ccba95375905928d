"""The show is played from the page: what the hand does reaches it, and what others do reaches the page."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.keys import Keys
from support.browser import DESKTOP, PHONE, Browser, browser
from support.stage import Stage

NOISE = "sdv2-bank [data-name=noise_scale]"
SHOWN = "Number(document.querySelector('sdv2-bank [data-name=noise_scale]').getAttribute('aria-valuenow'))"


def test_both_pictures_move(page: Browser) -> None:
    for selector in (".pic .out", ".pic .in"):
        drawn = f"Number(document.querySelector('{selector}').dataset.drawn ?? 0)"
        page.until(f"{drawn} > 2")
        page.run("window.before = document.querySelector(arguments[0]).toDataURL()", selector)
        page.until(f"document.querySelector('{selector}').toDataURL() !== window.before")


def test_a_tap_swaps_the_pictures_and_the_views_change(page: Browser) -> None:
    page.click(".inset")
    assert page.value("document.querySelector('.plate b').textContent") == "Input"
    page.click(".inset")
    page.click(".views [data-key=full]")
    page.until("!document.querySelector('.inset').checkVisibility()")
    page.click(".views [data-key=inset]")
    page.until("document.querySelector('.inset').checkVisibility()")


def test_a_fader_follows_osc(page: Browser, stage: Stage) -> None:
    for value in (0.25, 0.75):
        stage.set("noise_scale", value)
        page.until(f"{SHOWN} === {value}")


@pytest.mark.parametrize("touch", [False, True])
def test_a_fader_moves_by_hand_without_a_jump_and_is_not_fought(page: Browser, stage: Stage, touch: bool) -> None:
    stage.set("noise_scale", 0.5)
    page.until(f"{SHOWN} === 0.5")
    with page.grip(NOISE, 0, -40, touch=touch):
        moved = page.until(f"{SHOWN} > 0.5 && {SHOWN}")
        stage.until("noise_scale", pytest.approx(moved, abs=0.006))
        stage.set("noise_scale", 0.1)
        stage.until("noise_scale", pytest.approx(0.1))
        assert page.value(SHOWN) == moved
        assert page.find(f"{NOISE}.held")
    page.until(f"{SHOWN} === 0.1")


def test_a_fader_by_keys_wheel_and_double_tap(page: Browser, stage: Stage) -> None:
    stage.set("noise_scale", 0.5)
    page.until(f"{SHOWN} === 0.5")
    page.run("document.querySelector(arguments[0]).focus()", NOISE)
    page.keys(Keys.ARROW_UP)
    stage.until("noise_scale", pytest.approx(0.51))
    page.keys(Keys.END)
    stage.until("noise_scale", 1.0)
    page.run("arguments[0].dispatchEvent(new WheelEvent('wheel', {deltaY: 1, cancelable: true}))", page.find(NOISE))
    stage.until("noise_scale", pytest.approx(0.99))
    page.tap(f"{NOISE} .w", 2)
    stage.until("noise_scale", pytest.approx(0.7))


def test_a_typed_value_beyond_the_range_is_said_at_the_fader(page: Browser, stage: Stage) -> None:
    page.run("document.querySelector(arguments[0]).focus()", NOISE)
    page.keys(Keys.ENTER, "1.4", Keys.ENTER)
    assert page.until(f"document.querySelector('{NOISE} .note')?.textContent") == "1.4 is above 1set to 1.00"
    stage.until("noise_scale", 1.0)
    page.keys(Keys.ENTER, "loud", Keys.ENTER)
    note = page.until(f"[...document.querySelectorAll('{NOISE} .note')].find((one) => one.textContent.includes('loud'))")
    assert "cannot be 'loud'" in note.text


def test_what_another_controller_sends_beyond_the_range_is_said_with_its_host(page: Browser, stage: Stage) -> None:
    stage.set("mix", -3.25)
    note = page.until("document.querySelector('sdv2-bank [data-name=mix] .note')?.textContent")
    assert note == "-3.25 is below 0.0set to 0.0, from 127.0.0.1"
    stage.set("mix", 1.0)


def test_take_by_button_and_space(page: Browser, stage: Stage) -> None:
    page.type("#cue", "an underwater scene")
    page.until("!document.querySelector('.prompts .take').disabled")
    page.click(".prompts .take")
    stage.until("prompt/1/text", "an underwater scene")
    page.until("document.querySelector('.running').textContent === 'an underwater scene'")
    stage.set("cue_prompt", "golden hour")
    page.until("document.querySelector('#cue').value === 'golden hour'")
    page.run("document.activeElement.blur()")
    page.keys(" ")
    stage.until("prompt/1/text", "golden hour")


def test_prompts_blend_and_their_weights_join_the_bank(page: Browser, stage: Stage) -> None:
    page.click(".ptabs [data-view=blend]")
    page.type(".brow[data-slot='2'] textarea", "pencil sketch\n")
    stage.until("prompt/2/text", "pencil sketch")
    page.until("document.querySelector('sdv2-bank [data-name=\"prompt/2/weight\"] .l')?.textContent === 'pencil sketch'")
    with page.grip("sdv2-xy", 60, 0):
        pass
    assert 0 < float(stage["prompt/2/weight"]) < 1
    assert float(stage["prompt/1/weight"]) + float(stage["prompt/2/weight"]) == pytest.approx(1, abs=0.01)
    stage.set("prompt/2/text", "")
    stage.set("prompt/1/weight", 1.0)
    page.until("document.querySelector('sdv2-bank [data-name=\"prompt/2/weight\"]') === null")
    page.click(".ptabs [data-view=cue]")


def test_the_safety_keys(page: Browser, stage: Stage) -> None:
    page.click(".safety [aria-label=Freeze]")
    stage.until("freeze", True)
    page.until("document.querySelector('.safety [aria-label=Freeze]').getAttribute('aria-pressed') === 'true'")
    page.run("document.activeElement.blur()")
    page.keys("f")
    stage.until("freeze", False)
    page.click(".key.black")
    page.hold_key(Keys.ESCAPE, 0.1)
    assert stage["blackout"] is False
    page.hold_key(Keys.ESCAPE, 0.7)
    stage.until("blackout", True)
    page.until("document.querySelector('.key.black').getAttribute('aria-pressed') === 'true'")
    page.click(".key.black")
    stage.until("blackout", False)


def test_every_parameter_is_in_the_drawer(page: Browser, stage: Stage) -> None:
    page.click("[data-open=all]")
    names = set(page.value("[...document.querySelectorAll('sdv2-all [data-name]')].map((one) => one.dataset.name)"))
    assert {
        "noise_scale",
        "adapt_sink_threshold",
        "normalize_latents",
        "transition_chunks",
        "take",
        "reset",
        "seed_mode",
    } <= names
    page.click("sdv2-all [data-name=noise_controller] button")
    stage.until("noise_controller", False)
    page.click("sdv2-all [data-name=noise_controller] button")
    stage.until("noise_controller", True)


def test_the_lock_keeps_touches_out_and_lets_keys_play(page: Browser, stage: Stage) -> None:
    stage.set("noise_scale", 0.5)
    page.until(f"{SHOWN} === 0.5")
    page.click("[data-lock]")
    page.until("document.body.classList.contains('locked')")
    with page.grip(NOISE, 0, -40):
        pass
    page.tap(".safety [aria-label=Freeze]")
    page.keys("b")
    stage.until("bypass", True)
    assert (stage["noise_scale"], stage["freeze"]) == (0.5, False)
    page.keys("b")
    stage.until("bypass", False)
    with page.grip(".lockbar button", 0, 0):
        page.until("!document.body.classList.contains('locked')")


def test_two_pages_follow_each_other(page: Browser, stage: Stage) -> None:
    with browser() as other:
        other.open(stage.address, PHONE)
        stage.set("mix", 0.5)
        duo = "Number(document.querySelector('sdv2-duo [data-name=mix]').getAttribute('aria-valuenow'))"
        other.until(f"{duo} === 0.5")
        with other.grip("sdv2-duo [data-name=mix]", 30, 0, touch=True):
            pass
        moved = other.until(f"{duo} > 0.5 && {duo}")
        page.until(f"Number(document.querySelector('sdv2-bank [data-name=mix]').getAttribute('aria-valuenow')) === {moved}")
        other.until("Number(document.querySelector('.pic .out').dataset.drawn ?? 0) > 2")
    stage.set("mix", 1.0)
    page.resize(DESKTOP)
