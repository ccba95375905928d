"""The page at every size: nothing beyond the edge, no small text, no weak contrast, no small target. See out/page-*.png."""

from __future__ import annotations

import pytest
from support.browser import SIZES, Browser, Size
from support.stage import Stage

TABS = ("presets", "prompts", "look", "mods", "time")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_a_size_is_well_laid_out(page: Browser, stage: Stage, size: Size) -> None:
    page.open(stage.address, size)
    page.until("Number(document.querySelector('.pic .out').dataset.drawn ?? 0) > 1")
    tabs = [tab for tab in TABS if page.value(f"document.querySelector('.tabs [data-to={tab}]').checkVisibility()")]
    faults = {}
    for tab in tabs or [""]:
        if tab:
            page.click(f".tabs [data-to={tab}]")
        faults[tab] = page.faults(size)
        page.picture(f"{size.name}-{tab}" if tab not in ("", "presets") else size.name)
    assert {tab: found for tab, found in faults.items() if found} == {}


@pytest.mark.parametrize("size", [SIZES[1], SIZES[4], SIZES[8]], ids=lambda size: size.name)
@pytest.mark.parametrize("drawer", ["all", "state"])
def test_a_drawer_is_well_laid_out(page: Browser, stage: Stage, size: Size, drawer: str) -> None:
    page.open(stage.address, size)
    page.run("document.querySelector(`[data-open=${arguments[0]}]`).click()", drawer)
    page.until(f"!document.querySelector('[data-drawer={drawer}]').hidden")
    assert page.faults(size) == []
    page.picture(f"{size.name}-{drawer}")
    page.run("document.querySelector(`[data-drawer=${arguments[0]}]`).close()", drawer)


def test_the_tab_key_goes_through_the_page_in_order(page: Browser) -> None:
    places = ".skip, .top, .tempo, .pic, .prompts, .presets, .look, .timeline, .safety"
    what = "[...document.querySelectorAll('a, button, textarea, [role=slider]')].map((one) => one.closest(arguments[0]))"
    script = f"return {what}.filter((one, at, all) => one && one !== all[at - 1]).map((one) => one.classList[0])"
    order = page.run(script, places)
    assert order == ["skip", "top", "tempo", "pic", "prompts", "presets", "look", "timeline", "safety"]
    nameless = "[...document.querySelectorAll('button, input, textarea, select, [role=slider]')].filter((one) => "
    nameless += "!(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length)).map((one) => one.outerHTML)"
    assert page.value(nameless) == []
