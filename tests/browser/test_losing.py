"""The connection is lost and comes back; a page without the token gets nothing."""

from __future__ import annotations

from pathlib import Path

from support.browser import Browser, browser
from support.daemon import Daemon, running
from support.stage import options
from support.systems import kill
from support.waiting import DEADLINE_S


def test_a_show_that_is_killed_greys_the_page_and_its_successor_heals_it(chromium: Browser, tmp_path: Path) -> None:
    first = Daemon(*options(tmp_path))
    chromium.open(first.http())
    chromium.until("Number(document.querySelector('.pic .out').dataset.drawn ?? 0) > 0")
    kill(first.process.pid)
    assert first.process.wait(DEADLINE_S)
    chromium.until("document.body.dataset.state === 'lost' && document.querySelector('.lost').checkVisibility()")
    assert chromium.value("document.querySelector('.safety').inert && !document.querySelector('.prompts').inert")
    chromium.type("#cue", "typed while the show was away")
    port = first.http().rpartition(":")[2]
    with running(*options(tmp_path), "--set", f"osc.port={first.port}", "--set", f"oscquery.port={port}") as second:
        chromium.until("document.body.dataset.state === 'open'")
        assert chromium.value("document.querySelector('#cue').value") == "typed while the show was away"
        drawn = chromium.value("Number(document.querySelector('.pic .out').dataset.drawn ?? 0)")
        chromium.until(f"Number(document.querySelector('.pic .out').dataset.drawn ?? 0) > {drawn + 1}")
        chromium.run("document.activeElement.blur()")
        chromium.keys(" ")
        chromium.until("document.querySelector('.running').textContent.startsWith('typed')")
        assert second.port == first.port
    chromium.complaints()  # of connections that were refused meanwhile


def test_without_the_token_there_is_no_page_and_with_it_the_address_is_clean_again(tmp_path: Path) -> None:
    asked = ("--set", 'osc.hosts=["show.test"]', "--set", "ui.token=open-sesame")
    with running(*options(tmp_path), *asked) as daemon, browser("host-resolver-rules=MAP show.test 127.0.0.1") as one:
        address = daemon.http().replace("127.0.0.1", "show.test")
        one.driver.get(address)
        assert "needs a token" in one.value("document.body.textContent")
        one.driver.get(f"{address}/?token=wrong")
        assert "needs a token" in one.value("document.body.textContent")
        one.open(f"{address}/?token=open-sesame")
        assert "token" not in one.value("location.href")
        one.open(address)  # the cookie stands for it from now on
